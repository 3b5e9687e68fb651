// The hand-over: writes are held, the copy reaches what the primary has, leaves it, and is marked
// in sync. Clients wait meanwhile, so everything is asked at once where it can be.

#include <algorithm>
#include <utility>

#include "backend/resync/resync.h"

namespace gemel {

namespace {

// A hand-over that takes longer is given up and tried again, with twice the time, as long as that
// is less than pause_ms.
constexpr uint64_t kShortPauseMs = 50;
constexpr uint64_t kAfterShortPauseMs = 100;

}  // namespace

void Resync::BeginPause() {
  state_ = State::kDraining;
  paused_ms_ = env_->NowMs();
  SetNote("handing over");
  // May be called inside, or from deep inside the shard: it only sends commands.
  shard_.Pause(Guard([this] { OnDrained(); }));
}

uint64_t Resync::PauseBound() const {
  const uint64_t longest = config_.pause_ms;
  // Half of an equal copy is nothing: from there on there is only one end.
  if (state_ >= State::kLeaving) return longest;
  return std::min(longest, kShortPauseMs << std::min(short_pauses_, 20u));
}

void Resync::EndLongPause(uint64_t now_ms) {
  const uint64_t bound = PauseBound();
  if (bound >= config_.pause_ms) {
    // Each try costs the clients a pause, so they become rarer.
    ++failed_pauses_;
    Fail("the hand-over took longer than " + std::to_string(config_.pause_ms) + " ms (pause_ms)");
    return;
  }
  Note(NoteLevel::kInfo,
       "the hand-over to " + NameOf(copy_) + " took longer than " + std::to_string(bound) +
           " ms: writes go on, and it is tried again",
       0);
  ++attempt_;  // what was asked for it is of no interest any more
  state_ = State::kCopying;
  gained_ms_ = now_ms;
  next_pause_ms_ = now_ms + (kAfterShortPauseMs << std::min(short_pauses_, 10u));
  ++short_pauses_;
  PollLater(kAfterShortPauseMs);
  if (place_ != nullptr) place_->Paused(now_ms - paused_ms_);
  shard_.Resume();
}

void Resync::OnDrained() {
  state_ = State::kHandOver;
  target_ = -1;
  replid_.clear();
  ahead_.reset();
  Demand(primary_, {"INFO"}, [this](const ControlReply& reply) { OnPrimaryAtRest(reply.text); });
  PollHandOver();
}

void Resync::OnPrimaryAtRest(const std::string& info) {
  // The process that told the offset must be the one whose data the shard speaks of: a primary that
  // died and is back, empty, may be noticed here before its link says so.
  const std::string_view known = ProcessOf(shard_.link(primary_)->identity().run_id);
  if (known != kHiddenRunId && InfoField(info, "run_id") != known) {
    Fail("the primary is another process than before: it restarted");
    return;
  }
  const ReplicationInfo primary = ParseReplicationInfo(info);
  if (primary.is_replica || primary.replid.empty() || primary.master_offset < 0) {
    Fail("INFO of the primary lacks an offset");
    return;
  }
  replid_ = primary.replid;
  target_ = primary.master_offset;
  if (ahead_) OnHandOverPolled(*ahead_);
}

void Resync::PollHandOver() {
  Demand(copy_, {"INFO", "replication"},
         [this](const ControlReply& reply) { OnHandOverPolled(ParseReplicationInfo(reply.text)); });
}

void Resync::OnHandOverPolled(const ReplicationInfo& copy) {
  if (target_ < 0) {
    ahead_ = copy;  // the primary's word is still to come
    return;
  }
  std::string why = NotOurReplica(copy);
  if (why.empty() && copy.link_up && copy.replid != replid_) {
    why = "the primary's replication began anew";
  }
  if (!why.empty()) {
    Fail(why);
  } else if (!copy.syncing && copy.replid == replid_ && copy.copy_offset >= target_) {
    LeaveMaster();
  } else {
    PollHandOver();  // at the pace of the replies; Tick ends it
  }
}

void Resync::LeaveMaster() {
  state_ = State::kLeaving;
  Demand(copy_, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
  Demand(copy_, {"INFO"}, [this](const ControlReply& reply) { OnLeft(reply.text); });
}

void Resync::OnLeft(const std::string& info) {
  const ReplicationInfo left = ParseReplicationInfo(info);
  const std::string id = IdFromInfo(info);
  Link* link = shard_.link(copy_);
  if (InfoField(info, "role") != "master") {
    Fail("its role is not master after REPLICAOF NO ONE");
  } else if (!left.replid2.empty() && left.replid2 != replid_) {
    Fail("it had left the primary's stream before it was told to");
  } else if (!link->up()) {
    Fail("its connection was lost");
  } else if (ProcessOf(id) != ProcessOf(link->identity().run_id)) {
    Fail("it restarted");
  } else {
    if (left.replication_input >= 0 && input_before_ >= 0) {
      input_seen_ = left.replication_input - input_before_;
    }
    link->set_run_id(id);
    state_ = State::kEditing;
    shard_.ProposeInSync(copy_, Guard([this](bool ok) { OnEdited(ok); }));
  }
}

void Resync::OnEdited(bool ok) {
  if (!ok) {
    Fail("it could not be marked in sync");
    return;
  }
  const uint64_t now_ms = env_->NowMs();
  const uint64_t pause_ms = now_ms - paused_ms_;
  Note(NoteLevel::kInfo,
       NameOf(copy_) +
           (was_replica_ ? " was taken over as the replica that it was of "
                         : " was resynced from ") +
           NameOf(primary_) + " in " + std::to_string(now_ms - began_ms_) + " ms (" +
           BytesText(input_seen_) + " copied); writes were paused for " + std::to_string(pause_ms) +
           " ms",
       0);
  if (place_ != nullptr) place_->Done();
  failed_pauses_ = 0;
  noted_ms_.clear();
  SetNote("");
  End();
}

}  // namespace gemel
