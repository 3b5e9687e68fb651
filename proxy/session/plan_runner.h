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
      : PlanRunner(context, replies, pace, input, row, frame, nullptr, frame) {}
  // `asked`: what the client asked, if that is sent in other words; else null.
  PlanRunner(SessionContext* context, ReplyLine* replies, Pace* pace, SessionInput* input,
             const CommandRow& row, std::string_view frame, const CommandRow* asked,
             std::string_view asked_frame)
      : context_(context),
        replies_(replies),
        pace_(pace),
        input_(input),
        row_(row),
        frame_(frame),
        asked_(asked),
        asked_frame_(asked_frame) {}

  // Its client tracks keys: what is told of them comes behind its reply. `remember`: those that it
  // reads are remembered.
  void Track(bool remember) {
    tracks_ = true;
    remembers_ = remember;
  }
  // Whole, to one shard. `key`: see ReplyLine::Reserve. `by_cursor`: see Plan.
  void SendOne(uint32_t shard, RequestKind kind, ReadFence::Mark key, bool by_cursor = false) {
    Request* request = replies_->Reserve(&row_, key);
    request->shard = static_cast<uint16_t>(shard);
    SetKind(request, kind);
    request->primary_only = by_cursor || (row_.flags & kCmdPrimaryOnly) != 0;
    request->cursors = (row_.flags & kCmdCursor) != 0;
    request->frame = frame_;
    if (asked_ != nullptr) [[unlikely]]
      replies_->account().Note(request, asked_, asked_frame_);
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

  void SetKind(Request* request, RequestKind kind) const {
    request->kind = kind;
    if (!remembers_) return;
    request->kind = RequestKind::kTracked;
    request->becomes = BecomesOf(kind);
  }
  // A large request's memory is its own from now on. False, and it is answered, if there is none.
  [[gnu::noinline]] bool TakeFrame(Request* request);
  // A place in line for what goes in parts.
  Request* ReserveNoted();
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
  bool tracks_ = false;
  bool remembers_ = false;
  const CommandRow* asked_;
  std::string_view asked_frame_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PLAN_RUNNER_H_
