#include "backend/resync/resync_core.h"

#include <algorithm>

#include "backend/resync/resync_by_keys.h"
#include "backend/resync/resync_handover.h"

namespace gemel {

namespace {

constexpr size_t kMaxNoted = 32;

// For messages: enough to know the command by, and never a password.
std::string CommandName(const std::vector<std::string>& args) {
  std::string name = args[0];
  if (name == "CONFIG" && args.size() > 2) name += " " + args[1] + " " + args[2];
  return name;
}

}  // namespace

ResyncCopies::ResyncCopies()
    : seen_empty(kMaxCopies),
      from_start(kMaxCopies),
      ours(kMaxCopies),
      scanned(kMaxCopies),
      in_vain(kMaxCopies),
      connected(kMaxCopies),
      waits_since_ms(kMaxCopies),
      notes(kMaxCopies) {}

void ResyncCopies::Forget(uint32_t copy) {
  seen_empty[copy] = false;
  from_start[copy] = false;
  ours[copy] = false;
  scanned[copy] = false;
  in_vain[copy] = {};
  connected[copy] = {};
  waits_since_ms[copy] = 0;
  notes[copy].clear();
}

void ResyncCore::Command(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  port->Command(copy, std::move(args),
                Guard([this, done = std::move(done)](const ControlReply& reply) {
                  if (const std::string why = Obstacle(); !why.empty()) {
                    Fail(why);
                  } else {
                    done(reply);
                  }
                }));
}

void ResyncCore::Demand(uint32_t copy, std::vector<std::string> args, ControlDone done) {
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

void ResyncCore::Prepare(uint32_t copy, std::vector<std::string> args, ControlDone done) {
  std::string what = CommandName(args) + " on " + NameOf(copy);
  Command(copy, std::move(args),
          [this, what = std::move(what), done = std::move(done)](const ControlReply& reply) {
            if (reply.ok) {
              done(reply);
            } else if (reply.refused && !PassesByItself(reply)) {
              by_keys->Go(what + " is refused (" + reply.error + ")");
            } else {
              Fail(what + ": " + reply.error);
            }
          });
}

// Whether the copy is still the process that the attempt began with, as far as is known. Its
// connection may have been lost on the way: a node that empties or loads a lot does not answer for
// a while.
bool ResyncCore::SameProcess() const {
  if (shard.ConnectionOf(at.copy) == at.connection) return true;
  return at.run_id != kHiddenRunId &&
         ProcessOf(shard.link(at.copy)->identity().run_id) == at.run_id;
}

std::string ResyncCore::Obstacle() const {
  if (shard.info().primary != at.primary) return "the primary changed";
  if (!shard.PrimaryReady()) return "the primary is not ready";
  if (shard.info().copies[at.copy].state == CopyState::kInSync) return "it is in sync already";
  if (shard.info().copies[at.copy].drained()) return "it is drained";
  if (shard.link(at.copy)->up() && !SameProcess()) return "it restarted";
  return {};
}

// Why the copy is not the replica that it was made, or empty.
std::string ResyncCore::NotOurReplica(const ReplicationInfo& seen) const {
  if (!seen.is_replica) return "it is no replica any more: it restarted, or somebody changed it";
  if (seen.host != at.host || seen.port != at.port_text) {
    return "somebody made it a replica of " + seen.host + ":" + seen.port;
  }
  return {};
}

void ResyncCore::PollLater(uint64_t after_ms) { at.next_poll_ms = env->NowMs() + after_ms; }

void ResyncCore::Fail(const std::string& why, uint64_t wait_ms) {
  const bool copied = at.state >= ResyncState::kScanning;
  Note(copied ? NoteLevel::kWarn : NoteLevel::kInfo,
       "resync of " + NameOf(at.copy) + " is put off: " + why, kNoteAgainMs);
  SetNote("put off: " + why);
  const uint64_t wait = uint64_t{config.retry_ms} << std::min(handover->failed_pauses(), 10u);
  retry_at_ms = env->NowMs() +
                std::max(wait_ms, std::min(wait, std::max<uint64_t>(kMaxRetryMs, config.retry_ms)));
  next_copy = at.copy + 1;
  End();
}

void ResyncCore::End() {
  const bool paused = at.state >= ResyncState::kDraining;
  if (paused && place != nullptr) place->Paused(env->NowMs() - handover->paused_ms());
  ++number;
  at.state = ResyncState::kIdle;
  place.reset();
  delay.PutBack();
  if (paused) shard.Resume();
}

void ResyncCore::Note(NoteLevel level, const std::string& text, uint64_t again_ms) {
  if (again_ms > 0) {
    const uint64_t now_ms = env->NowMs();
    const auto noted = copies.noted_ms.find(text);
    if (noted != copies.noted_ms.end() && now_ms < noted->second + again_ms) return;
    if (copies.noted_ms.size() >= kMaxNoted) copies.noted_ms.clear();
    copies.noted_ms[text] = now_ms;
  }
  env->Note(level, "shard '" + shard.info().name + "': " + text);
}

void ResyncCore::SetNote(const std::string& note) {
  // Whoever resyncs it changes its data.
  if (!note.empty()) shard.WillOverwrite(at.copy);
  copies.notes[at.copy] = note;
}

void ResyncCore::ShowProgress() {
  const ResyncProgress& progress = at.meter.progress();
  std::string text = progress.phase == kLoading ? "loading what came from " : "copying from ";
  text += NameOf(at.primary);
  if (const std::string far = ProgressText(progress); !far.empty()) text += ": " + far;
  SetNote(text);
  if (place != nullptr) place->Show(progress);
  if (at.meter.TakeLine(env->NowMs())) {
    Note(NoteLevel::kInfo, "resync of " + NameOf(at.copy) + ": " + text, 0);
  }
}

}  // namespace gemel
