// One command: looked up, let in, planned, and carried out.

#include <string>

#include "backend/command/ascii.h"
#include "backend/command/blocking.h"
#include "backend/command/key_finder.h"
#include "backend/command/script_guard.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/node_abilities.h"
#include "proxy/dispatch/unanswered.h"
#include "proxy/session/plan_runner.h"
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

// A command as it is sent, if that is not as the client has it.
struct SentAs {
  const CommandRow* row;
  std::string frame;         // empty: the client's
  ScriptCache::Text script;  // held, for the arguments have it
  std::string error;         // not at all: the script is not known
};

constexpr std::string_view kNoSuchScript = "NOSCRIPT No matching script. Please use EVAL.";

// A script that a SCRIPT LOAD in the same transaction shows; null: none does.
ScriptCache::Text FindAmong(const QueuedBlock& block, std::string_view sha1) {
  for (const ScriptCache::Text& script : block.scripts) {
    if (EqualsLower(sha1, ScriptCache::Sha1(*script))) return script;
  }
  return nullptr;
}

// FLUSHALL, where shards have a database of their nodes for themselves, empties that one: the
// others are somebody else's. EVALSHA is sent as EVAL: a node need not know the script. What says
// that it does not write is a read. `block`: it is queued there; null: it is not.
SentAs Translate(SessionContext* context, const CommandRow& row, const QueuedBlock* block) {
  SentAs sent{&row, {}, nullptr, {}};
  std::vector<std::string_view>& args = context->args;
  const CommandTable& table = context->pool->table();
  if (row.arg_rule == ArgRule::kFlushAll &&
      context->pool->config().ShardWithDatabase() != nullptr) {
    args[0] = "FLUSHDB";
    sent.frame = CommandFrame(args);
    sent.row = table.FindByName("flushdb");
  } else if (row.script == ScriptRule::kText) {
    if (FindKeys(row, args, &context->plan.keys)) context->scripts->Note(args[1]);
  } else if (row.script == ScriptRule::kSha) {
    sent.script = context->scripts->Find(args[1]);
    if (sent.script == nullptr && block != nullptr) sent.script = FindAmong(*block, args[1]);
    if (sent.script == nullptr) {
      const bool looked_for = args[1].size() == ScriptCache::kShaLength;
      const bool well_formed = FindKeys(row, args, &context->plan.keys);
      sent.error =
          looked_for && !well_formed ? MalformedKeysError(row, args) : std::string(kNoSuchScript);
      return sent;
    }
    args[0] = row.by_text;
    args[1] = *sent.script;
    sent.frame = CommandFrame(args);
    sent.row = table.FindByName(row.by_text);
  }
  const CommandRow& then = *sent.row;
  const bool reads = then.if_reads.empty()                  ? false
                     : then.script == ScriptRule::kFunction ? context->functions->OnlyReads(args[1])
                                                            : FunctionStore::SaysNoWrites(args[1]);
  if (reads) {
    args[0] = then.if_reads;
    sent.frame = CommandFrame(args);
    sent.row = table.FindByName(then.if_reads);
  }
  return sent;
}

// On a shard of several copies a function must be of a library that is kept here, and so confined
// to its keys; one of another on a node would be free to change what is not copied.
void RefuseUnknownFunction(const SessionContext& context, const CommandRow& row, Plan* plan) {
  if (row.script != ScriptRule::kFunction || context.functions->HasFunction(context.args[1])) {
    return;
  }
  const bool well_formed = plan->kind == Plan::Kind::kOneShard;
  if (well_formed && context.pool->OfSlot(plan->shard).copies < 2) return;
  plan->kind = Plan::Kind::kRefused;
  plan->error = "ERR Function not found";
  plan->refused_at_exec = true;
}

// A script without keys, which is sent as what can change nothing; false: no node can be sent it.
bool ConfineIfNeeded(const SessionContext& context, const CommandRow& row, const Plan& plan,
                     std::string* frame) {
  if (!plan.confined || row.confine == nullptr) return true;
  if (context.abilities != nullptr && context.abilities->WithoutConfinement()) return false;
  *frame = row.confine(context.args);
  return true;
}

}  // namespace

bool Session::Handle(std::string_view frame) {
  SessionContext& context = *context_;
  Counted counted(&facts_, context.stats);
  const CommandRow* row = context.memo.Find(context.pool->table(), context.args);
  if (row == nullptr) [[unlikely]] {
    if (IsBrowsers(context.args[0])) {
      state_.access.NoteCutOff();
      closing_ = cut_off_ = true;
      replies_.Silence();
    } else {
      Reject(nullptr, context.pool->table().NotFoundError(context.args));
    }
    return true;
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
  if (state_.subscriptions.any() && (row->flags & kCmdInSubscriber) == 0 &&
      !state_.protocol.is_resp3()) [[unlikely]] {
    RejectInSubscriber(*row);
    return true;
  }
  if (state_.transaction.open() && (row->flags & kCmdNotQueued) == 0) [[unlikely]] {
    Queue(*row, frame);
    return true;
  }
  if (!HasShortPlan(*row)) return HandleByPlan(*row, frame) || counted.NotYet();
  const std::string_view key = context.args[1];
  const ShortPlan plan = MakeShortPlan(*context.pool, *row, key);
  ReadFence::Mark mark = 0;
  if (plan.request == RequestKind::kRead) {
    mark = ReadFence::MarkOf(key);
  } else if (plan.refused) [[unlikely]] {
    ReplyError(RefusalAsWrite(*row));
    return true;
  } else if (replies_.Blocks(ReadFence::MarkOf(key))) [[unlikely]] {
    replies_.StopAtFence();
    return counted.NotYet();
  }
  PlanRunner(context_, &replies_, &pace_, &input_, *row, frame)
      .SendOne(plan.shard, plan.request, mark);
  return true;
}

bool Session::HandleByPlan(const CommandRow& client_row, std::string_view frame) {
  SessionContext& context = *context_;
  const SentAs sent = Translate(&context, client_row, nullptr);
  if (!sent.error.empty()) {
    ReplyError(sent.error);
    return true;
  }
  const CommandRow& row = *sent.row;
  if (!sent.frame.empty()) frame = sent.frame;
  Plan& plan = context.plan;
  MakePlan(*context.pool, row, context.args, &plan);
  RefuseUnknownFunction(context, row, &plan);
  switch (plan.kind) {
    case Plan::Kind::kLocal:
      if ((row.flags & kCmdAfterAll) != 0 && replies_.StopsBehindAll()) return false;
      context.local->Run(*this, row, context.args);
      return !state_.access.TakePutOff() && !replies_.fenced();
    case Plan::Kind::kRefused:
      ReplyError(plan.error);
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
  std::string confined;
  if (!ConfineIfNeeded(context, row, plan, &confined)) {
    ReplyError(kCannotConfine);
    return true;
  }
  if (!confined.empty()) frame = confined;
  PlanRunner runner(context_, &replies_, &pace_, &input_, row, frame);
  if (runner.StopsAtFence(plan)) {
    replies_.StopAtFence();
    return false;
  }
  if (plan.may_wait) {
    Block(row, frame, plan.shard, plan.timeout_ms);
    return true;
  }
  runner.Send(plan, static_cast<uint32_t>(facts_.commands * 0x9e3779b97f4a7c15ull >> 40));
  return true;
}

void Session::Block(const CommandRow& row, std::string_view frame, uint32_t shard,
                    uint64_t timeout_ms) {
  auto cargo = std::make_unique<BlockingCargo>();
  cargo->ticket = std::make_shared<BlockTicket>();
  cargo->timeout_ms = timeout_ms;
  Request* request = replies_.Reserve(&row);
  // What comes of waiting for nothing is this null, whatever the command is.
  if (request->form == Resp2Form::kPlain) request->form = Resp2Form::kNullArray;
  state_.blocking.Begin(cargo->ticket, shard);
  request->kind = RequestKind::kBlocking;
  request->shard = static_cast<uint16_t>(shard);
  request->frame = frame;
  request->OwnFrame();
  request->extra->cargo = std::move(cargo);
  replies_.AwaitOrder(request);
  Sent(shard);
  context_->dispatcher->SubmitApart(request);
}

void Session::BlockUntilSync(Request* place, std::shared_ptr<SyncTicket> ticket) {
  Await(place);
  if (answers_ != nullptr) {
    ticket->ended = true;
  } else {
    state_.blocking.BeginSync(std::move(ticket));
  }
}

void Session::Unblock(UnblockCargo::Why why) {
  if (!blocked()) return;
  if (const auto& sync = state_.blocking.sync(); sync != nullptr) {
    sync->with_error = why == UnblockCargo::Why::kError;
    sync->ended = true;
    return;
  }
  auto cargo = std::make_unique<UnblockCargo>();
  cargo->ticket = state_.blocking.ticket();
  cargo->why = why;
  Request* request = context_->dispatcher->New();
  request->kind = RequestKind::kUnblock;
  request->shard = static_cast<uint16_t>(state_.blocking.shard());
  request->frame = {};
  request->Extra().cargo = std::move(cargo);
  request->sink = Unanswered::Make(context_->dispatcher);
  context_->dispatcher->SubmitApart(request);
}

void Session::Queue(const CommandRow& row, std::string_view frame) {
  SessionContext& context = *context_;
  QueuedBlock& block = state_.transaction.block();
  if ((row.flags & kCmdNoMulti) != 0) {
    Reject(&row, "ERR Command not allowed inside a transaction");
    return;
  }
  const SentAs sent = Translate(&context, row, &block);
  MakePlan(*context.pool, *sent.row, context.args, &context.plan);
  RefuseUnknownFunction(context, *sent.row, &context.plan);
  if (!sent.error.empty()) {
    context.plan.kind = Plan::Kind::kRefused;
    context.plan.error = sent.error;
    context.plan.refused_at_exec = true;
  }
  std::string error = block.plan.Add(*context.pool, *sent.row, context.args, context.plan);
  if (!sent.frame.empty()) frame = sent.frame;
  std::string confined;
  if (!ConfineIfNeeded(context, *sent.row, context.plan, &confined)) error = kCannotConfine;
  if (!confined.empty()) frame = confined;
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
    }
  }
  ReplyNow("+QUEUED\r\n");
}

// What CLIENT PAUSE WRITE puts off.
bool Session::MayWriteNow(const CommandRow& row) {
  const bool exec = row.local == LocalCommand::kExec && state_.transaction.open();
  return row.IsWrite() || (row.flags & (kCmdWrite | kCmdMayReplicate | kCmdAtMostOnce)) != 0 ||
         (exec && state_.transaction.block().plan.request() != RequestKind::kRead);
}

void Session::RejectInSubscriber(const CommandRow& row) {
  Reject(&row, "ERR Can't execute '" + std::string(row.name) +
                   "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                   "this context");
}

void Session::Reject(const CommandRow* row, std::string_view text) {
  if (row != nullptr && row->local == LocalCommand::kExec) {
    state_.transaction.Reset();
    state_.watched.Reset();
    const std::string_view why = text.starts_with("ERR ") ? text.substr(4) : text;
    ReplyError("EXECABORT Transaction discarded because of: " + std::string(why));
  } else {
    state_.transaction.Abort();
    ReplyError(text);
  }
}

void Session::RunFor(LocalAnswers* answers, const CommandRow& row,
                     std::span<const std::string_view> args) {
  answers_ = answers;
  context_->local->Run(*this, row, args);
  if (state_.access.TakePutOff()) {
    ReplyError("WRONGPASS too many wrong passwords of late: try again outside a transaction");
  }
  answers_ = nullptr;
}

}  // namespace gemel
