#include "backend/resync/resync_copying.h"

#include <algorithm>
#include <utility>

#include "backend/resync/resync_by_keys.h"
#include "backend/resync/resync_handover.h"

namespace gemel {

namespace {

constexpr uint64_t kPollMs = 100;
constexpr uint64_t kCatchUpPollMs = 20;
constexpr uint64_t kSnapshotPollMs = 500;
// A lag that is caught up within a pause nobody feels: so many bytes, or what the primary's stream
// brings in so many milliseconds.
constexpr int64_t kSmallLag = 32 * 1024;
constexpr int64_t kSmallLagMs = 10;
// A lag that has not shrunk for so long will not: then it is tried as it is.
constexpr uint64_t kNoGainMs = 2000;
// A node that empties or loads a lot may be silent for long.
constexpr uint64_t kSilenceMs = 60 * 1000;
// But one that its probes call down is not waited for: it is found again where it is now.
constexpr uint64_t kDownMs = 10 * 1000;
// A copy that has not begun by then to copy will not: its own log tells why. One that had begun, or
// for which the primary makes a snapshot soon, has more time.
constexpr uint64_t kNotBegunMs = 5 * 1000;
constexpr uint64_t kBrokenOffMs = 15 * 1000;
constexpr uint64_t kNoSnapshotMs = 15 * 1000;
// After so many copies that were begun and came to nothing no further one will do better.
constexpr int64_t kMaxRounds = 3;

constexpr const char* kCopyingPhase = "copying";
constexpr const char* kCatchingUp = "catching up";

}  // namespace

void ResyncCopying::Tick(uint64_t now_ms) {
  if (c_->shard.HealthOf(c_->at.copy) == NodeHealth::kDown &&
      now_ms >= progress_.heard_ms + kDownMs) {
    c_->Fail("it is down");
    return;
  }
  if (c_->at.next_poll_ms != 0 && now_ms >= c_->at.next_poll_ms) Poll();
}

void ResyncCopying::GoOn(uint64_t now_ms, uint64_t poll_after_ms, uint64_t pause_after_ms) {
  c_->at.state = ResyncState::kCopying;
  progress_.gained_ms = now_ms;
  progress_.next_pause_ms = now_ms + pause_after_ms;
  c_->PollLater(poll_after_ms);
}

void ResyncCopying::Begin() {
  const uint64_t now_ms = c_->env->NowMs();
  c_->at.state = ResyncState::kCopying;
  progress_.heard_ms = progress_.link_up_ms = progress_.gained_ms = now_ms;
  c_->at.meter.Enter(c_->at.was_replica ? kCatchingUp : kCopyingPhase, now_ms);
  c_->SetNote(c_->at.was_replica
                  ? "is a replica of " + c_->NameOf(c_->at.primary) + " and taken over"
                  : "copying from " + c_->NameOf(c_->at.primary));
  c_->PollLater(kCatchUpPollMs);
}

void ResyncCopying::Poll() {
  c_->at.next_poll_ms = 0;
  // The whole of INFO says how much is loaded, too.
  std::vector<std::string> info = {"INFO"};
  if (progress_.catching_up) info.push_back("replication");
  c_->Command(c_->at.copy, std::move(info),
              [this](const ControlReply& reply) { OnCopyPolled(reply); });
}

void ResyncCopying::OnCopyPolled(const ControlReply& reply) {
  const uint64_t now_ms = c_->env->NowMs();
  if (!reply.ok) {
    if (now_ms >= progress_.heard_ms + kSilenceMs) {
      c_->Fail("it does not answer: " + reply.error);
    } else {
      c_->PollLater(kPollMs);
    }
    return;
  }
  progress_.heard_ms = now_ms;
  const ReplicationInfo seen = ParseReplicationInfo(reply.text);
  if (const std::string why = c_->NotOurReplica(seen); !why.empty()) {
    c_->Fail(why);
    return;
  }
  if (!seen.link_up || seen.syncing) {
    progress_.catching_up = false;
    progress_.first_offset = -1;
    // A node that says it copies, and gets nothing from a primary that gives nothing, was refused.
    const bool comes = seen.syncing && seen.sync_read > 0 && seen.sync_read != progress_.sync_read;
    progress_.sync_read = seen.sync_read;
    if (seen.loading || comes || (seen.syncing && progress_.waits)) {
      progress_.link_up_ms = now_ms;
      progress_.begun = true;
    }
    if (const std::string why = WhyNotBegun(); !why.empty()) {
      c_->by_keys->GiveUpReplication(why);
      return;
    }
    ShowCopying(seen);
    return;
  }
  progress_.begun = true;
  progress_.catching_up = true;
  progress_.link_up_ms = now_ms;
  c_->Command(c_->at.primary, {"INFO", "replication"},
              [this, seen](const ControlReply& primary) { OnPrimaryPolled(seen, primary); });
}

std::string ResyncCopying::WhyNotBegun() const {
  const uint64_t most_ms = progress_.begun   ? kBrokenOffMs
                           : progress_.waits ? kNoSnapshotMs
                                             : kNotBegunMs;
  if (c_->env->NowMs() < progress_.link_up_ms + most_ms) return {};
  const std::string address = " (REPLICAOF " + c_->at.host + " " + c_->at.port_text + ")";
  if (progress_.begun) {
    return c_->NameOf(c_->at.copy) + " does not go on copying from " + c_->NameOf(c_->at.primary) +
           address + ": its master_link_status stays down, its log says why";
  }
  if (progress_.waits) {
    return c_->NameOf(c_->at.primary) + " makes no snapshot for " + c_->NameOf(c_->at.copy) +
           ": its log says why, if not its repl-diskless-sync-delay";
  }
  return c_->NameOf(c_->at.copy) + " does not begin to copy from " + c_->NameOf(c_->at.primary) +
         address +
         ": its master_link_status stays down, its log says why (an address that it cannot reach, "
         "a masterauth that is wrong, a user without +psync +replconf?)";
}

void ResyncCopying::ShowCopying(const ReplicationInfo& copy) {
  const uint64_t now_ms = c_->env->NowMs();
  c_->at.was_replica = false;
  if (copy.loading) {
    c_->at.meter.Enter(ResyncCore::kLoading, now_ms);
    c_->at.meter.See(copy.loaded, copy.load_total, -1, now_ms);
  } else {
    c_->at.input_seen = std::max(c_->at.input_seen, copy.sync_read);
    c_->at.meter.Enter(kCopyingPhase, now_ms);
    if (copy.sync_total > 0) c_->at.meter.See(copy.sync_read, copy.sync_total, -1, now_ms);
    if (now_ms >= progress_.next_snapshot_ms) {
      LookAtSnapshot(copy);
      return;
    }
    if (copy.sync_total <= 0) {
      c_->PollLater(kPollMs);
      return;
    }
  }
  c_->ShowProgress();
  c_->PollLater(kPollMs);
}

// A snapshot that is not sent yet, or is sent while it is made: how far it is, the primary knows;
// and whether this is the first one.
void ResyncCopying::LookAtSnapshot(const ReplicationInfo& copy) {
  progress_.next_snapshot_ms = c_->env->NowMs() + kSnapshotPollMs;
  c_->Command(c_->at.primary, {"INFO"}, [this, copy](const ControlReply& reply) {
    OnSnapshotSeen(copy, ParseReplicationInfo(reply.text));
  });
}

void ResyncCopying::OnSnapshotSeen(const ReplicationInfo& copy, const ReplicationInfo& primary) {
  progress_.waits = primary.gives_copy;
  if (progress_.waits && !progress_.begun) c_->delay.TakeAgain();
  if (progress_.full_syncs < 0 || primary.full_syncs < progress_.full_syncs)
    progress_.full_syncs = primary.full_syncs;
  if (progress_.full_syncs >= 0 && primary.full_syncs >= progress_.full_syncs + kMaxRounds) {
    c_->by_keys->GiveUpReplication(
        "the copying from " + c_->NameOf(c_->at.primary) + " to " + c_->NameOf(c_->at.copy) +
        " begins again and again (" + std::to_string(primary.full_syncs - progress_.full_syncs) +
        " times): the logs of both say why (client-output-buffer-limit replica, "
        "repl-timeout, memory, disk, versions?)");
    return;
  }
  if (copy.sync_total <= 0) {
    const double fraction =
        primary.save_total_keys > 0
            ? static_cast<double>(primary.saved_keys) / static_cast<double>(primary.save_total_keys)
            : -1;
    c_->at.meter.See(copy.sync_read, -1, fraction, c_->env->NowMs());
  }
  c_->ShowProgress();
  c_->PollLater(kPollMs);
}

void ResyncCopying::OnPrimaryPolled(const ReplicationInfo& copy, const ControlReply& reply) {
  if (!reply.ok) {
    c_->PollLater(kPollMs);
    return;
  }
  const ReplicationInfo primary = ParseReplicationInfo(reply.text);
  if (primary.replid != copy.replid) {
    // For example 127.0.0.1, which is another machine there.
    c_->by_keys->GiveUpReplication(
        "REPLICAOF " + c_->at.host + " " + c_->at.port_text + " led " + c_->NameOf(c_->at.copy) +
        " to another server than the primary " + c_->NameOf(c_->at.primary) +
        ": name the primary by an address that is right on every machine");
    return;
  }
  if (primary.master_offset < 0 || copy.copy_offset < 0) {
    c_->Fail("INFO replication lacks an offset");
    return;
  }
  const uint64_t now_ms = c_->env->NowMs();
  if (progress_.primary_offset >= 0 && now_ms > progress_.primary_offset_ms) {
    progress_.primary_rate = (primary.master_offset - progress_.primary_offset) /
                             static_cast<int64_t>(now_ms - progress_.primary_offset_ms);
  }
  progress_.primary_offset = primary.master_offset;
  progress_.primary_offset_ms = now_ms;
  const int64_t lag = std::max<int64_t>(0, primary.master_offset - copy.copy_offset);
  c_->at.meter.Enter(kCatchingUp, now_ms);
  c_->SetNote("catching up, " + std::to_string(lag) + " bytes behind");
  if (c_->place != nullptr) c_->place->Show(c_->at.meter.progress());
  if (IsNear(copy, lag) && now_ms >= progress_.next_pause_ms && c_->shard.link(c_->at.copy)->up() &&
      !c_->shard.paused()) {
    c_->handover->Begin();
  } else {
    c_->PollLater(kCatchUpPollMs);
  }
}

// Whether what is missing is caught up within a short pause.
bool ResyncCopying::IsNear(const ReplicationInfo& copy, int64_t lag) {
  const uint64_t now_ms = c_->env->NowMs();
  if (progress_.best_lag < 0 || lag < progress_.best_lag) {
    progress_.best_lag = lag;
    progress_.gained_ms = now_ms;
  }
  // After the copy a primary sends nothing until the replica's next acknowledgement, up to a
  // second: a pause before the stream runs would only wait for that.
  if (progress_.first_offset < 0) progress_.first_offset = copy.copy_offset;
  const bool runs = lag == 0 || copy.copy_offset > progress_.first_offset;
  if (runs && lag <= std::max(kSmallLag, progress_.primary_rate * kSmallLagMs)) return true;
  return now_ms >= progress_.gained_ms + kNoGainMs;
}

}  // namespace gemel
