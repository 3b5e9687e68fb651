#include "backend/served/script_end.h"

namespace gemel {

namespace {

constexpr char kScript[] = "SCRIPT";
constexpr char kFunction[] = "FUNCTION";

}  // namespace

ScriptEnd::ScriptEnd(Shard* shard, ControlPort* port, ShardEnv* env)
    : shard_(shard), port_(port), env_(env), asked_(kMaxCopies) {}

void ScriptEnd::Tick(uint32_t copy) {
  if (shard_->nodes().TakeEndScriptWish(copy) && !asked_[copy].waits) Ask(copy, kScript);
}

void ScriptEnd::Ask(uint32_t copy, const char* kind) {
  asked_[copy].waits = true;
  port_->Command(
      copy, {kind, "KILL"},
      alive_.Guard([this, copy, kind, round = asked_[copy].round](const ControlReply& reply) {
        if (asked_[copy].round == round) OnReply(copy, kind, reply);
      }));
}

void ScriptEnd::OnReply(uint32_t copy, const char* kind, const ControlReply& reply) {
  asked_[copy].waits = false;
  if (reply.error.starts_with("BUSY") && kind == kScript) {
    Ask(copy, kFunction);  // it is none of EVAL's
    return;
  }
  if (!reply.ok && (!reply.refused || reply.error.starts_with("NOTBUSY"))) return;
  if (reply.ok) shard_->nodes().OnScriptEnded(copy);
  std::string note = "shard '" + shard_->info().name + "': node " + shard_->link(copy)->name();
  note += reply.ok ? " was told to end a script that took longer than [timeouts] request_ms"
                   : " runs a script for longer than [timeouts] request_ms and does not end it: " +
                         reply.error;
  if (!reply.ok && note == noted_) return;
  noted_ = note;
  env_->Note(NoteLevel::kWarn, note);
}

}  // namespace gemel
