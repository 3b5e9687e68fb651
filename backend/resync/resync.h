// Makes a shard's stale copies equal to its primary by a full resync: Redis's own replication
// copies the data while clients go on, and a short pause of the shard's writes hands over.
//
// Logic only, on the shard's thread. What it relies on:
//  - The proxy sends no writes to a stale copy.
//  - A copy whose master_replid is the primary's has the primary's data up to its
//  slave_repl_offset.
//    While writes are paused and drained, reaching the primary's master_repl_offset is being equal.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/resync/control_port.h"
#include "backend/shard/shard.h"
#include "config/config.h"

namespace gemel {

class Resync {
 public:
  // `shard`, `port` and `env` must outlive it.
  Resync(Shard* shard, ControlPort* port, ShardEnv* env, ResyncConfig config);
  // Lets held writes go. The shard must still be there; callbacks that come later do nothing.
  ~Resync();
  Resync(const Resync&) = delete;
  Resync& operator=(const Resync&) = delete;

  // Time passes: begins, polls, gives up. To be called every 10 to 100 ms; `now_ms` is ShardEnv's
  // clock.
  void Tick(uint64_t now_ms);

  // A resync is under way.
  bool active() const { return state_ != State::kIdle; }

 private:
  enum class State : uint8_t {
    kIdle,       // nothing to do, or waiting for the next attempt
    kPreparing,  // the commands before REPLICAOF, and it
    kCopying,    // Redis copies; polled
    kDraining,   // writes are held, those in flight are waited for
    kHandOver,   // the copy catches up with what was drained, and leaves its master
    kEditing,    // being marked in sync
  };
  // What INFO replication says.
  struct Replication {
    bool is_replica = false;
    bool link_up = false;
    bool syncing = false;
    std::string host;
    std::string port;
    std::string replid;
    int64_t master_offset = -1;
    int64_t copy_offset = -1;
    int64_t sync_left = -1;
  };
  static Replication ParseReplication(std::string_view info);

  int PickCopy();
  void Begin(uint32_t copy);
  void CheckNotSwapped();
  void SetAuth();
  void FindPrimary();
  void SendReplicaOf();
  void Poll();
  void PollLater();
  void OnCopyPolled(const ControlReply& reply);
  void OnPrimaryPolled(const Replication& copy, const ControlReply& reply);
  void BeginPause();
  void OnDrained();
  void CheckPrimaryProcess();
  void PollHandOver();
  void OnHandOverPolled(const ControlReply& reply);
  void LeaveMaster();
  void OnRole(const ControlReply& reply);
  void OnEdited(bool ok);

  // `next` as a callback of this attempt: it does nothing once the attempt is over.
  template <typename Next>
  auto Guard(Next next);
  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // As Command, for what must succeed: a failure ends the attempt.
  void Demand(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // Why the attempt must end, or empty.
  std::string Obstacle() const;
  bool SameProcess() const;
  std::string NotOurReplica(const Replication& seen) const;
  void Fail(const std::string& why);
  void End();
  // Logs, unless the same was logged within `again_ms`.
  void Note(NoteLevel level, const std::string& text, uint64_t again_ms);
  void SetNote(const std::string& note);
  const std::string& NameOf(uint32_t copy) const { return shard_->info().copies[copy].node; }

  Shard* shard_;
  ControlPort* port_;
  ShardEnv* env_;
  const ResyncConfig config_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();

  State state_ = State::kIdle;
  uint64_t attempt_ = 0;  // grows when one begins or ends
  uint32_t copy_ = 0;
  uint32_t primary_ = 0;
  uint64_t connection_ = 0;  // of the copy, and its process, when the attempt began
  std::string run_id_;
  std::string host_;  // of the primary, as the copy reaches it
  std::string port_text_;
  uint64_t began_ms_ = 0;
  uint64_t paused_ms_ = 0;
  uint64_t heard_ms_ = 0;      // when the copy last answered a poll
  uint64_t link_up_ms_ = 0;    // when its master link was last seen up or copying
  uint64_t next_poll_ms_ = 0;  // 0: one is under way
  int64_t best_lag_ = -1;
  int64_t first_offset_ = -1;  // the copy's, when its link to the primary was first seen up
  uint32_t polls_without_gain_ = 0;
  std::string replid_;  // of the primary, and how far it was, when writes were drained
  int64_t target_ = -1;

  uint64_t retry_at_ms_ = 0;
  uint32_t failed_pauses_ = 0;    // in a row
  uint32_t next_copy_ = 0;        // where the search for a copy begins
  std::vector<bool> seen_empty_;  // by copy: it was the primary of an adopted shard, empty
  std::vector<bool> ours_;        // by copy: its data was overwritten by us already
  std::unordered_map<std::string, uint64_t> noted_ms_;  // what was logged, and when
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_H_
