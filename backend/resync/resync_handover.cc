#include "backend/resync/resync_handover.h"

#include <algorithm>
#include <utility>

#include "backend/resync/resync_copying.h"

namespace gemel {

namespace {

// A hand-over that takes longer is given up and tried again, with twice the time, as long as that
// is less than pause_ms.
constexpr uint64_t kShortPauseMs = 50;
constexpr uint64_t kAfterShortPauseMs = 100;

}  // namespace

void ResyncHandover::Begin() {
  c_->at.state = ResyncState::kDraining;
  paused_ms_ = c_->env->NowMs();
  c_->SetNote("handing over");
  // May be called inside, or from deep inside the shard: it only sends commands.
  c_->shard.Pause(c_->Guard([this] { OnDrained(); }));
}

void ResyncHandover::Tick(uint64_t now_ms) {
  if (now_ms >= paused_ms_ + PauseBound()) EndLongPause(now_ms);
}

uint64_t ResyncHandover::PauseBound() const {
  const uint64_t longest = c_->config.pause_ms;
  // Half of an equal copy is nothing: from there on there is only one end.
  if (c_->at.state >= ResyncState::kLeaving) return longest;
  return std::min(longest, kShortPauseMs << std::min(short_pauses_, 20u));
}

void ResyncHandover::EndLongPause(uint64_t now_ms) {
  const uint64_t bound = PauseBound();
  if (bound >= c_->config.pause_ms) {
    // Each try costs the clients a pause, so they become rarer.
    ++failed_pauses_;
    c_->Fail("the hand-over took longer than " + std::to_string(c_->config.pause_ms) +
             " ms (pause_ms)");
    return;
  }
  c_->Note(NoteLevel::kInfo,
           "the hand-over to " + c_->NameOf(c_->at.copy) + " took longer than " +
               std::to_string(bound) + " ms: writes go on, and it is tried again",
           0);
  ++c_->number;  // what was asked for it is of no interest any more
  c_->copying->GoOn(now_ms, kAfterShortPauseMs, kAfterShortPauseMs << std::min(short_pauses_, 10u));
  ++short_pauses_;
  if (c_->place != nullptr) c_->place->Paused(now_ms - paused_ms_);
  c_->shard.Resume();
}

void ResyncHandover::OnDrained() {
  c_->at.state = ResyncState::kHandOver;
  target_ = -1;
  replid_.clear();
  ahead_.reset();
  c_->Demand(c_->at.primary, {"INFO"},
             [this](const ControlReply& reply) { OnPrimaryAtRest(reply.text); });
  PollHandOver();
}

void ResyncHandover::OnPrimaryAtRest(const std::string& info) {
  // The process that told the offset must be the one whose data the shard speaks of: a primary that
  // died and is back, empty, may be noticed here before its link says so.
  const std::string_view known = ProcessOf(c_->shard.link(c_->at.primary)->identity().run_id);
  if (known != kHiddenRunId && InfoField(info, "run_id") != known) {
    c_->Fail("the primary is another process than before: it restarted");
    return;
  }
  const ReplicationInfo primary = ParseReplicationInfo(info);
  if (primary.is_replica || primary.replid.empty() || primary.master_offset < 0) {
    c_->Fail("INFO of the primary lacks an offset");
    return;
  }
  replid_ = primary.replid;
  target_ = primary.master_offset;
  if (ahead_) OnHandOverPolled(*ahead_);
}

void ResyncHandover::PollHandOver() {
  c_->Demand(c_->at.copy, {"INFO", "replication"}, [this](const ControlReply& reply) {
    OnHandOverPolled(ParseReplicationInfo(reply.text));
  });
}

void ResyncHandover::OnHandOverPolled(const ReplicationInfo& copy) {
  if (target_ < 0) {
    ahead_ = copy;  // the primary's word is still to come
    return;
  }
  std::string why = c_->NotOurReplica(copy);
  if (why.empty() && copy.link_up && copy.replid != replid_) {
    why = "the primary's replication began anew";
  }
  if (!why.empty()) {
    c_->Fail(why);
  } else if (!copy.syncing && copy.replid == replid_ && copy.copy_offset >= target_) {
    LeaveMaster();
  } else {
    PollHandOver();  // at the pace of the replies; Tick ends it
  }
}

void ResyncHandover::LeaveMaster() {
  c_->at.state = ResyncState::kLeaving;
  c_->Demand(c_->at.copy, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
  c_->Demand(c_->at.copy, {"INFO"}, [this](const ControlReply& reply) { OnLeft(reply.text); });
}

void ResyncHandover::OnLeft(const std::string& info) {
  const ReplicationInfo left = ParseReplicationInfo(info);
  const std::string id = IdFromInfo(info);
  Link* link = c_->shard.link(c_->at.copy);
  if (InfoField(info, "role") != "master") {
    c_->Fail("its role is not master after REPLICAOF NO ONE");
  } else if (!left.replid2.empty() && left.replid2 != replid_) {
    c_->Fail("it had left the primary's stream before it was told to");
  } else if (!link->up()) {
    c_->Fail("its connection was lost");
  } else if (ProcessOf(id) != ProcessOf(link->identity().run_id)) {
    c_->Fail("it restarted");
  } else {
    if (left.replication_input >= 0 && c_->at.input_before >= 0) {
      c_->at.input_seen = left.replication_input - c_->at.input_before;
    }
    link->set_run_id(id);
    c_->at.state = ResyncState::kEditing;
    c_->shard.ProposeInSync(c_->at.copy, c_->Guard([this](bool ok) { OnEdited(ok); }));
  }
}

void ResyncHandover::OnEdited(bool ok) {
  if (!ok) {
    c_->Fail("it could not be marked in sync");
    return;
  }
  const uint64_t now_ms = c_->env->NowMs();
  const uint64_t pause_ms = now_ms - paused_ms_;
  c_->Note(NoteLevel::kInfo,
           c_->NameOf(c_->at.copy) +
               (c_->at.was_replica ? " was taken over as the replica that it was of "
                                   : " was resynced from ") +
               c_->NameOf(c_->at.primary) + " in " + std::to_string(now_ms - c_->at.began_ms) +
               " ms (" + BytesText(c_->at.input_seen) + " copied); writes were paused for " +
               std::to_string(pause_ms) + " ms",
           0);
  if (c_->place != nullptr) c_->place->Done();
  failed_pauses_ = 0;
  c_->copies.noted_ms.clear();
  c_->SetNote("");
  c_->End();
}

}  // namespace gemel
