// Of StateCopy: scripts that change keys which they did not declare.

#include <set>
#include <utility>

#include "backend/command/block.h"
#include "backend/command/script_guard.h"
#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/state_copy.h"

namespace gemel {

namespace {

// Of all that scripts of one write say that they changed; above it the keys are made equal one by
// one, or the other copies leave.
constexpr int64_t kMaxTold = int64_t{256} << 20;

// The script's command, with these keys behind its own.
void AppendWithKeys(std::span<const std::string_view> args, std::span<const std::string> keys,
                    std::string* out) {
  int64_t count = 0;
  if (args.size() < 3 || !ParseInteger(args[2], &count) || count < 0 ||
      static_cast<uint64_t>(count) > args.size() - 3) {
    AppendCommand(out, args);
    return;
  }
  const std::string all = std::to_string(static_cast<size_t>(count) + keys.size());
  std::vector<std::string_view> command(args.begin(), args.begin() + 3 + count);
  command[2] = all;
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), args.begin() + 3 + count, args.end());
  AppendCommand(out, command);
}

// The client's answer. What the scripts changed is in the job's frame from here on.
std::string TakeReports(StateJob* job, std::span<const std::string_view> elements,
                        int64_t* memory) {
  const bool block = IsBlock(job->frame);
  std::string answer;
  std::string frame;
  if (block) {
    AppendArrayHeader(&answer, static_cast<int64_t>(job->commands));
    frame = kMultiFrame;
  }
  std::set<std::string> told;
  std::vector<std::string_view> args;
  std::string_view rest = block ? InsideOf(job->frame) : std::string_view(job->frame);
  auto script = job->scripts.begin();
  for (size_t i = 0; i < job->commands; ++i) {
    args.clear();
    const size_t size = SplitNext(rest, &args);
    if (script == job->scripts.end() || script->command != i) {
      answer += elements[i];
      frame += rest.substr(0, size);
    } else {
      const ScriptReport report = ReadScriptReport(elements[i]);
      answer += report.reply;
      *memory += report.memory;
      AppendWithKeys(args, report.keys, &frame);
      for (const std::string& key : report.keys) told.insert(MakeKeyName(script->database, key));
      ++script;
    }
    rest.remove_prefix(size);
  }
  if (block) frame += kExecFrame;
  if (!told.empty()) {
    job->of_scripts.original = std::exchange(job->frame, std::move(frame));
    job->of_scripts.told.assign(told.begin(), told.end());
  }
  return answer;
}

}  // namespace

// Their state is asked for next: nobody changes them, for all keys are locked.
void StateCopy::OnReports(Job* job, uint32_t id, std::string_view reply,
                          std::span<const std::string_view> elements) {
  int64_t memory = 0;
  job->reply =
      elements.size() < job->commands ? std::string(reply) : TakeReports(job, elements, &memory);
  if (memory > kMaxTold) job->following.known = false;
  if (job->of_scripts.told.empty() || !job->following.known) {
    const std::string answer = std::move(job->reply);
    if (!job->following.known) job->following.frames.clear();
    Executed(job, id, answer, std::exchange(job->following.frames, {}), job->following.known);
    return;
  }
  if (!host_->MayExecute(job->copy)) {
    OnFirstEnd(job, id);
    return;
  }
  job->answers.clear();
  const std::vector<std::string> told = job->of_scripts.told;
  for (const std::string& key : told) {
    const uint8_t database = DatabaseOf(key);
    SendIn(database, job, id, job->copy, kTold, StateFrames::AskDump(key));
    SendIn(database, job, id, job->copy, kTold, states_.AskExpiry(job->copy, key));
  }
}

void StateCopy::OnTold(Job* job, uint32_t id) {
  const std::vector<std::string_view> answers(job->answers.begin(), job->answers.end());
  std::vector<std::string> frames = std::exchange(job->following.frames, {});
  const bool known =
      states_.Append(job->database, job->copy, job->of_scripts.told, answers, &frames);
  const std::string answer = std::move(job->reply);
  Executed(job, id, answer, std::move(frames), known);
}

// The other copy has nothing of what the stopped script did, and its keys are locked.
void StateCopy::BeginUndo(Job* job, uint32_t id, std::span<const std::string_view> elements) {
  std::string answer;
  if (IsBlock(job->frame)) AppendArrayHeader(&answer, static_cast<int64_t>(job->commands));
  for (size_t i = 0; i < job->commands; ++i) answer += WithoutStop(elements[i]);
  job->reply = std::move(answer);
  job->answers.clear();
  job->undo.failed = false;
  const uint32_t from = host_->OnStopped(job->copy, job->frame);
  if (from == kNoCopy || job->queued.no_multi) {
    job->undo.failed = true;
    OnUndoRead(job, id);
    return;
  }
  const std::vector<std::string> keys(job->keys.begin(),
                                      job->keys.begin() + static_cast<ptrdiff_t>(job->written));
  job->undo.from = from;
  ++job->undo.reads;  // until all are asked for
  for (const std::string& key : keys) {
    const uint8_t database = DatabaseOf(key);
    SendIn(database, job, id, from, kUndoRead, StateFrames::AskDump(key));
    SendIn(database, job, id, from, kUndoRead, states_.AskExpiry(from, key));
  }
  if (--job->undo.reads == 0) OnUndoRead(job, id);
}

void StateCopy::OnUndoRead(Job* job, uint32_t id) {
  const std::vector<std::string_view> answers(job->answers.begin(), job->answers.end());
  const auto written = std::span(job->keys).first(job->written);
  std::vector<std::string> frames;
  const bool known =
      !job->undo.failed && states_.Append(job->database, job->undo.from, written, answers, &frames);
  if (!known) {
    const std::string answer = std::move(job->reply);
    Executed(job, id, answer, std::exchange(job->following.frames, {}), job->following.known);
    return;
  }
  if (!host_->MayExecute(job->copy)) {
    OnFirstEnd(job, id);
    return;
  }
  for (size_t i = 0; i < frames.size(); ++i) {
    Send(job, id, job->copy, i + 1 == frames.size() ? kUndoExec : kUndo, frames[i]);
  }
}

void StateCopy::OnUndo(Job* job, uint32_t id, uint8_t step, std::string_view reply) {
  bool bad = reply.starts_with('-');
  if (step == kUndoExec && !bad) {
    std::vector<std::string_view> elements;
    bad = !SplitArray(reply, &elements);
    for (const std::string_view element : elements) bad |= element.starts_with('-');
  }
  job->undo.failed |= bad;
  if (step != kUndoExec) return;
  if (job->undo.failed) {
    const uint32_t copy = job->copy;
    OnFirstEnd(job, id);
    host_->FailState(copy, "it does not take back what a script did");
    return;
  }
  Op* write = job->write;
  const std::string frame = std::move(job->frame);
  Close(id);
  host_->OnUndone(write, frame);
  Opened();
}

}  // namespace gemel
