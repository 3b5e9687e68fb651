// Makes a shard's stale copies equal to its primary by a full resync: Redis's own replication
// copies the data while clients go on, and a short pause of the shard's writes hands over. A copy
// that is a live replica of the primary already is taken over by the same pause, without copying.
//
// Logic only, on the shard's thread. What it relies on:
//  - The proxy sends no writes to a stale copy.
//  - A copy whose master_replid is the primary's, and whose link to it is up, has the primary's
//    data up to its slave_repl_offset. While writes are paused and drained, reaching the primary's
//    master_repl_offset is being equal.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_H_

#include <cstdint>
#include <string>

#include "backend/resync/resync_by_keys.h"
#include "backend/resync/resync_copying.h"
#include "backend/resync/resync_core.h"
#include "backend/resync/resync_handover.h"
#include "backend/resync/resync_prepare.h"

namespace gemel {

class Resync {
 public:
  // `shard`, `port`, `env` and `board` must outlive it. Without a board there is no limit over the
  // shards, and nobody to show anything to.
  Resync(ResyncPort shard, ControlPort* port, ShardEnv* env, ResyncConfig config,
         ResyncBoard* board = nullptr);
  // Lets held writes go. The shard must still be there; callbacks that come later do nothing.
  ~Resync();
  Resync(const Resync&) = delete;
  Resync& operator=(const Resync&) = delete;

  // Time passes: begins, polls, gives up. To be called every 10 to 20 ms; `now_ms` is ShardEnv's
  // clock.
  void Tick(uint64_t now_ms);

  // In effect from the next look at them on.
  void set_config(const ResyncConfig& config) { core_.config = config; }
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);

  // The copy is stale, and was told to replicate: what is done with it next must begin with
  // REPLICAOF NO ONE.
  bool MayReplicate(uint32_t copy) const {
    return core_.copies.ours[copy] && core_.shard.info().copies[copy].state == CopyState::kStale;
  }

  // What PROXY SHARDS says of the copy; empty for nothing.
  const std::string& note(uint32_t copy) const { return core_.copies.notes[copy]; }
  // A resync is under way.
  bool active() const { return core_.at.state != ResyncState::kIdle; }

 private:
  int PickCopy() const;
  void LookAtCopies(uint64_t now_ms);

  ResyncCore core_;
  ResyncPrepare prepare_{&core_};
  ResyncCopying copying_{&core_};
  ResyncHandover handover_{&core_};
  ResyncByKeys by_keys_{&core_};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_H_
