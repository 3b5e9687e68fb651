// While Redis copies: the copy is polled until it is so near to the primary that a short pause
// hands over.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_COPYING_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_COPYING_H_

#include <cstdint>
#include <string>

#include "backend/resync/resync_core.h"

namespace gemel {

class ResyncCopying {
 public:
  explicit ResyncCopying(ResyncCore* core) : c_(core) {}

  // Nothing is known of the attempt that begins.
  void Reset() { progress_ = {}; }
  // It replicates, as far as is known: polls from now on.
  void Begin();
  void Tick(uint64_t now_ms);
  // A pause was too long: writes go on, and the next one comes after a while.
  void GoOn(uint64_t now_ms, uint64_t poll_after_ms, uint64_t pause_after_ms);

 private:
  struct Progress {
    uint64_t heard_ms = 0;    // when the copy last answered a poll
    uint64_t link_up_ms = 0;  // when its master link was last seen up or copying
    bool begun = false;       // it was so once
    bool waits = false;  // the primary says that some replica waits for its snapshot, or gets it
    int64_t sync_read = -1;   // as the copy said last
    int64_t full_syncs = -1;  // that the primary had begun when it was first asked
    uint64_t next_snapshot_ms = 0;
    // Catching up.
    bool catching_up = false;
    int64_t best_lag = -1;
    uint64_t gained_ms = 0;     // when the lag was last smaller than ever
    int64_t first_offset = -1;  // the copy's, when its link to the primary was first seen up
    int64_t primary_offset = -1;
    uint64_t primary_offset_ms = 0;
    int64_t primary_rate = 0;    // bytes of its stream a millisecond
    uint64_t next_pause_ms = 0;  // not before
  };

  void Poll();
  void OnCopyPolled(const ControlReply& reply);
  void ShowCopying(const ReplicationInfo& copy);
  void LookAtSnapshot(const ReplicationInfo& copy);
  void OnSnapshotSeen(const ReplicationInfo& copy, const ReplicationInfo& primary);
  std::string WhyNotBegun() const;
  void OnPrimaryPolled(const ReplicationInfo& copy, const ControlReply& reply);
  bool IsNear(const ReplicationInfo& copy, int64_t lag);

  ResyncCore* c_;
  Progress progress_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_COPYING_H_
