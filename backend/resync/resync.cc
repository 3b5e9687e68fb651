#include "backend/resync/resync.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "config/address.h"

namespace gemel {

namespace {

constexpr uint64_t kPollMs = 100;
// A lag that is caught up within a pause nobody feels.
constexpr int64_t kSmallLag = 1 << 20;
// A lag that has not shrunk for so many polls will not: then it is tried as it is.
constexpr uint32_t kPollsWithoutGain = 20;
// A node that empties or loads a lot may be silent for long.
constexpr uint64_t kSilenceMs = 60 * 1000;
// A copy whose master link stays down for so long has a reason that its own log tells.
constexpr uint64_t kLinkDownHintMs = 15 * 1000;
constexpr uint64_t kMaxRetryMs = 60 * 1000;
constexpr uint64_t kNoteAgainMs = 60 * 1000;
constexpr uint64_t kSwappedAgainMs = 3600 * 1000;
constexpr size_t kMaxNoted = 32;

int64_t ToNumber(std::string_view text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

std::string_view LastLine(std::string_view text) {
  const size_t at = text.rfind('\n');
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

// For messages: enough to know the command by, and never a password.
std::string CommandName(const std::vector<std::string>& args) {
  std::string name = args[0];
  if (name == "CONFIG" && args.size() > 2) name += " " + args[1] + " " + args[2];
  return name;
}

}  // namespace

Resync::Resync(Shard* shard, ControlPort* port, ShardEnv* env, ResyncConfig config)
    : shard_(shard),
      port_(port),
      env_(env),
      config_(config),
      seen_empty_(shard->copy_count()),
      ours_(shard->copy_count()) {}

Resync::~Resync() {
  // Also safe while the edit is under way: the shard sends no writes before it is in effect.
  if (state_ >= State::kDraining) shard_->Resume();
}

template <typename Next>
auto Resync::Guard(Next next) {
  return [this, alive = std::weak_ptr<char>(alive_), attempt = attempt_,
          next = std::move(next)](const auto&... args) {
    if (!alive.expired() && attempt == attempt_) next(args...);
  };
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

// Whether the copy is still the process that the attempt began with, as far as is known. Its
// connection may have been lost on the way: a node that empties or loads a lot does not answer for
// a while.
bool Resync::SameProcess() const {
  if (shard_->ConnectionOf(copy_) == connection_) return true;
  return run_id_ != "unknown" && shard_->link(copy_)->identity().run_id == run_id_;
}

std::string Resync::Obstacle() const {
  if (shard_->info().primary != primary_) return "the primary changed";
  if (!shard_->PrimaryReady()) return "the primary is not ready";
  if (shard_->info().copies[copy_].state == CopyState::kInSync) return "it is in sync already";
  if (shard_->info().copies[copy_].drained) return "it is drained";
  if (shard_->link(copy_)->up() && !SameProcess()) return "it restarted";
  return {};
}

void Resync::Tick(uint64_t now_ms) {
  const ShardInfo& info = shard_->info();
  const Link* primary = shard_->link(info.primary);
  if (info.adopted && primary->up() && primary->identity().keys == 0) {
    seen_empty_[info.primary] = true;
  }
  if (state_ == State::kIdle) {
    if (now_ms < retry_at_ms_) return;
    if (const int copy = PickCopy(); copy >= 0) Begin(static_cast<uint32_t>(copy));
    return;
  }
  if (state_ == State::kEditing) return;  // its end is the coordinator's
  if (const std::string why = Obstacle(); !why.empty()) {
    Fail(why);
    return;
  }
  if (state_ >= State::kDraining) {
    if (now_ms >= paused_ms_ + config_.pause_ms) {
      // Each try costs the clients a pause, so they become rarer.
      ++failed_pauses_;
      Fail("the hand-over took longer than " + std::to_string(config_.pause_ms) + " ms (pause_ms)");
    }
    return;
  }
  if (now_ms >= began_ms_ + uint64_t{config_.timeout_s} * 1000) {
    // Without this REPLICAOF would find the copying under way and go on with it.
    port_->Command(copy_, {"REPLICAOF", "NO", "ONE"}, [](const ControlReply&) {});
    Fail("it took longer than " + std::to_string(config_.timeout_s) + " s (timeout_s)");
    return;
  }
  if (state_ == State::kCopying && next_poll_ms_ != 0 && now_ms >= next_poll_ms_) Poll();
}

// The next stale copy after the one that was tried last, so that one that cannot be copied does not
// keep others waiting. -1: none.
int Resync::PickCopy() {
  if (shard_->CopyToResync() < 0) return -1;
  const uint32_t count = shard_->copy_count();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t copy = (next_copy_ + i) % count;
    if (shard_->WantsResync(copy)) {
      return static_cast<int>(copy);
    }
  }
  return -1;
}

void Resync::Begin(uint32_t copy) {
  ++attempt_;
  state_ = State::kPreparing;
  shard_->ForgetJournal(copy);
  copy_ = copy;
  primary_ = shard_->info().primary;
  connection_ = shard_->ConnectionOf(copy);
  run_id_ = shard_->link(copy)->identity().run_id;
  began_ms_ = env_->NowMs();
  next_poll_ms_ = 0;
  best_lag_ = -1;
  first_offset_ = -1;
  polls_without_gain_ = 0;
  if (shard_->info().adopted && !ours_[copy]) {
    CheckNotSwapped();
  } else {
    SetAuth();
  }
}

// Nothing is known of an adopted shard but its config, and whoever swapped two addresses there
// would lose all data to an empty server.
void Resync::CheckNotSwapped() {
  Demand(primary_, {"DBSIZE"}, [this](const ControlReply& primary) {
    const int64_t primary_keys = ToNumber(primary.text);
    Demand(copy_, {"DBSIZE"}, [this, primary_keys](const ControlReply& copy) {
      const int64_t copy_keys = ToNumber(copy.text);
      if (primary_keys < 0 || copy_keys < 0) {
        Fail("DBSIZE said no number");
      } else if (copy_keys > 0 && (primary_keys == 0 || seen_empty_[primary_])) {
        Fail("not begun: the configured primary is empty and the replica is not");
        Note(NoteLevel::kError,
             "the configured primary " + NameOf(primary_) +
                 (primary_keys == 0 ? " is empty" : " was empty at the first start") +
                 ", but its replica " + NameOf(copy_) + " holds " + std::to_string(copy_keys) +
                 " keys: perhaps they are swapped in the config, so the replica is not "
                 "overwritten. If the primary is right, send the replica FLUSHALL by hand; if "
                 "not, stop gemel, swap them in the config and remove the state folder",
             kSwappedAgainMs);
      } else {
        SetAuth();
      }
    });
  });
}

void Resync::SetAuth() {
  const LinkOptions& node = shard_->options().nodes[copy_];
  if (node.password.empty()) {
    FindPrimary();
    return;
  }
  Demand(copy_, {"CONFIG", "SET", "masterauth", node.password}, [this](const ControlReply&) {
    const std::string& user = shard_->options().nodes[copy_].user;
    if (user.empty()) {
      FindPrimary();
      return;
    }
    Demand(copy_, {"CONFIG", "SET", "masteruser", user},
           [this](const ControlReply&) { FindPrimary(); });
  });
}

void Resync::FindPrimary() {
  std::string error;
  const std::optional<Address> address = ParseAddress(NameOf(primary_), &error);
  if (!address) {
    Fail("'" + NameOf(primary_) + "' is no address: " + error);
    return;
  }
  if (!address->IsUnix()) {
    host_ = address->host;
    port_text_ = std::to_string(address->port);
    SendReplicaOf();
    return;
  }
  Demand(primary_, {"CONFIG", "GET", "port"}, [this](const ControlReply& reply) {
    const int64_t port = ToNumber(LastLine(reply.text));
    if (port <= 0) {
      Fail("the primary " + NameOf(primary_) +
           " listens on its Unix socket only (CONFIG GET port says " +
           std::string(LastLine(reply.text)) +
           "), and Redis copies over TCP: give it a port on 127.0.0.1");
      return;
    }
    host_ = "127.0.0.1";
    port_text_ = std::to_string(port);
    SendReplicaOf();
  });
}

void Resync::SendReplicaOf() {
  Note(NoteLevel::kInfo, "resync of " + NameOf(copy_) + " from " + NameOf(primary_) + " begins",
       kNoteAgainMs);
  SetNote("copying from " + NameOf(primary_));
  ours_[copy_] = true;
  // To a copy that replicates from there already it changes nothing, and a retry goes on.
  Demand(copy_, {"REPLICAOF", host_, port_text_}, [this](const ControlReply&) {
    state_ = State::kCopying;
    heard_ms_ = link_up_ms_ = env_->NowMs();
    next_poll_ms_ = heard_ms_ + kPollMs;
  });
}

Resync::Replication Resync::ParseReplication(std::string_view info) {
  Replication seen;
  while (!info.empty()) {
    std::string_view line = FirstLine(info);
    info.remove_prefix(std::min(info.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    if (name == "role") {
      seen.is_replica = value == "slave";
    } else if (name == "master_host") {
      seen.host = value;
    } else if (name == "master_port") {
      seen.port = value;
    } else if (name == "master_link_status") {
      seen.link_up = value == "up";
    } else if (name == "master_sync_in_progress") {
      seen.syncing = value != "0";
    } else if (name == "master_replid") {
      seen.replid = value;
    } else if (name == "master_repl_offset") {
      seen.master_offset = ToNumber(value);
    } else if (name == "slave_repl_offset") {
      seen.copy_offset = ToNumber(value);
    } else if (name == "master_sync_left_bytes") {
      seen.sync_left = ToNumber(value);
    }
  }
  return seen;
}

// Why the copy is not the replica that it was made, or empty.
std::string Resync::NotOurReplica(const Replication& seen) const {
  if (!seen.is_replica) return "it is no replica any more: it restarted, or somebody changed it";
  if (seen.host != host_ || seen.port != port_text_) {
    return "somebody made it a replica of " + seen.host + ":" + seen.port;
  }
  return {};
}

void Resync::PollLater() { next_poll_ms_ = env_->NowMs() + kPollMs; }

void Resync::Poll() {
  next_poll_ms_ = 0;
  Command(copy_, {"INFO", "replication"},
          [this](const ControlReply& reply) { OnCopyPolled(reply); });
}

void Resync::OnCopyPolled(const ControlReply& reply) {
  const uint64_t now_ms = env_->NowMs();
  if (!reply.ok) {
    if (now_ms >= heard_ms_ + kSilenceMs) {
      Fail("it does not answer: " + reply.error);
    } else {
      PollLater();
    }
    return;
  }
  heard_ms_ = now_ms;
  const Replication seen = ParseReplication(reply.text);
  if (const std::string why = NotOurReplica(seen); !why.empty()) {
    Fail(why);
    return;
  }
  if (!seen.link_up || seen.syncing) {
    first_offset_ = -1;
    std::string note = "copying from " + NameOf(primary_);
    if (seen.syncing) link_up_ms_ = now_ms;
    if (seen.sync_left > 0) note += ", " + std::to_string(seen.sync_left) + " bytes left";
    SetNote(note);
    if (now_ms >= link_up_ms_ + kLinkDownHintMs) {
      Note(NoteLevel::kWarn,
           NameOf(copy_) + " cannot copy from " + NameOf(primary_) + " (REPLICAOF " + host_ + " " +
               port_text_ + "): its master_link_status stays down, its log says why",
           kNoteAgainMs);
    }
    PollLater();
    return;
  }
  link_up_ms_ = now_ms;
  Command(primary_, {"INFO", "replication"},
          [this, seen](const ControlReply& primary) { OnPrimaryPolled(seen, primary); });
}

void Resync::OnPrimaryPolled(const Replication& copy, const ControlReply& reply) {
  if (!reply.ok) {
    PollLater();
    return;
  }
  const Replication primary = ParseReplication(reply.text);
  if (primary.replid != copy.replid) {
    // For example 127.0.0.1, which is another machine there.
    Fail("REPLICAOF " + host_ + " " + port_text_ + " led it to another server than the primary " +
         NameOf(primary_) + ": name the primary by an address that is right on every machine");
    return;
  }
  if (primary.master_offset < 0 || copy.copy_offset < 0) {
    Fail("INFO replication lacks an offset");
    return;
  }
  const int64_t lag = std::max<int64_t>(0, primary.master_offset - copy.copy_offset);
  SetNote("catching up, " + std::to_string(lag) + " bytes behind");
  if (best_lag_ < 0 || lag < best_lag_) {
    best_lag_ = lag;
    polls_without_gain_ = 0;
  } else {
    ++polls_without_gain_;
  }
  // After the copy a primary sends nothing until the replica's next acknowledgement, up to a
  // second: a pause before the stream runs would only wait for that.
  if (first_offset_ < 0) first_offset_ = copy.copy_offset;
  const bool runs = lag == 0 || copy.copy_offset > first_offset_;
  const bool near = (runs && lag < kSmallLag) || polls_without_gain_ >= kPollsWithoutGain;
  if (near && shard_->link(copy_)->up() && !shard_->paused()) {
    BeginPause();
  } else {
    PollLater();
  }
}

void Resync::BeginPause() {
  state_ = State::kDraining;
  paused_ms_ = env_->NowMs();
  SetNote("handing over");
  // May be called inside, or from deep inside the shard: it only sends a command.
  shard_->Pause(Guard([this] { OnDrained(); }));
}

void Resync::OnDrained() {
  state_ = State::kHandOver;
  Demand(primary_, {"INFO", "replication"}, [this](const ControlReply& reply) {
    const Replication primary = ParseReplication(reply.text);
    replid_ = primary.replid;
    target_ = primary.master_offset;
    if (replid_.empty() || target_ < 0) {
      Fail("INFO replication of the primary lacks an offset");
      return;
    }
    CheckPrimaryProcess();
  });
}

// The process that told the offset must be the one whose data the shard speaks of: a primary that
// died and is back, empty, may be noticed here before its link says so.
void Resync::CheckPrimaryProcess() {
  Demand(primary_, {"INFO", "server"}, [this](const ControlReply& reply) {
    const std::string& known = shard_->link(primary_)->identity().run_id;
    if (known != kHiddenRunId && reply.text.find("\nrun_id:" + known + "\r") == std::string::npos) {
      Fail("the primary is another process than before: it restarted");
      return;
    }
    PollHandOver();
  });
}

void Resync::PollHandOver() {
  Demand(copy_, {"INFO", "replication"},
         [this](const ControlReply& reply) { OnHandOverPolled(reply); });
}

void Resync::OnHandOverPolled(const ControlReply& reply) {
  const Replication seen = ParseReplication(reply.text);
  std::string why = NotOurReplica(seen);
  if (why.empty() && seen.link_up && seen.replid != replid_) {
    why = "the primary's replication began anew";
  }
  if (!why.empty()) {
    Fail(why);
  } else if (!seen.syncing && seen.replid == replid_ && seen.copy_offset >= target_) {
    LeaveMaster();
  } else {
    PollHandOver();  // at the pace of the replies; Tick ends it
  }
}

void Resync::LeaveMaster() {
  Demand(copy_, {"REPLICAOF", "NO", "ONE"}, [this](const ControlReply&) {
    Demand(copy_, {"ROLE"}, [this](const ControlReply& reply) { OnRole(reply); });
  });
}

void Resync::OnRole(const ControlReply& reply) {
  if (FirstLine(reply.text) != "master") {
    Fail("ROLE says " + std::string(FirstLine(reply.text)) + " after REPLICAOF NO ONE");
    return;
  }
  if (!shard_->link(copy_)->up()) {
    Fail("its connection was lost");
    return;
  }
  state_ = State::kEditing;
  shard_->ProposeInSync(copy_, Guard([this](bool ok) { OnEdited(ok); }));
}

void Resync::OnEdited(bool ok) {
  if (!ok) {
    Fail("it could not be marked in sync");
    return;
  }
  const uint64_t now_ms = env_->NowMs();
  Note(NoteLevel::kInfo,
       NameOf(copy_) + " was resynced from " + NameOf(primary_) + " in " +
           std::to_string(now_ms - began_ms_) + " ms; writes were paused for " +
           std::to_string(now_ms - paused_ms_) + " ms",
       0);
  failed_pauses_ = 0;
  noted_ms_.clear();
  SetNote("");
  End();
}

void Resync::Fail(const std::string& why) {
  const bool copied = state_ >= State::kCopying;
  Note(copied ? NoteLevel::kWarn : NoteLevel::kInfo,
       "resync of " + NameOf(copy_) + " is put off: " + why, kNoteAgainMs);
  SetNote("put off: " + why);
  const uint64_t wait = uint64_t{config_.retry_ms} << std::min(failed_pauses_, 10u);
  retry_at_ms_ = env_->NowMs() + std::min(wait, std::max<uint64_t>(kMaxRetryMs, config_.retry_ms));
  next_copy_ = copy_ + 1;
  End();
}

void Resync::End() {
  const bool paused = state_ >= State::kDraining;
  ++attempt_;
  state_ = State::kIdle;
  if (paused) shard_->Resume();
}

void Resync::Note(NoteLevel level, const std::string& text, uint64_t again_ms) {
  const uint64_t now_ms = env_->NowMs();
  const auto noted = noted_ms_.find(text);
  if (noted != noted_ms_.end() && now_ms < noted->second + again_ms) return;
  if (noted_ms_.size() >= kMaxNoted) noted_ms_.clear();
  noted_ms_[text] = now_ms;
  env_->Note(level, "shard '" + shard_->info().name + "': " + text);
}

void Resync::SetNote(const std::string& note) { shard_->set_resync_note(copy_, note); }

}  // namespace gemel
