#include "backend/resync/resync.h"

#include <algorithm>
#include <utility>

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
constexpr size_t kMaxNoted = 32;

constexpr const char* kCopyingPhase = "copying";
constexpr const char* kLoading = "loading";
constexpr const char* kCatchingUp = "catching up";

// For messages: enough to know the command by, and never a password.
std::string CommandName(const std::vector<std::string>& args) {
  std::string name = args[0];
  if (name == "CONFIG" && args.size() > 2) name += " " + args[1] + " " + args[2];
  return name;
}

}  // namespace

Resync::Resync(ResyncPort shard, ControlPort* port, ShardEnv* env, ResyncConfig config,
               ResyncBoard* board)
    : shard_(shard),
      port_(port),
      env_(env),
      config_(config),
      board_(board),
      delay_(port),
      seen_empty_(kMaxCopies),
      from_start_(kMaxCopies),
      ours_(kMaxCopies),
      scanned_(kMaxCopies),
      in_vain_(kMaxCopies),
      connected_(kMaxCopies),
      notes_(kMaxCopies) {
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) from_start_[i] = true;
}

Resync::~Resync() {
  // Also safe while the edit is under way: the shard sends no writes before it is in effect.
  if (state_ >= State::kDraining) shard_.Resume();
  delay_.PutBack();
}

void Resync::Command(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  port_->Command(copy, std::move(args),
                 Guard([this, done = std::move(done)](const ControlReply& reply) {
                   if (const std::string why = Obstacle(); !why.empty()) {
                     Fail(why);
                   } else {
                     done(reply);
                   }
                 }));
}

void Resync::Demand(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  std::string what = CommandName(args) + " on " + NameOf(copy);
  Command(copy, std::move(args),
          [this, what = std::move(what), done = std::move(done)](const ControlReply& reply) {
            if (reply.ok) {
              done(reply);
            } else {
              Fail(what + ": " + reply.error);
            }
          });
}

void Resync::Prepare(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  std::string what = CommandName(args) + " on " + NameOf(copy);
  Command(copy, std::move(args),
          [this, what = std::move(what), done = std::move(done)](const ControlReply& reply) {
            if (reply.ok) {
              done(reply);
            } else if (reply.refused && !PassesByItself(reply)) {
              GoByKeys(what + " is refused (" + reply.error + ")");
            } else {
              Fail(what + ": " + reply.error);
            }
          });
}

// Whether the copy is still the process that the attempt began with, as far as is known. Its
// connection may have been lost on the way: a node that empties or loads a lot does not answer for
// a while.
bool Resync::SameProcess() const {
  if (shard_.ConnectionOf(copy_) == connection_) return true;
  return run_id_ != kHiddenRunId && ProcessOf(shard_.link(copy_)->identity().run_id) == run_id_;
}

std::string Resync::Obstacle() const {
  if (shard_.info().primary != primary_) return "the primary changed";
  if (!shard_.PrimaryReady()) return "the primary is not ready";
  if (shard_.info().copies[copy_].state == CopyState::kInSync) return "it is in sync already";
  if (shard_.info().copies[copy_].drained()) return "it is drained";
  if (shard_.link(copy_)->up() && !SameProcess()) return "it restarted";
  return {};
}

void Resync::ForgetCopy(uint32_t copy) {
  if (state_ != State::kIdle && (copy_ == copy || primary_ == copy)) End();
  seen_empty_[copy] = false;
  from_start_[copy] = false;
  ours_[copy] = false;
  scanned_[copy] = false;
  in_vain_[copy] = {};
  connected_[copy] = {};
  notes_[copy].clear();
}

void Resync::Tick(uint64_t now_ms) {
  const ShardInfo& info = shard_.info();
  for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
    if (connected_[i].connection == shard_.ConnectionOf(i)) continue;
    connected_[i] = {shard_.ConnectionOf(i), now_ms};
  }
  const Link* primary = shard_.link(info.primary);
  if (info.adopted && primary->up() && primary->identity().keys == 0) {
    seen_empty_[info.primary] = true;
  }
  if (state_ == State::kIdle) {
    for (uint32_t i = 0; i < shard_.copy_count(); ++i) {
      // Somebody else has made it equal.
      if (info.copies[i].state == CopyState::kInSync) notes_[i].clear();
    }
    if (now_ms < retry_at_ms_) return;
    const int copy = PickCopy();
    if (copy >= 0) Begin(static_cast<uint32_t>(copy));
    return;
  }
  if (state_ == State::kEditing) return;  // its end is the coordinator's
  if (state_ == State::kScanning) {
    WatchScan(now_ms);
    return;
  }
  if (const std::string why = Obstacle(); !why.empty()) {
    Fail(why);
    return;
  }
  if (state_ >= State::kDraining) {
    if (now_ms >= paused_ms_ + PauseBound()) EndLongPause(now_ms);
    return;
  }
  if (now_ms >= began_ms_ + uint64_t{config_.timeout_s} * 1000) {
    // Without this REPLICAOF would find the copying under way and go on with it.
    port_->Command(copy_, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
    Fail("it took longer than " + std::to_string(config_.timeout_s) + " s (timeout_s)");
    return;
  }
  if (state_ != State::kCopying) return;
  if (shard_.HealthOf(copy_) == NodeHealth::kDown && now_ms >= heard_ms_ + kDownMs) {
    Fail("it is down");
    return;
  }
  if (next_poll_ms_ != 0 && now_ms >= next_poll_ms_) Poll();
}

// The next stale copy after the one that was tried last, so that one that cannot be copied does not
// keep others waiting. -1: none.
int Resync::PickCopy() {
  if (shard_.CopyToResync() < 0) return -1;
  const uint32_t count = shard_.copy_count();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t copy = (next_copy_ + i) % count;
    if (shard_.WantsResync(copy)) {
      return static_cast<int>(copy);
    }
  }
  return -1;
}

void Resync::BeginPolling() {
  const uint64_t now_ms = env_->NowMs();
  state_ = State::kCopying;
  heard_ms_ = link_up_ms_ = gained_ms_ = now_ms;
  meter_.Enter(was_replica_ ? kCatchingUp : kCopyingPhase, now_ms);
  SetNote(was_replica_ ? "is a replica of " + NameOf(primary_) + " and taken over"
                       : "copying from " + NameOf(primary_));
  PollLater(kCatchUpPollMs);
}

// Why the copy is not the replica that it was made, or empty.
std::string Resync::NotOurReplica(const ReplicationInfo& seen) const {
  if (!seen.is_replica) return "it is no replica any more: it restarted, or somebody changed it";
  if (seen.host != host_ || seen.port != port_text_) {
    return "somebody made it a replica of " + seen.host + ":" + seen.port;
  }
  return {};
}

void Resync::PollLater(uint64_t after_ms) { next_poll_ms_ = env_->NowMs() + after_ms; }

void Resync::Poll() {
  next_poll_ms_ = 0;
  // The whole of INFO says how much is loaded, too.
  std::vector<std::string> info = {"INFO"};
  if (catching_up_) info.push_back("replication");
  Command(copy_, std::move(info), [this](const ControlReply& reply) { OnCopyPolled(reply); });
}

void Resync::OnCopyPolled(const ControlReply& reply) {
  const uint64_t now_ms = env_->NowMs();
  if (!reply.ok) {
    if (now_ms >= heard_ms_ + kSilenceMs) {
      Fail("it does not answer: " + reply.error);
    } else {
      PollLater(kPollMs);
    }
    return;
  }
  heard_ms_ = now_ms;
  const ReplicationInfo seen = ParseReplicationInfo(reply.text);
  if (const std::string why = NotOurReplica(seen); !why.empty()) {
    Fail(why);
    return;
  }
  if (!seen.link_up || seen.syncing) {
    catching_up_ = false;
    first_offset_ = -1;
    // A node that says it copies, and gets nothing from a primary that gives nothing, was refused.
    const bool comes = seen.syncing && seen.sync_read > 0 && seen.sync_read != sync_read_;
    sync_read_ = seen.sync_read;
    if (seen.loading || comes || (seen.syncing && waits_)) {
      link_up_ms_ = now_ms;
      begun_ = true;
    }
    if (const std::string why = WhyNotBegun(); !why.empty()) {
      GiveUpReplication(why);
      return;
    }
    ShowCopying(seen);
    return;
  }
  begun_ = true;
  catching_up_ = true;
  link_up_ms_ = now_ms;
  Command(primary_, {"INFO", "replication"},
          [this, seen](const ControlReply& primary) { OnPrimaryPolled(seen, primary); });
}

std::string Resync::WhyNotBegun() const {
  const uint64_t most_ms = begun_ ? kBrokenOffMs : waits_ ? kNoSnapshotMs : kNotBegunMs;
  if (env_->NowMs() < link_up_ms_ + most_ms) return {};
  const std::string address = " (REPLICAOF " + host_ + " " + port_text_ + ")";
  if (begun_) {
    return NameOf(copy_) + " does not go on copying from " + NameOf(primary_) + address +
           ": its master_link_status stays down, its log says why";
  }
  if (waits_) {
    return NameOf(primary_) + " makes no snapshot for " + NameOf(copy_) +
           ": its log says why, if not its repl-diskless-sync-delay";
  }
  return NameOf(copy_) + " does not begin to copy from " + NameOf(primary_) + address +
         ": its master_link_status stays down, its log says why (an address that it cannot reach, "
         "a masterauth that is wrong, a user without +psync +replconf?)";
}

void Resync::ShowCopying(const ReplicationInfo& copy) {
  const uint64_t now_ms = env_->NowMs();
  was_replica_ = false;
  if (copy.loading) {
    meter_.Enter(kLoading, now_ms);
    meter_.See(copy.loaded, copy.load_total, -1, now_ms);
  } else {
    input_seen_ = std::max(input_seen_, copy.sync_read);
    meter_.Enter(kCopyingPhase, now_ms);
    if (copy.sync_total > 0) meter_.See(copy.sync_read, copy.sync_total, -1, now_ms);
    if (now_ms >= next_snapshot_ms_) {
      LookAtSnapshot(copy);
      return;
    }
    if (copy.sync_total <= 0) {
      PollLater(kPollMs);
      return;
    }
  }
  ShowProgress();
  PollLater(kPollMs);
}

// A snapshot that is not sent yet, or is sent while it is made: how far it is, the primary knows;
// and whether this is the first one.
void Resync::LookAtSnapshot(const ReplicationInfo& copy) {
  next_snapshot_ms_ = env_->NowMs() + kSnapshotPollMs;
  Command(primary_, {"INFO"}, [this, copy](const ControlReply& reply) {
    OnSnapshotSeen(copy, ParseReplicationInfo(reply.text));
  });
}

void Resync::OnSnapshotSeen(const ReplicationInfo& copy, const ReplicationInfo& primary) {
  waits_ = primary.gives_copy;
  if (full_syncs_ < 0 || primary.full_syncs < full_syncs_) full_syncs_ = primary.full_syncs;
  if (full_syncs_ >= 0 && primary.full_syncs >= full_syncs_ + kMaxRounds) {
    GiveUpReplication("the copying from " + NameOf(primary_) + " to " + NameOf(copy_) +
                      " begins again and again (" +
                      std::to_string(primary.full_syncs - full_syncs_) +
                      " times): the logs of both say why (client-output-buffer-limit replica, "
                      "repl-timeout, memory, disk, versions?)");
    return;
  }
  if (copy.sync_total <= 0) {
    const double fraction =
        primary.save_total_keys > 0
            ? static_cast<double>(primary.saved_keys) / static_cast<double>(primary.save_total_keys)
            : -1;
    meter_.See(copy.sync_read, -1, fraction, env_->NowMs());
  }
  ShowProgress();
  PollLater(kPollMs);
}

void Resync::OnPrimaryPolled(const ReplicationInfo& copy, const ControlReply& reply) {
  if (!reply.ok) {
    PollLater(kPollMs);
    return;
  }
  const ReplicationInfo primary = ParseReplicationInfo(reply.text);
  if (primary.replid != copy.replid) {
    // For example 127.0.0.1, which is another machine there.
    GiveUpReplication("REPLICAOF " + host_ + " " + port_text_ + " led " + NameOf(copy_) +
                      " to another server than the primary " + NameOf(primary_) +
                      ": name the primary by an address that is right on every machine");
    return;
  }
  if (primary.master_offset < 0 || copy.copy_offset < 0) {
    Fail("INFO replication lacks an offset");
    return;
  }
  const uint64_t now_ms = env_->NowMs();
  if (primary_offset_ >= 0 && now_ms > primary_offset_ms_) {
    primary_rate_ = (primary.master_offset - primary_offset_) /
                    static_cast<int64_t>(now_ms - primary_offset_ms_);
  }
  primary_offset_ = primary.master_offset;
  primary_offset_ms_ = now_ms;
  const int64_t lag = std::max<int64_t>(0, primary.master_offset - copy.copy_offset);
  meter_.Enter(kCatchingUp, now_ms);
  SetNote("catching up, " + std::to_string(lag) + " bytes behind");
  if (place_ != nullptr) place_->Show(meter_.progress());
  if (IsNear(copy, lag) && now_ms >= next_pause_ms_ && shard_.link(copy_)->up() &&
      !shard_.paused()) {
    BeginPause();
  } else {
    PollLater(kCatchUpPollMs);
  }
}

// Whether what is missing is caught up within a short pause.
bool Resync::IsNear(const ReplicationInfo& copy, int64_t lag) {
  const uint64_t now_ms = env_->NowMs();
  if (best_lag_ < 0 || lag < best_lag_) {
    best_lag_ = lag;
    gained_ms_ = now_ms;
  }
  // After the copy a primary sends nothing until the replica's next acknowledgement, up to a
  // second: a pause before the stream runs would only wait for that.
  if (first_offset_ < 0) first_offset_ = copy.copy_offset;
  const bool runs = lag == 0 || copy.copy_offset > first_offset_;
  if (runs && lag <= std::max(kSmallLag, primary_rate_ * kSmallLagMs)) return true;
  return now_ms >= gained_ms_ + kNoGainMs;
}

void Resync::Fail(const std::string& why, uint64_t wait_ms) {
  const bool copied = state_ >= State::kScanning;
  Note(copied ? NoteLevel::kWarn : NoteLevel::kInfo,
       "resync of " + NameOf(copy_) + " is put off: " + why, kNoteAgainMs);
  SetNote("put off: " + why);
  const uint64_t wait = uint64_t{config_.retry_ms} << std::min(failed_pauses_, 10u);
  retry_at_ms_ =
      env_->NowMs() +
      std::max(wait_ms, std::min(wait, std::max<uint64_t>(kMaxRetryMs, config_.retry_ms)));
  next_copy_ = copy_ + 1;
  End();
}

void Resync::End() {
  const bool paused = state_ >= State::kDraining;
  if (paused && place_ != nullptr) place_->Paused(env_->NowMs() - paused_ms_);
  ++attempt_;
  state_ = State::kIdle;
  place_.reset();
  delay_.PutBack();
  if (paused) shard_.Resume();
}

void Resync::Note(NoteLevel level, const std::string& text, uint64_t again_ms) {
  if (again_ms > 0) {
    const uint64_t now_ms = env_->NowMs();
    const auto noted = noted_ms_.find(text);
    if (noted != noted_ms_.end() && now_ms < noted->second + again_ms) return;
    if (noted_ms_.size() >= kMaxNoted) noted_ms_.clear();
    noted_ms_[text] = now_ms;
  }
  env_->Note(level, "shard '" + shard_.info().name + "': " + text);
}

void Resync::SetNote(const std::string& note) {
  // Whoever resyncs it changes its data.
  if (!note.empty()) shard_.WillOverwrite(copy_);
  notes_[copy_] = note;
}

void Resync::ShowProgress() {
  const ResyncProgress& progress = meter_.progress();
  std::string text = progress.phase == kLoading ? "loading what came from " : "copying from ";
  text += NameOf(primary_);
  if (const std::string far = ProgressText(progress); !far.empty()) text += ": " + far;
  SetNote(text);
  if (place_ != nullptr) place_->Show(progress);
  if (meter_.TakeLine(env_->NowMs())) {
    Note(NoteLevel::kInfo, "resync of " + NameOf(copy_) + ": " + text, 0);
  }
}

}  // namespace gemel
