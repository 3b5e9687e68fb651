#include "backend/shard/state_copy.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "backend/command/block.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// Of one write's keys, and of all that are under way (one is always let through): what is copied
// is in memory here for a moment.
constexpr int64_t kMaxMemory = int64_t{256} << 20;

bool IsError(std::string_view reply) { return reply[0] == '-'; }

std::string SelectFrame(uint8_t database) {
  return CommandFrame({"SELECT", std::to_string(database)});
}

// What the client gets of EXEC's reply: the answer to its command, or those to a block's.
std::string AnswerOf(const std::string& frame, size_t commands, std::string_view reply,
                     std::span<const std::string_view> elements) {
  if (elements.size() < commands) return std::string(reply);
  if (!IsBlock(frame)) return std::string(elements[0]);
  std::string answer;
  AppendArrayHeader(&answer, static_cast<int64_t>(commands));
  for (const std::string_view element : elements.first(commands)) answer += element;
  return answer;
}

// Keys of so much take a server more than a moment.
constexpr int64_t kLarge = int64_t{1} << 20;

}  // namespace

void StateCopy::Begin(const Write& write, uint32_t copy) {
  const uint32_t id = next_id_;
  next_id_ = id + 1 != 0 ? id + 1 : kFirstJob;
  Job& job = jobs_[id];
  job.write = write.op;
  job.session = write.session;
  job.database = write.database;
  job.frame = write.frame;
  job.first = write.first;
  job.rewrite = write.rewrite;
  job.ask = write.ask;
  job.ask_before = write.ask_before;
  job.runs_code = write.runs_code;
  job.copy = copy;
  ++sessions_[job.session];
  for (size_t i = 0; i < write.keys.size(); ++i) {
    const std::string_view key = write.keys[i];
    if (keys_.try_emplace(std::string(key), id).second) job.keys.emplace_back(key);
    if (i < write.written) job.written = job.keys.size();
  }
  if (job.rewrite != nullptr) {
    Execute(&job, id);
    return;
  }
  // First how large they are: a DUMP of gigabytes would stop the node. Nobody changes them from
  // here on.
  const std::vector<std::string> keys = job.keys;
  const size_t written = job.written;
  for (size_t i = 0; i < keys.size(); ++i) {
    SendIn(DatabaseOf(keys[i]), &job, id, copy, i < written ? kSize : kSizeOfRead,
           CommandFrame({"MEMORY", "USAGE", KeyOf(keys[i])}));
  }
}

void StateCopy::SendIn(uint8_t database, Job* job, uint32_t id, uint32_t copy, Step step,
                       std::string_view frame) {
  Op* op = host_->NewStateOp();
  op->database = database;
  op->repair_job = id;
  op->repair_step = step;
  if (step < kFollow) ++job->in_flight;
  host_->SendState(copy, op, frame);
}

void StateCopy::OnReply(uint32_t copy, const Op& op, std::string_view reply) {
  const uint32_t id = op.repair_job;
  auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  switch (op.repair_step) {
    case kSize:
    case kSizeOfRead:
      OnSize(&job, id, op.repair_step == kSize, reply);
      return;
    case kMulti:
      --job.in_flight;
      job.no_multi = IsError(reply);
      return;
    case kCommand:
      --job.in_flight;
      if (job.rewrite != nullptr) {
        job.reply = reply;
        if (job.in_flight == 0) OnRewritable(&job, id);
      } else if (job.full || job.no_multi) {
        OnSingle(&job, id, reply);
      } else if (IsError(reply)) {
        job.refusal = reply;
      }
      return;
    case kQueued:
      --job.in_flight;
      if (job.full || job.no_multi) {
        OnSingle(&job, id, reply);
        return;
      }
      if (!IsError(reply)) return;
      if (reply.starts_with("-ERR unknown command") && (relative_ & Bit(job.copy)) == 0) {
        relative_ |= Bit(job.copy);
        job.learnt = true;
      } else if (job.refusal.empty() && !job.learnt) {
        job.refusal = reply;
      }
      return;
    case kExec:
      --job.in_flight;
      OnExec(&job, id, reply);
      return;
    case kAsked:
      job.answers.emplace_back(reply);
      if (--job.in_flight == 0) OnRewritable(&job, id);
      return;
    default:
      OnFollow(&job, id, copy, op, reply);
  }
}

void StateCopy::OnLost(uint32_t copy, const Op& op) {
  const uint32_t id = op.repair_job;
  auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  if (op.repair_step < kFollow) {
    --job.in_flight;
    job.lost = true;
    if (job.in_flight == 0) OnFirstEnd(&job, id);
    return;
  }
  if (op.repair_step != kFollowExec) return;
  job.waiting &= ~Bit(copy);
  host_->OnFollowerLost(job.write, copy, job.frame);
  if (job.waiting != 0) return;
  Close(id);
  Opened();
}

// The connection to the first copy ended.
void StateCopy::OnFirstEnd(Job* job, uint32_t id) {
  if (!job->refusal.empty()) {  // what was queued with an error is not executed
    Refuse(id, std::string(job->refusal));
    return;
  }
  Op* write = job->write;
  const uint32_t copy = job->copy;
  const std::string frame = std::move(job->frame);
  const bool sent = job->sent;
  Close(id);
  host_->OnFirstLost(write, copy, frame, sent);
  Opened();
}

// An estimate, which a server before 4.0 does not have.
void StateCopy::OnSize(Job* job, uint32_t id, bool written, std::string_view reply) {
  --job->in_flight;
  int64_t bytes = 0;
  if (reply[0] == ':' && ParseInteger(ReplyText(reply), &bytes)) {
    job->looked_at += bytes;
    if (written) job->memory += bytes;
  }
  if (job->in_flight > 0) return;
  if (job->memory > kMaxMemory) {
    std::string error;
    AppendError(&error,
                "ERR the outcome of this write may differ from copy to copy, and its keys "
                "take " +
                    std::to_string(job->memory >> 20) + " MB of memory: gemel copies " +
                    std::to_string(kMaxMemory >> 20) + " MB at most after such a write");
    Refuse(id, error);
    return;
  }
  no_room_.push_back(id);
  TakeRoom();
}

// Lets those go on for whose keys there is room, in their order.
void StateCopy::TakeRoom() {
  while (!no_room_.empty()) {
    const uint32_t id = no_room_.front();
    Job& job = jobs_.at(id);
    if (memory_ > 0 && memory_ + job.memory > kMaxMemory) return;
    no_room_.pop_front();
    job.has_room = true;
    memory_ += job.memory;
    Execute(&job, id);
  }
}

void StateCopy::Execute(Job* job, uint32_t id) {
  if (!host_->MayExecute(job->copy)) {
    OnFirstEnd(job, id);
    return;
  }
  job->sent = true;
  if (job->rewrite != nullptr) {
    if (job->ask_before) SendQuestions(job, id);
    SendCommands(job, id);
    if (!job->ask_before) SendQuestions(job, id);
    return;
  }
  job->singles.clear();
  if (!job->full) Send(job, id, job->copy, kMulti, CommandFrame({"MULTI"}));
  SendCommands(job, id);
  const bool relative = (relative_ & Bit(job->copy)) != 0;
  size_t element = job->commands;
  uint8_t database = job->database;
  job->states.clear();
  for (size_t i = 0; i < job->written; ++i) {
    const std::string& key = job->keys[i];
    if (DatabaseOf(key) != database) {
      database = DatabaseOf(key);
      Send(job, id, job->copy, kQueued, SelectFrame(database));
      ++element;
    }
    Send(job, id, job->copy, kQueued, CommandFrame({"DUMP", KeyOf(key)}));
    Send(job, id, job->copy, kQueued,
         CommandFrame({relative ? "PTTL" : "PEXPIRETIME", KeyOf(key)}));
    job->states.push_back(element);
    element += 2;
  }
  if (database != job->database) {
    Send(job, id, job->copy, kQueued, SelectFrame(job->database));
    ++element;
  }
  job->elements = element;
  if (!job->full) Send(job, id, job->copy, kExec, CommandFrame({"EXEC"}));
}

void StateCopy::SendCommands(Job* job, uint32_t id) {
  const std::string& frame = job->first.empty() ? job->frame : job->first;
  job->commands = 1;
  if (!IsBlock(frame)) {
    Send(job, id, job->copy, kCommand, frame);
    return;
  }
  job->commands = 0;
  std::vector<std::string_view> args;
  for (std::string_view rest = InsideOf(frame); !rest.empty(); ++job->commands) {
    args.clear();
    const size_t size = SplitNext(rest, &args);
    Send(job, id, job->copy, kCommand, rest.substr(0, size));
    rest.remove_prefix(size);
  }
}

// Right behind the command, or before it: nobody else reaches its keys in between.
void StateCopy::SendQuestions(Job* job, uint32_t id) {
  if (job->ask == nullptr) return;
  std::vector<std::string_view> args;
  SplitFrame(job->frame, &args);
  std::vector<std::string> frames;
  job->ask(args, &frames);
  for (const std::string& frame : frames) Send(job, id, job->copy, kAsked, frame);
}

// All that the rewrite needs is there.
void StateCopy::OnRewritable(Job* job, uint32_t id) {
  const std::string reply = std::move(job->reply);
  if (IsError(reply)) {  // a single command: it has done nothing
    Refuse(id, reply);
    return;
  }
  std::vector<std::string_view> args;
  SplitFrame(job->frame, &args);
  std::vector<std::string> frames;
  const bool known = job->rewrite({args, reply, job->answers}, &frames);
  if (!known) frames.clear();
  job->in_multi = frames.size() > 1;
  if (job->in_multi) {
    frames.insert(frames.begin(), CommandFrame({"MULTI"}));
    frames.push_back(CommandFrame({"EXEC"}));
  }
  Executed(job, id, reply, std::move(frames), known);
}

// The first copy's last word.
void StateCopy::OnExec(Job* job, uint32_t id, std::string_view reply) {
  if (job->no_multi && IsBlock(job->frame)) {
    const uint32_t copy = job->copy;
    OnFirstEnd(job, id);
    host_->FailState(copy, "it does not take MULTI");
    return;
  }
  if (job->no_multi) {
    // Each was executed by itself, with nothing of the shard's in between.
    const std::string direct = job->singles.empty() ? "" : job->singles.front();
    if (direct.empty() || IsError(direct)) {
      Refuse(id, direct.empty() ? reply : std::string_view(direct));
    } else {
      Executed(job, id, direct, {}, /*known=*/false);
    }
    return;
  }
  if (IsError(reply)) {
    if (!reply.starts_with("-EXECABORT")) {
      const uint32_t copy = job->copy;
      const std::string why = "it does not execute EXEC: " + std::string(ReplyText(reply));
      Refuse(id, reply);
      host_->FailState(copy, why);  // it would queue whatever it is sent
    } else if (job->learnt && job->refusal.empty()) {
      job->learnt = job->sent = false;
      Execute(job, id);
    } else if (job->refusal.starts_with("-OOM ") && job->runs_code) {
      job->refusal.clear();
      job->sent = false;
      job->full = true;
      Execute(job, id);
    } else {
      Refuse(id, job->refusal.empty() ? std::string(reply) : std::string(job->refusal));
    }
    return;
  }
  std::vector<std::string_view> elements;
  const bool known = SplitArray(reply, &elements) && elements.size() == job->elements;
  const std::string answer = AnswerOf(job->frame, job->commands, reply, elements);
  std::vector<std::string> frames;
  if (known) frames = FramesOfState(*job, elements);
  const bool all = !frames.empty();
  job->in_multi = true;
  Executed(job, id, answer, std::move(frames), all);
}

// Of what went without MULTI: in the place that it would have in EXEC's answer.
void StateCopy::OnSingle(Job* job, uint32_t id, std::string_view reply) {
  job->singles.emplace_back(reply);
  if (!job->full || job->in_flight != 0) return;
  const std::vector<std::string> singles = std::move(job->singles);
  const std::vector<std::string_view> elements(singles.begin(), singles.end());
  std::vector<std::string> frames = FramesOfState(*job, elements);
  const bool known = !frames.empty();
  job->in_multi = true;
  Executed(job, id, singles.front(), std::move(frames), known);
}

// DUMP and the expiry of each key, in turn. Empty if one of them failed.
std::vector<std::string> StateCopy::FramesOfState(
    const Job& job, std::span<const std::string_view> elements) const {
  const bool relative = (relative_ & Bit(job.copy)) != 0;
  std::vector<std::string> frames = {CommandFrame({"MULTI"})};
  uint8_t database = job.database;
  const auto select = [&](uint8_t wanted) {
    if (std::exchange(database, wanted) != wanted) frames.push_back(SelectFrame(wanted));
  };
  for (size_t i = 0; i < job.written; ++i) {
    const std::string_view dump = elements[job.states[i]];
    const std::string_view expires = elements[job.states[i] + 1];
    const std::string_view payload = ReplyText(dump);
    int64_t expiry_ms = 0;
    if (IsError(dump) || IsError(expires) || !ParseInteger(ReplyText(expires), &expiry_ms)) {
      return {};
    }
    select(DatabaseOf(job.keys[i]));
    if (payload.empty() || expiry_ms == -2) {
      frames.push_back(CommandFrame({"DEL", KeyOf(job.keys[i])}));
      continue;
    }
    std::string expiry = "0";
    if (expiry_ms >= 0) expiry = std::to_string(std::max<int64_t>(expiry_ms, 1));
    std::vector<std::string_view> restore = {"RESTORE", KeyOf(job.keys[i]), expiry, payload,
                                             "REPLACE"};
    if (!relative && expiry_ms >= 0) {
      restore.push_back("ABSTTL");
      host_->OnExpiryTime(job.keys[i], expiry_ms);
    }
    frames.push_back(CommandFrame(restore));
  }
  select(job.database);
  frames.push_back(CommandFrame({"EXEC"}));
  return frames;
}

void StateCopy::Executed(Job* job, uint32_t id, std::string_view reply,
                         std::vector<std::string> frames, bool known) {
  Op* write = job->write;
  const CopyMask targets = host_->OnExecuted(write, job->copy, job->frame, reply, known);
  job->waiting = targets;
  for (CopyMask rest = targets; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    if (frames.empty()) {  // it had no effect
      job->waiting &= ~Bit(copy);
      host_->OnFollowed(write, copy, job->frame);
      continue;
    }
    for (size_t i = 0; i < frames.size(); ++i) {
      Send(job, id, copy, i + 1 == frames.size() ? kFollowExec : kFollow, frames[i]);
    }
  }
  // Whatever comes for these keys is behind that from here on.
  if (job->waiting != 0) {
    Unlock(job);
  } else {
    Close(id);
  }
  Opened();
}

void StateCopy::OnFollow(Job* job, uint32_t id, uint32_t copy, const Op& op,
                         std::string_view reply) {
  std::string& complaint = job->complaints[copy];
  if (op.repair_step == kFollow) {
    if (IsError(reply) && complaint.empty()) complaint = reply;
    return;
  }
  std::vector<std::string_view> elements;
  bool stuck = false;
  if (IsError(reply)) {
    stuck = job->in_multi && !reply.starts_with("-EXECABORT") && complaint.empty();
    if (complaint.empty()) complaint = reply;
  } else if (job->in_multi && SplitArray(reply, &elements)) {
    for (const std::string_view element : elements) {
      if (IsError(element) && complaint.empty()) complaint = element;
    }
  }
  job->waiting &= ~Bit(copy);
  if (complaint.empty()) {
    host_->OnFollowed(job->write, copy, job->frame);
  } else {
    host_->OnNotFollowed(job->write, copy, job->frame, complaint);
  }
  if (stuck) host_->FailState(copy, "it does not execute EXEC: " + std::string(ReplyText(reply)));
  // What that handed back may have closed it.
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.waiting != 0) return;
  Close(id);
  Opened();
}

void StateCopy::Refuse(uint32_t id, std::string_view error) {
  const Job& job = jobs_.at(id);
  Op* write = job.write;
  const uint32_t copy = job.copy;
  const std::string frame = job.frame;
  const std::string reply(error);
  Close(id);
  host_->OnNotExecuted(write, copy, frame, reply);
  Opened();
}

void StateCopy::Unlock(Job* job) {
  if (!std::exchange(job->locked, false)) return;
  for (const std::string& key : job->keys) keys_.erase(key);
  if (auto session = sessions_.find(job->session); --session->second == 0) sessions_.erase(session);
}

void StateCopy::Close(uint32_t id) {
  auto found = jobs_.find(id);
  Unlock(&found->second);
  if (found->second.has_room) memory_ -= found->second.memory;
  jobs_.erase(found);
}

// After an Unlock or a Close, once the host knows why.
void StateCopy::Opened() {
  TakeRoom();
  host_->OnStateUnlocked();
}

bool StateCopy::IsLarge(const Op& op) const {
  const auto found = jobs_.find(op.repair_job);
  return found != jobs_.end() && found->second.looked_at >= kLarge;
}

std::string_view StateCopy::WorkOf(const Op& op) const {
  const auto found = jobs_.find(op.repair_job);
  if (found == jobs_.end() || op.repair_step != kExec) return {};
  return found->second.frame;
}

}  // namespace gemel
