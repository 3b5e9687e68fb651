// One command: looked up, let in, planned, and carried out.

#include <string>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
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
      ReplyError(context.pool->table().NotFoundError(context.args));
    }
    return true;
  }
  facts_.last_command = row;
  if (!ArityFits(*row, context.args.size())) [[unlikely]] {
    ReplyError(ArityError(*row));
    return true;
  }
  if (!state_.access.let_in() && !MayGoOn(*row)) [[unlikely]]
    return true;
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

bool Session::HandleByPlan(const CommandRow& row, std::string_view frame) {
  SessionContext& context = *context_;
  Plan& plan = context.plan;
  MakePlan(*context.pool, row, context.args, &plan);
  switch (plan.kind) {
    case Plan::Kind::kLocal:
      context.local->Run(*this, row, context.args);
      return !state_.access.TakePutOff();
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
  const CommandRow* sent = &row;
  std::string other;  // a frame
  if (row.arg_rule == ArgRule::kFlushAll && context.pool->config().ShardWithDatabase() != nullptr) {
    // The other databases are somebody else's.
    context.args[0] = "FLUSHDB";
    other = CommandFrame(context.args);
    frame = other;
    sent = context.pool->table().FindByName("flushdb");
  }
  PlanRunner runner(context_, &replies_, &pace_, &input_, *sent, frame);
  if (runner.StopsAtFence(plan)) {
    replies_.StopAtFence();
    return false;
  }
  runner.Send(plan, static_cast<uint32_t>(facts_.commands * 0x9e3779b97f4a7c15ull >> 40));
  return true;
}

}  // namespace gemel
