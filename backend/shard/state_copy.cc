#include "backend/shard/state_copy.h"

#include <algorithm>
#include <utility>

#include "backend/command/block.h"
#include "backend/command/script_guard.h"
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

bool WasStopped(const StateJob& job, std::span<const std::string_view> elements) {
  for (const StateJob::Script& script : job.scripts) {
    if (script.command < elements.size() && IsStopped(elements[script.command])) return true;
  }
  return false;
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
  job.by_reply.rewrite = write.rewrite;
  job.by_reply.ask = write.ask;
  job.by_reply.before = write.ask_before;
  job.runs_code = write.runs_code;
  job.alone = write.alone;
  job.scripts.assign(write.scripts.begin(), write.scripts.end());
  job.copy = copy;
  locks_.Begin(id, job.session, job.alone);
  for (size_t i = 0; i < write.keys.size(); ++i) {
    const std::string_view key = write.keys[i];
    if (locks_.Lock(key, id)) job.keys.emplace_back(key);
    if (i < write.written) job.written = job.keys.size();
  }
  if (job.by_reply.rewrite != nullptr) {
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
  if (step == kUndoRead) ++job->undo.reads;
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
      job.queued.no_multi = IsError(reply);
      return;
    case kCommand:
      --job.in_flight;
      if (job.by_reply.rewrite != nullptr) {
        job.reply = reply;
        if (job.in_flight == 0) OnRewritable(&job, id);
      } else if (job.queued.full || job.queued.no_multi) {
        OnSingle(&job, id, reply);
      } else if (IsError(reply)) {
        job.queued.refusal = reply;
      }
      return;
    case kQueued:
      --job.in_flight;
      if (job.queued.full || job.queued.no_multi) {
        OnSingle(&job, id, reply);
        return;
      }
      if (!IsError(reply)) return;
      if (reply.starts_with("-ERR unknown command") && !states_.IsRelative(job.copy)) {
        states_.LearnRelative(job.copy);
        job.queued.learnt = true;
      } else if (job.queued.refusal.empty() && !job.queued.learnt) {
        job.queued.refusal = reply;
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
    case kTold:
      job.answers.emplace_back(reply);
      if (--job.in_flight == 0) OnTold(&job, id);
      return;
    case kUndo:
    case kUndoExec:
      --job.in_flight;
      OnUndo(&job, id, op.repair_step, reply);
      return;
    case kUndoRead:
      job.answers.emplace_back(reply);
      if (--job.undo.reads == 0) OnUndoRead(&job, id);
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
  if (op.repair_step == kUndoRead) {
    job.undo.failed = true;
    if (--job.undo.reads == 0) OnUndoRead(&job, id);
    return;
  }
  if (op.repair_step != kFollowExec) return;
  job.following.waiting &= ~Bit(copy);
  host_->OnFollowerLost(job.write, copy, job.frame);
  if (job.following.waiting != 0) return;
  Close(id);
  Opened();
}

// The connection to the first copy ended.
void StateCopy::OnFirstEnd(Job* job, uint32_t id) {
  if (!job->queued.refusal.empty()) {  // what was queued with an error is not executed
    Refuse(id, std::string(job->queued.refusal));
    return;
  }
  Op* write = job->write;
  const uint32_t copy = job->copy;
  const std::string frame =
      std::move(job->of_scripts.original.empty() ? job->frame : job->of_scripts.original);
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
    job->room.all += bytes;
    if (written) job->room.written += bytes;
  }
  if (job->in_flight > 0) return;
  if (job->room.written > kMaxMemory) {
    std::string error;
    AppendError(&error,
                "ERR the outcome of this write may differ from copy to copy, and its keys "
                "take " +
                    std::to_string(job->room.written >> 20) + " MB of memory: gemel copies " +
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
    if (memory_ > 0 && memory_ + job.room.written > kMaxMemory) return;
    no_room_.pop_front();
    job.room.counted = true;
    memory_ += job.room.written;
    Execute(&job, id);
  }
}

void StateCopy::Execute(Job* job, uint32_t id) {
  if (!host_->MayExecute(job->copy)) {
    OnFirstEnd(job, id);
    return;
  }
  job->sent = true;
  if (job->by_reply.rewrite != nullptr) {
    if (job->by_reply.before) SendQuestions(job, id);
    SendCommands(job, id);
    if (!job->by_reply.before) SendQuestions(job, id);
    return;
  }
  job->queued.singles.clear();
  if (!job->queued.full) Send(job, id, job->copy, kMulti, CommandFrame({"MULTI"}));
  SendCommands(job, id);
  size_t element = job->commands;
  uint8_t database = job->database;
  job->exec.states.clear();
  for (size_t i = 0; i < job->written; ++i) {
    const std::string& key = job->keys[i];
    if (DatabaseOf(key) != database) {
      database = DatabaseOf(key);
      Send(job, id, job->copy, kQueued, SelectFrame(database));
      ++element;
    }
    Send(job, id, job->copy, kQueued, StateFrames::AskDump(key));
    Send(job, id, job->copy, kQueued, states_.AskExpiry(job->copy, key));
    job->exec.states.push_back(element);
    element += 2;
  }
  if (database != job->database) {
    Send(job, id, job->copy, kQueued, SelectFrame(job->database));
    ++element;
  }
  job->exec.elements = element;
  if (!job->queued.full) Send(job, id, job->copy, kExec, CommandFrame({"EXEC"}));
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
  if (job->by_reply.ask == nullptr) return;
  std::vector<std::string_view> args;
  SplitFrame(job->frame, &args);
  std::vector<std::string> frames;
  job->by_reply.ask(args, &frames);
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
  const bool known = job->by_reply.rewrite({args, reply, job->answers}, &frames);
  if (!known) frames.clear();
  job->following.in_multi = frames.size() > 1;
  if (job->following.in_multi) {
    frames.insert(frames.begin(), CommandFrame({"MULTI"}));
    frames.push_back(CommandFrame({"EXEC"}));
  }
  Executed(job, id, reply, std::move(frames), known);
}

// The first copy's last word.
void StateCopy::OnExec(Job* job, uint32_t id, std::string_view reply) {
  if (job->queued.no_multi && IsBlock(job->frame)) {
    const uint32_t copy = job->copy;
    OnFirstEnd(job, id);
    host_->FailState(copy, "it does not take MULTI");
    return;
  }
  if (job->queued.no_multi && !job->scripts.empty() && !job->queued.singles.empty()) {
    const std::string direct = job->queued.singles.front();
    OnElements(job, id, direct, std::vector<std::string_view>{direct}, /*known=*/false);
    return;
  }
  if (job->queued.no_multi) {
    // Each was executed by itself, with nothing of the shard's in between.
    const std::string direct = job->queued.singles.empty() ? "" : job->queued.singles.front();
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
    } else if (job->queued.learnt && job->queued.refusal.empty()) {
      job->queued.learnt = job->sent = false;
      Execute(job, id);
    } else if (job->queued.refusal.starts_with("-OOM ") && job->runs_code) {
      job->queued.refusal.clear();
      job->sent = false;
      job->queued.full = true;
      Execute(job, id);
    } else {
      Refuse(id,
             job->queued.refusal.empty() ? std::string(reply) : std::string(job->queued.refusal));
    }
    return;
  }
  std::vector<std::string_view> elements;
  const bool known = SplitArray(reply, &elements) && elements.size() == job->exec.elements;
  OnElements(job, id, reply, elements, known);
}

void StateCopy::OnElements(Job* job, uint32_t id, std::string_view reply,
                           std::span<const std::string_view> elements, bool known) {
  job->following.frames.clear();
  job->following.known = known && AppendOwnStates(*job, elements, &job->following.frames);
  job->following.in_multi = true;
  if (job->alone) {
    OnReports(job, id, reply, elements);
  } else if (WasStopped(*job, elements)) {
    BeginUndo(job, id, elements);
  } else {
    const std::string answer = AnswerOf(job->frame, job->commands, reply, elements);
    Executed(job, id, answer, std::exchange(job->following.frames, {}), job->following.known);
  }
}

// Of the keys that the write declares; `elements`: what EXEC answered.
bool StateCopy::AppendOwnStates(const Job& job, std::span<const std::string_view> elements,
                                std::vector<std::string>* frames) const {
  std::vector<std::string_view> answers;
  for (const size_t state : job.exec.states) {
    answers.push_back(elements[state]);
    answers.push_back(elements[state + 1]);
  }
  return states_.Append(job.database, job.copy, std::span(job.keys).first(job.written), answers,
                        frames);
}

// Of what went without MULTI: in the place that it would have in EXEC's answer.
void StateCopy::OnSingle(Job* job, uint32_t id, std::string_view reply) {
  job->queued.singles.emplace_back(reply);
  if (!job->queued.full || job->in_flight != 0) return;
  const std::vector<std::string> singles = std::move(job->queued.singles);
  const std::vector<std::string_view> elements(singles.begin(), singles.end());
  OnElements(job, id, singles.front(), elements, /*known=*/true);
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

void StateCopy::Unlock(Job* job, uint32_t id) {
  if (!std::exchange(job->locked, false)) return;
  locks_.End(id, job->session, job->keys);
}

void StateCopy::Close(uint32_t id) {
  auto found = jobs_.find(id);
  Unlock(&found->second, id);
  if (found->second.room.counted) memory_ -= found->second.room.written;
  jobs_.erase(found);
}

// After an Unlock or a Close, once the host knows why.
void StateCopy::Opened() {
  TakeRoom();
  host_->OnStateUnlocked();
}

bool StateCopy::IsLarge(const Op& op) const {
  const auto found = jobs_.find(op.repair_job);
  return found != jobs_.end() && found->second.room.all >= kLarge;
}

std::string_view StateCopy::WorkOf(const Op& op) const {
  const auto found = jobs_.find(op.repair_job);
  if (found == jobs_.end() || op.repair_step != kExec) return {};
  return found->second.frame;
}

}  // namespace gemel
