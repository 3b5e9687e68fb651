// What the phases of a resync share: the attempt that is under way, what is known of each copy
// beyond it, and the ways to ask, to tell and to end. The phases own what they alone know.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_CORE_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_CORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/resync/diskless_delay.h"
#include "backend/resync/replication_info.h"
#include "backend/resync/resync_board.h"
#include "backend/resync/resync_progress.h"
#include "backend/shard/shard_ports.h"
#include "config/config.h"

namespace gemel {

class ResyncByKeys;
class ResyncCopying;
class ResyncHandover;
class ResyncPrepare;

enum class ResyncState : uint8_t {
  kIdle,       // nothing to do, or waiting for the next attempt
  kPreparing,  // the commands before REPLICAOF, and it
  kScanning,   // that is of no use: the shard copies key by key
  kCopying,    // Redis copies; polled
  kDraining,   // writes are held, those in flight are waited for
  kHandOver,   // the copy catches up with what was drained
  kLeaving,    // it is equal, and leaves its master
  kEditing,    // being marked in sync
};

// One attempt to make one copy equal; made anew for each.
struct ResyncAttempt {
  ResyncState state = ResyncState::kIdle;
  uint32_t copy = 0;
  uint32_t primary = 0;
  uint64_t connection = 0;  // of the copy, and its process, when the attempt began
  std::string run_id;
  std::string host;  // of the primary, as the copy reaches it
  std::string port_text;
  bool was_replica = false;   // of the primary, before the attempt began
  bool is_replica = false;    // of anybody
  bool leave_first = false;   // it replicates, but its data may have been written to besides
  int64_t input_before = -1;  // bytes that the copy had from its masters before
  int64_t input_seen = 0;     // of the snapshot, where the node does not count them
  uint64_t began_ms = 0;
  uint64_t next_poll_ms = 0;  // 0: one is under way
  ProgressMeter meter;
  std::string seen_id;  // the copy's, as INFO gave it in this attempt; empty: it did not
};

// What is known of each copy, whatever attempts there are.
struct ResyncCopies {
  ResyncCopies();
  void Forget(uint32_t copy);

  std::vector<bool> seen_empty;  // it was the primary of an adopted shard, empty
  std::vector<bool> from_start;  // it was in the shard from the beginning
  std::vector<bool> ours;        // its data was overwritten by us already
  std::vector<bool> scanned;     // key by key, at least in part
  // REPLICAOF of that primary came to nothing, so that it is not tried before then.
  struct InVain {
    std::string primary;
    std::string why;
    uint64_t until_ms = 0;
  };
  std::vector<InVain> in_vain;
  // Its connection, and since when it is there.
  struct Connected {
    uint64_t connection = 0;
    uint64_t since_ms = 0;
  };
  std::vector<Connected> connected;
  std::vector<uint64_t> waits_since_ms;  // for other nodes (ShardEnv::Release); 0: not
  std::vector<std::string> notes;        // for PROXY SHARDS
  std::unordered_map<std::string, uint64_t> noted_ms;  // what was logged, and when
};

// Logic only, the shard's thread.
class ResyncCore {
 public:
  static constexpr uint64_t kMaxRetryMs = 60 * 1000;
  static constexpr uint64_t kNoteAgainMs = 60 * 1000;
  static constexpr uint64_t kHourMs = 3600 * 1000;
  static constexpr const char* kLoading = "loading";  // a phase of the meter

  ResyncCore(ResyncPort shard, ControlPort* port, ShardEnv* env, ResyncConfig config,
             ResyncBoard* board)
      : shard(shard), port(port), env(env), config(config), board(board), delay(port) {}

  // `next` as a callback of this attempt: it does nothing once the attempt is over.
  template <typename Next>
  auto Guard(Next next) {
    return alive.Guard([this, of = number, next = std::move(next)](const auto&... args) {
      if (of == number) next(args...);
    });
  }
  // Asks a node, unless something is in the way of the attempt by the time of the answer.
  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // As Command, for what must succeed: a failure ends the attempt.
  void Demand(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // As Command, for what REPLICAOF needs: if the node refuses it, the copy is made key by key.
  void Prepare(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // Why the attempt must end, or empty.
  std::string Obstacle() const;
  bool SameProcess() const;
  std::string NotOurReplica(const ReplicationInfo& seen) const;
  void PollLater(uint64_t after_ms);
  // Ends the attempt. The next one begins after a while, `wait_ms` at least.
  void Fail(const std::string& why, uint64_t wait_ms = 0);
  void End();
  // Logs, unless the same was logged within `again_ms`.
  void Note(NoteLevel level, const std::string& text, uint64_t again_ms);
  void SetNote(const std::string& note);
  // What PROXY SHARDS, INFO and, now and then, the log say of the meter.
  void ShowProgress();
  const std::string& NameOf(uint32_t copy) const { return shard.info().copies[copy].node; }

  ResyncPort shard;
  ControlPort* port;
  ShardEnv* env;
  ResyncConfig config;
  ResyncBoard* board;
  std::unique_ptr<ResyncBoard::Place> place;
  DisklessDelay delay;
  Alive alive;

  ResyncAttempt at;
  uint64_t number = 0;  // grows when an attempt begins or ends, and when a pause is given up
  ResyncCopies copies;
  uint64_t retry_at_ms = 0;
  uint32_t next_copy = 0;  // where the search for a copy begins

  ResyncPrepare* prepare = nullptr;
  ResyncCopying* copying = nullptr;
  ResyncHandover* handover = nullptr;
  ResyncByKeys* by_keys = nullptr;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_CORE_H_
