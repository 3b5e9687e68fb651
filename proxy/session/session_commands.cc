#include "proxy/session/session_commands.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "backend/command/ascii.h"
#include "backend/command/blocking.h"
#include "backend/command/script_guard.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/node_abilities.h"
#include "proxy/channels/channel_registry.h"
#include "proxy/seen/monitor_line.h"
#include "proxy/session/errors.h"
#include "proxy/session/keyless_script.h"
#include "proxy/session/plan_runner.h"
#include "proxy/session/publish_wait.h"
#include "proxy/session/sent_as.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// What a browser sends that a web page has told to talk to us (CVE-2016-10517): the first word of
// its request, or of the header that comes before all that the page may choose. As Redis does it, a
// NUL ends the word.
bool IsBrowsers(std::string_view word) {
  constexpr std::string_view kHeader = "host:";
  return EqualsLower(word.substr(0, word.find('\0')), "post") ||
         EqualsLower(word.substr(0, kHeader.size()), kHeader);
}

// Counts a command that is handled; one that is to be read again was none.
class Counted {
 public:
  Counted(SessionFacts* facts, WorkerStats* stats) : facts_(facts), stats_(stats) {
    ++facts->commands;
    stats->commands.Add(1);
  }
  bool NotYet() {
    --facts_->commands;
    stats_->commands.Sub(1);
    return false;
  }

 private:
  SessionFacts* facts_;
  WorkerStats* stats_;
};

}  // namespace

SessionCommands::SessionCommands(Session* session, const Parts& parts)
    : session_(*session),
      context_(parts.context),
      input_(*parts.input),
      facts_(*parts.facts),
      state_(*parts.state),
      replies_(*parts.replies),
      pace_(*parts.pace),
      waits_(*parts.waits) {}

bool SessionCommands::Take() {
  Request* const last = replies_.last();
  try {
    const bool watched = context_->monitor->any();
    if (watched && !Draft()) [[unlikely]]
      return true;
    const bool handled = Handle(input_.reader().frame());
    if (watched) [[unlikely]]
      TellDraft(handled);
    if (handled) state_.reply_mode.Next();
    return handled;
  } catch (const std::bad_alloc&) {
    Request* const now = replies_.last();
    if (now == last || now == nullptr) {
      TellError(kNoMemory);
    } else if (!now->submitted && !now->answered) {
      replies_.AnswerNoMemory(now);
    } else {
      replies_.out().Overrun();  // it is not known how far it went: the connection ends
    }
    return true;
  }
}

bool SessionCommands::Handle(std::string_view frame) {
  SessionContext& context = *context_;
  Counted counted(&facts_, context.stats);
  const CommandRow* row = context.memo.Find(context.pool->names(), context.args);
  std::string renamed;
  if (row == nullptr) [[unlikely]] {
    row = FindOtherwise(&renamed);
    if (row == nullptr) return true;
    frame = renamed;
  }
  facts_.last_command = row;
  if (!ArityFits(*row, context.args.size())) [[unlikely]] {
    Reject(row, ArityError(*row));
    return true;
  }
  if (!state_.access.let_in() && !MayGoOn(*row)) [[unlikely]]
    return true;
  if (context.pause.active() && MayWriteNow(*row)) [[unlikely]]
    return counted.NotYet();
  if (state_.subscriptions.any()) [[unlikely]] {
    if (replies_.StopsBehindSubscriptions(*row)) return counted.NotYet();
    if ((row->flags & kCmdInSubscriber) == 0 && !state_.protocol.is_resp3()) {
      RejectInSubscriber(*row);
      return true;
    }
  }
  if (state_.transaction.open() && (row->flags & kCmdNotQueued) == 0) [[unlikely]] {
    Queue(*row, frame);
    return true;
  }
  if (state_.tracking.on()) [[unlikely]]
    return HandleTracked(*row, frame) || counted.NotYet();
  if (!HasShortPlan(*row)) return HandleByPlan(*row, frame) || counted.NotYet();
  const std::string_view key = context.args[1];
  const ShortPlan plan = MakeShortPlan(*context.pool, *row, key);
  ReadFence::Mark mark = 0;
  if (plan.request == RequestKind::kRead) {
    mark = ReadFence::MarkOf(key);
  } else if (plan.refused) [[unlikely]] {
    Refuse(*row, RefusalAsWrite(*row));
    return true;
  } else if (replies_.stops().Blocks(ReadFence::MarkOf(key))) [[unlikely]] {
    replies_.stops().StopAtFence();
    return counted.NotYet();
  } else if (context.channels->under_way().about_keys() &&
             WaitToWrite(&context, &replies_, &state_, plan.shard)) [[unlikely]] {
    return counted.NotYet();
  }
  PlanRunner(context_, &replies_, &pace_, &input_, *row, frame)
      .SendOne(plan.shard, plan.request, mark);
  return true;
}

// Of a client that has not given the password; else it has been answered.
bool SessionCommands::MayGoOn(const CommandRow& row) {
  switch (state_.access.Judge(row)) {
    case Access::Verdict::kServed:
      return true;
    case Access::Verdict::kPasswordFirst:
      Reject(&row, "NOAUTH Authentication required.");
      return false;
    case Access::Verdict::kTurnedAway:
      session_.CloseAfterReplies();
      TellError(state_.access.TurnAway());
      return false;
  }
  return false;
}

// A command that has another name here, and *frame is it by its own; null: there is none, and the
// client has been answered.
const CommandRow* SessionCommands::FindOtherwise(std::string* frame) {
  SessionContext& context = *context_;
  if (IsBrowsers(context.args[0])) {
    state_.access.NoteCutOff();
    carried_out_ = false;
    session_.CutOff();
    return nullptr;
  }
  const CommandRow* row =
      context.pool->names().FindOtherwise(&context.args, state_.access.local_peer());
  if (row == nullptr) {
    Reject(nullptr, context.pool->names().NotFoundError(context.args));
  } else {
    *frame = CommandFrame(context.args);
  }
  return row;
}

// CLIENT CACHING is for the command behind it, or for all of a transaction.
bool SessionCommands::HandleTracked(const CommandRow& row, std::string_view frame) {
  const bool handled = HandleByPlan(row, frame);
  const bool keeps = (row.flags & kCmdKeepsCaching) != 0;
  if (handled && !keeps && !state_.transaction.open()) state_.tracking.EndCaching();
  return handled;
}

bool SessionCommands::HandleByPlan(const CommandRow& client_row, std::string_view asked_frame) {
  std::string_view frame = asked_frame;
  SessionContext& context = *context_;
  const SentAs sent = Translate(&context, client_row, nullptr);
  if (!sent.error.empty()) {
    ReplyError(sent.error);
    return true;
  }
  const CommandRow& row = *sent.row;
  bool& waited = state_.waited_for_subscriptions;
  waited =
      !waited &&
      (context.channels->under_way().any() || MayBeAheadOfSubscriptions(context, state_, row)) &&
      WaitForSubscriptions(&context, &replies_, &state_, row, MayWriteNow(row));
  if (waited) [[unlikely]]
    return false;
  if (!sent.frame.empty()) frame = sent.frame;
  Plan& plan = context.plan;
  MakePlan(*context.pool, row, context.args, &plan);
  plan.by_cursor = sent.by_cursor;
  RefuseUnknownFunction(context, sent, &plan);
  switch (plan.kind) {
    case Plan::Kind::kLocal:
      if ((row.flags & kCmdAfterAll) != 0 && replies_.StopsBehindAll()) return false;
      begun_us_ = row.MayTakeLong() ? context.seen->ClockUs() : 0;
      context.local->Run(session_, row, context.args);
      begun_us_ = 0;
      return !state_.access.TakePutOff() && !replies_.stops().fenced();
    case Plan::Kind::kRefused:
      Refuse(row, plan.error);
      return true;
    case Plan::Kind::kAnswered:
      ReplyNow(plan.answer);
      return true;
    case Plan::Kind::kOneShard:
    case Plan::Kind::kByKey:
    case Plan::Kind::kEachShard:
    case Plan::Kind::kCursor:
      break;
  }
  if (!MayConfine(context, row, plan)) {
    Reject(&client_row, kCannotConfine);
    return true;
  }
  if (plan.confined) return RunKeyless(client_row, row, plan, asked_frame);
  const std::string call = FreeCall(context, row, plan);
  if (!call.empty()) frame = call;
  const bool as_asked = frame.data() == asked_frame.data() && &row == &client_row;
  PlanRunner runner(context_, &replies_, &pace_, &input_, row, frame,
                    as_asked ? nullptr : &client_row, asked_frame);
  if (state_.tracking.on()) [[unlikely]]
    runner.Track(state_.tracking.Remembers() && ReadsForClient(row));
  if (runner.StopsAtFence(plan)) {
    replies_.stops().StopAtFence();
    return false;
  }
  if (plan.may_wait) {
    pace_.Sent(plan.shard);
    waits_.ForKeys(row, frame, plan.shard, plan.timeout_ms,
                   state_.tracking.Remembers() && ReadsForClient(row));
    return true;
  }
  runner.Send(plan, static_cast<uint32_t>(facts_.commands * 0x9e3779b97f4a7c15ull >> 40));
  return true;
}

// What comes behind it may be about what it changes, which is known when it has answered.
bool SessionCommands::RunKeyless(const CommandRow& client_row, const CommandRow& row,
                                 const Plan& plan, std::string_view asked_frame) {
  if (replies_.stops().Blocks(ReadFence::kAnyKey)) {
    replies_.stops().StopAtFence();
    return false;
  }
  Request* place = Reserve(&row);
  replies_.account().Note(place, &client_row, asked_frame);
  place->holds_pushes = state_.tracking.on();
  Await(place);
  KeylessScript::Begin(&session_, place, row, plan);
  return true;
}

void SessionCommands::Queue(const CommandRow& row, std::string_view frame) {
  SessionContext& context = *context_;
  QueuedBlock& block = state_.transaction.block();
  if ((row.flags & kCmdNoMulti) != 0) {
    Reject(&row, "ERR Command not allowed inside a transaction");
    return;
  }
  const SentAs sent = Translate(&context, row, &block);
  MakePlan(*context.pool, *sent.row, context.args, &context.plan);
  context.plan.by_cursor = sent.by_cursor;
  RefuseUnknownFunction(context, sent, &context.plan);
  if (!sent.error.empty()) {
    context.plan.kind = Plan::Kind::kRefused;
    context.plan.error = sent.error;
    context.plan.refused_at_exec = true;
  }
  std::string error = block.plan.Add(*context.pool, *sent.row, context.args, context.plan);
  if (!sent.frame.empty()) frame = sent.frame;
  if (!MayConfine(context, *sent.row, context.plan)) error = kCannotConfine;
  const std::string call = context.plan.confined ? ConfinedInBlock(context, *sent.row)
                                                 : FreeCall(context, *sent.row, context.plan);
  if (!call.empty()) frame = call;
  const uint64_t most = context.pool->config().limits.max_request;
  if (error.empty() && block.frames.size() + frame.size() > most) {
    error = "ERR the transaction is larger than [limits] max_request: " + std::to_string(most) +
            " bytes";
  }
  if (!error.empty()) {
    Reject(&row, error);
    return;
  }
  // What will not be carried out is not kept.
  if (!block.aborted) {
    block.Queue(*sent.row, context.plan, frame);
    if (row.local == LocalCommand::kScriptLoad) {
      block.scripts.push_back(std::make_shared<const std::string>(context.args[2]));
    } else if (row.local == LocalCommand::kFunctionLoad) {
      block.libraries.push_back(std::make_shared<const std::string>(context.args.back()));
    }
    block.calls_loaded |= sent.row->script == ScriptRule::kFunction && !block.libraries.empty();
  }
  carried_out_ = false;
  Tell("+QUEUED\r\n");
}

// What CLIENT PAUSE WRITE puts off.
bool SessionCommands::MayWriteNow(const CommandRow& row) {
  const bool open = state_.transaction.open();
  const QueuedBlock* block = open ? &state_.transaction.block() : nullptr;
  if (row.script != ScriptRule::kNone && SaysThatItReads(*context_, row, block)) return false;
  const auto may = [](const CommandRow& each) {
    return each.IsWrite() || (each.flags & (kCmdWrite | kCmdMayReplicate | kCmdAtMostOnce)) != 0;
  };
  if (row.local != LocalCommand::kExec || !open) return may(row);
  return std::any_of(block->commands.begin(), block->commands.end(),
                     [&](const QueuedBlock::Command& queued) { return may(*queued.row); });
}

bool SessionCommands::Draft() {
  SessionContext& context = *context_;
  MonitorFeed* feed = context.monitor;
  carried_out_ = true;
  feed->Drop();
  const CommandRow* row = context.pool->names().Find(context.args);
  if (row == nullptr) {
    std::vector<std::string_view> args(context.args);
    row = context.pool->names().FindOtherwise(&args, state_.access.local_peer());
  }
  if (row == nullptr || !ArityFits(*row, context.args.size())) return true;
  constexpr uint32_t kOfKeys = kCmdReadonly | kCmdWrite | kCmdMayReplicate | kCmdAtMostOnce;
  if (state_.monitoring.on() && (row->flags & kOfKeys) != 0) {
    facts_.last_command = row;
    Reject(row, "ERR Replica can't interact with the keyspace");
    return false;
  }
  if (!IsMonitored(*row)) return true;
  AppendMonitorArgs(*row, context.args, &feed->draft());
  return true;
}

void SessionCommands::TellDraft(bool handled) {
  if (handled && carried_out_ && !context_->monitor->draft().empty()) {
    TellMonitors();
  } else {
    context_->monitor->Drop();
  }
}

// A Unix socket is called by its path, as Redis calls its own.
void SessionCommands::TellMonitors() {
  SessionContext& context = *context_;
  std::string peer = facts_.peer;
  if (peer.starts_with("unix:")) {
    for (const Address& address : context.pool->config().listen) {
      if (address.IsUnix()) peer = "unix:" + address.path;
    }
  }
  std::string head;
  AppendMonitorHead(context.seen->UnixUs(), state_.database.index(), peer, &head);
  context.monitor->Tell(head);
}

}  // namespace gemel
