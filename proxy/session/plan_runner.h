// Carries a plan out: sends a command, or its parts, to the shards. Knows where things go by the
// plan alone.

#ifndef GEMEL_PROXY_SESSION_PLAN_RUNNER_H_
#define GEMEL_PROXY_SESSION_PLAN_RUNNER_H_

#include <cstdint>
#include <string_view>

#include "proxy/session/gather.h"
#include "proxy/session/pace.h"
#include "proxy/session/plan.h"
#include "proxy/session/read_fence.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_input.h"

namespace gemel {

// For one command of one session; made where it is used. The context's args are the command's.
class PlanRunner {
 public:
  // `frame`: the command as it came, which lies in `input` or is good during the call.
  PlanRunner(SessionContext* context, ReplyLine* replies, Pace* pace, SessionInput* input,
             const CommandRow& row, std::string_view frame)
      : context_(context),
        replies_(replies),
        pace_(pace),
        input_(input),
        row_(row),
        frame_(frame) {}

  // Whole, to one shard. `key`: see ReplyLine::Reserve.
  void SendOne(uint32_t shard, RequestKind kind, ReadFence::Mark key) {
    Request* request = replies_->Reserve(&row_, key);
    request->shard = static_cast<uint16_t>(shard);
    request->kind = kind;
    request->primary_only = (row_.flags & kCmdPrimaryOnly) != 0;
    request->frame = frame_;
    if (frame_.size() >= kHandOver && !TakeFrame(request)) [[unlikely]]
      return;
    pace_->Sent(shard);
    context_->dispatcher->Submit(request);
  }

  // Of the kinds that go to shards. For a write: must it wait for a read before it? For a read: its
  // marks are in the context now.
  bool StopsAtFence(const Plan& plan) const;
  // The marks of what it reads are in the context. `random`: for who chooses among
  // replies.
  void Send(const Plan& plan, uint32_t random);

 private:
  static constexpr size_t kHandOver = ChunkPool::kStandard;

  // A large request's memory is its own from now on. False, and it is answered, if there is none.
  [[gnu::noinline]] bool TakeFrame(Request* request);
  GatherPtr Gathering(uint32_t random);
  void SendCut(const Plan& plan, uint32_t random);
  void SendEach(const Plan& plan, uint32_t random);
  void SendCursor(const Plan& plan);

  SessionContext* context_;
  ReplyLine* replies_;
  Pace* pace_;
  SessionInput* input_;
  const CommandRow& row_;
  std::string_view frame_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PLAN_RUNNER_H_
