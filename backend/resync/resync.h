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
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/resync/control_port.h"
#include "backend/resync/diskless_delay.h"
#include "backend/resync/replication_info.h"
#include "backend/resync/resync_board.h"
#include "backend/resync/resync_progress.h"
#include "backend/shard/shard_ports.h"
#include "config/config.h"

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
  void set_config(const ResyncConfig& config) { config_ = config; }
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);

  // The copy is stale, and was told to replicate: what is done with it next must begin with
  // REPLICAOF NO ONE.
  bool MayReplicate(uint32_t copy) const {
    return ours_[copy] && shard_.info().copies[copy].state == CopyState::kStale;
  }

  // What PROXY SHARDS says of the copy; empty for nothing.
  const std::string& note(uint32_t copy) const { return notes_[copy]; }
  // A resync is under way.
  bool active() const { return state_ != State::kIdle; }

 private:
  enum class State : uint8_t {
    kIdle,       // nothing to do, or waiting for the next attempt
    kPreparing,  // the commands before REPLICAOF, and it
    kScanning,   // that is of no use: the shard copies key by key
    kCopying,    // Redis copies; polled
    kDraining,   // writes are held, those in flight are waited for
    kHandOver,   // the copy catches up with what was drained
    kLeaving,    // it is equal, and leaves its master
    kEditing,    // being marked in sync
  };

  static constexpr uint64_t kMaxRetryMs = 60 * 1000;
  static constexpr uint64_t kNoteAgainMs = 60 * 1000;
  static constexpr uint64_t kHourMs = 3600 * 1000;

  // resync_prepare.cc: until Redis copies
  void Begin(uint32_t copy);
  void LookAtProcess(const ControlReply& info, const std::string& replid);
  void LookAtCopy(const ReplicationInfo& copy, const std::string& replid);
  void TakeTurn();
  bool TakePlace(bool copying);
  void CheckNotSwapped();
  void CopyData();
  void SetAuth();
  void SetUser();
  std::string HostToName(const std::string& host) const;
  void FindPrimary();
  void TakeDelayAway();
  void LeaveOtherMaster();
  void SendReplicaOf();

  // resync_scan.cc: the copy key by key, where REPLICAOF is refused, comes to nothing, or cannot be
  // understood
  std::string WhyByKeys() const;
  void InVainNow(const std::string& why, uint64_t for_ms = 0);
  void GoByKeys(const std::string& why);
  void GiveUpReplication(const std::string& why);
  void BeginScan(const std::string& why);
  void StartScan(const std::string& why);
  void WatchScan(uint64_t now_ms);
  void OnScanned();

  // resync.cc: until the copy is near
  int PickCopy();
  void BeginPolling();
  void Poll();
  void PollLater(uint64_t after_ms);
  void OnCopyPolled(const ControlReply& reply);
  void ShowCopying(const ReplicationInfo& copy);
  void LookAtSnapshot(const ReplicationInfo& copy);
  void OnSnapshotSeen(const ReplicationInfo& copy, const ReplicationInfo& primary);
  std::string WhyNotBegun() const;
  void OnPrimaryPolled(const ReplicationInfo& copy, const ControlReply& reply);
  bool IsNear(const ReplicationInfo& copy, int64_t lag);

  // resync_handover.cc: the pause
  void BeginPause();
  void OnDrained();
  void OnPrimaryAtRest(const std::string& info);
  void PollHandOver();
  void OnHandOverPolled(const ReplicationInfo& copy);
  void LeaveMaster();
  void OnLeft(const std::string& info);
  void OnEdited(bool ok);
  uint64_t PauseBound() const;
  void EndLongPause(uint64_t now_ms);

  // `next` as a callback of this attempt: it does nothing once the attempt is over.
  template <typename Next>
  auto Guard(Next next) {
    return [this, alive = std::weak_ptr<char>(alive_), attempt = attempt_,
            next = std::move(next)](const auto&... args) {
      if (!alive.expired() && attempt == attempt_) next(args...);
    };
  }
  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // As Command, for what must succeed: a failure ends the attempt.
  void Demand(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // As Command, for what REPLICAOF needs: if the node refuses it, the copy is made key by key.
  void Prepare(uint32_t copy, std::vector<std::string> args, ControlDone done);
  // Why the attempt must end, or empty.
  std::string Obstacle() const;
  bool SameProcess() const;
  std::string NotOurReplica(const ReplicationInfo& seen) const;
  // Ends the attempt. The next one begins after a while, `wait_ms` at least.
  void Fail(const std::string& why, uint64_t wait_ms = 0);
  void End();
  // Logs, unless the same was logged within `again_ms`.
  void Note(NoteLevel level, const std::string& text, uint64_t again_ms);
  void SetNote(const std::string& note);
  // What PROXY SHARDS, INFO and, now and then, the log say of the meter.
  void ShowProgress();
  const std::string& NameOf(uint32_t copy) const { return shard_.info().copies[copy].node; }

  ResyncPort shard_;
  ControlPort* port_;
  ShardEnv* env_;
  ResyncConfig config_;
  ResyncBoard* board_;
  std::unique_ptr<ResyncBoard::Place> place_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();

  State state_ = State::kIdle;
  uint64_t attempt_ = 0;  // grows when one begins or ends, and when a pause is given up
  uint32_t copy_ = 0;
  uint32_t primary_ = 0;
  uint64_t connection_ = 0;  // of the copy, and its process, when the attempt began
  std::string run_id_;
  std::string host_;  // of the primary, as the copy reaches it
  std::string port_text_;
  bool was_replica_ = false;   // of the primary, before the attempt began
  bool is_replica_ = false;    // of anybody
  bool leave_first_ = false;   // it replicates, but its data may have been written to besides
  int64_t input_before_ = -1;  // bytes that the copy had from its masters before
  int64_t input_seen_ = 0;     // of the snapshot, where the node does not count them
  uint64_t began_ms_ = 0;
  uint64_t paused_ms_ = 0;
  uint64_t heard_ms_ = 0;    // when the copy last answered a poll
  uint64_t link_up_ms_ = 0;  // when its master link was last seen up or copying
  bool begun_ = false;       // it was so once
  bool waits_ = false;      // the primary says that some replica waits for its snapshot, or gets it
  int64_t sync_read_ = -1;  // as the copy said last
  int64_t full_syncs_ = -1;    // that the primary had begun when it was first asked
  uint64_t next_poll_ms_ = 0;  // 0: one is under way
  uint64_t next_snapshot_ms_ = 0;
  ProgressMeter meter_;
  DisklessDelay delay_;
  std::string seen_id_;  // the copy's, as INFO gave it in this attempt; empty: it did not

  // Catching up.
  bool catching_up_ = false;
  int64_t best_lag_ = -1;
  uint64_t gained_ms_ = 0;     // when the lag was last smaller than ever
  int64_t first_offset_ = -1;  // the copy's, when its link to the primary was first seen up
  int64_t primary_offset_ = -1;
  uint64_t primary_offset_ms_ = 0;
  int64_t primary_rate_ = 0;    // bytes of its stream a millisecond
  uint64_t next_pause_ms_ = 0;  // not before
  uint32_t short_pauses_ = 0;   // given up in this attempt

  // The hand-over.
  std::string replid_;  // of the primary, and how far it was, when writes were drained
  int64_t target_ = -1;
  std::optional<ReplicationInfo> ahead_;  // what the copy said before the primary did

  uint64_t retry_at_ms_ = 0;
  uint32_t failed_pauses_ = 0;    // in a row
  uint32_t failed_scans_ = 0;     // in a row
  uint32_t next_copy_ = 0;        // where the search for a copy begins
  std::vector<bool> seen_empty_;  // by copy: it was the primary of an adopted shard, empty
  std::vector<bool> from_start_;  // by copy: it was in the shard from the beginning
  std::vector<bool> ours_;        // by copy: its data was overwritten by us already
  std::vector<bool> scanned_;     // by copy: key by key, at least in part
  // By copy: REPLICAOF of that primary came to nothing, so that it is not tried before then.
  struct InVain {
    std::string primary;
    std::string why;
    uint64_t until_ms = 0;
  };
  std::vector<InVain> in_vain_;
  // By copy: its connection, and since when it is there.
  struct Connected {
    uint64_t connection = 0;
    uint64_t since_ms = 0;
  };
  std::vector<Connected> connected_;
  std::unordered_map<std::string, uint64_t> noted_ms_;  // what was logged, and when
  std::vector<std::string> notes_;                      // by copy, for PROXY SHARDS
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_H_
