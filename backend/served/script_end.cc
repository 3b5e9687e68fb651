#include "backend/served/script_end.h"

#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr char kScript[] = "SCRIPT";
constexpr char kFunction[] = "FUNCTION";

// A reply to FUNCTION STATS: something runs.
bool TellsOfOne(std::string_view stats) {
  constexpr std::string_view kName = "*4\r\n$14\r\nrunning_script\r\n";
  return stats.starts_with(kName) && !stats.substr(kName.size()).starts_with("$-1");
}

}  // namespace

ScriptEnd::ScriptEnd(Shard* shard, ControlPort* port, ShardEnv* env)
    : shard_(shard), port_(port), env_(env), asked_(kMaxCopies) {
  shard_->nodes().set_killer([this](Request* request) {
    request->frame == kFunctionStats ? Look(request) : Kill(request);
  });
}

void ScriptEnd::Stop() {
  shard_->nodes().set_killer(nullptr);
  while (!killings_.empty()) {
    killings_.begin()->second.left = 0;
    Settle(killings_.begin());
  }
  while (!lookings_.empty()) {
    lookings_.begin()->second.left = 0;
    Settle(lookings_.begin());
  }
}

void ScriptEnd::ForgetCopy(uint32_t copy) {
  ++asked_[copy].round;
  asked_[copy].waits = false;
  for (auto it = killings_.begin(); it != killings_.end();) {
    const auto killing = it++;
    killing->second.left &= ~Bit(copy);
    Settle(killing);
  }
  for (auto it = lookings_.begin(); it != lookings_.end();) {
    const auto looking = it++;
    looking->second.left &= ~Bit(copy);
    Settle(looking);
  }
}

CopyMask ScriptEnd::Members() const {
  CopyMask members = 0;
  for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) {
    if (shard_->copies().IsMember(copy)) members |= Bit(copy);
  }
  return members;
}

void ScriptEnd::Kill(Request* request) {
  const uint64_t id = next_wish_++;
  const std::string kind(request->frame);
  const CopyMask asked = Members();
  Settle(killings_.try_emplace(id, Killing{request, asked, false, {}}).first);
  ForEachCopy(asked, [&](uint32_t copy) {
    port_->Command(copy, {kind, "KILL"}, alive_.Guard([this, id, copy](const ControlReply& reply) {
      OnKilled(id, copy, reply);
    }));
  });
}

void ScriptEnd::OnKilled(uint64_t id, uint32_t copy, const ControlReply& reply) {
  const auto found = killings_.find(id);
  if (found == killings_.end() || (found->second.left & Bit(copy)) == 0) return;
  Killing& killing = found->second;
  killing.left &= ~Bit(copy);
  if (reply.ok) {
    killing.ended = true;
    shard_->nodes().OnScriptEnded(copy);
  } else if (reply.refused && !reply.error.starts_with("NOTBUSY")) {
    killing.error = reply.error;
  }
  Settle(found);
}

void ScriptEnd::Settle(std::map<uint64_t, Killing>::iterator killing) {
  if (killing->second.left != 0) return;
  const Killing done = std::move(killing->second);
  killings_.erase(killing);
  std::string reply;
  if (done.ended) {
    AppendSimple(&reply, "OK");
  } else {
    AppendError(&reply,
                done.error.empty() ? "NOTBUSY No scripts in execution right now." : done.error);
  }
  done.request->sink->OnReply(done.request, Reply{reply, nullptr});
}

void ScriptEnd::Look(Request* request) {
  const uint64_t id = next_wish_++;
  const CopyMask asked = Members();
  Settle(lookings_.try_emplace(id, Looking{request, asked, {}}).first);
  ForEachCopy(asked, [&](uint32_t copy) {
    port_->Command(
        copy, {kFunction, std::string(kFunctionStats)},
        alive_.Guard([this, id, copy](const ControlReply& reply) { OnLook(id, copy, reply); }));
  });
}

void ScriptEnd::OnLook(uint64_t id, uint32_t copy, const ControlReply& reply) {
  const auto found = lookings_.find(id);
  if (found == lookings_.end() || (found->second.left & Bit(copy)) == 0) return;
  Looking& looking = found->second;
  looking.left &= ~Bit(copy);
  // Where a script runs that is no function, Redis says that it is busy.
  const bool busy = reply.refused && reply.error.starts_with("BUSY");
  if (busy || (reply.ok && TellsOfOne(reply.frame))) looking.left = 0;
  if (reply.ok && (looking.left == 0 || looking.answer.empty() || looking.answer[0] == '-')) {
    looking.answer = reply.frame;
  } else if (reply.refused && (busy || looking.answer.empty())) {
    looking.answer.clear();
    AppendError(&looking.answer, reply.error);
  }
  Settle(found);
}

void ScriptEnd::Settle(std::map<uint64_t, Looking>::iterator looking) {
  if (looking->second.left != 0) return;
  Looking done = std::move(looking->second);
  lookings_.erase(looking);
  if (done.answer.empty()) {
    AppendError(&done.answer, "ERR no node of shard '" + shard_->info().name + "' has answered");
  }
  done.request->sink->OnReply(done.request, Reply{done.answer, nullptr});
}

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
