// One client's requests that are not answered yet, oldest first, and the bytes of the answers: what
// comes early waits for its turn.

#ifndef GEMEL_PROXY_SESSION_REPLY_LINE_H_
#define GEMEL_PROXY_SESSION_REPLY_LINE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "backend/bytes/out_queue.h"
#include "backend/shard/request.h"
#include "proxy/channels/channel_message.h"
#include "proxy/session/read_fence.h"
#include "proxy/session/reply_forecast.h"
#include "proxy/session/session_context.h"
#include "proxy/session/state/session_state.h"

namespace gemel {

class ReplyLine : public RequestSink, public Subscriber {
 public:
  // `context` and `state`, the client's, outlive it. `id` is the session's.
  ReplyLine(SessionContext* context, SessionState* state, uint64_t id);
  ~ReplyLine() override;
  ReplyLine(const ReplyLine&) = delete;
  ReplyLine& operator=(const ReplyLine&) = delete;

  void set_transport(SessionTransport* transport) { transport_ = transport; }

  // --- the line ---
  // A place in it, for an answer that comes later. The request's sink is this line; whoever answers
  // calls OnReply. `key`: the mark of the key that it reads, or with 0 it reads those in the
  // context's marks (none: it is no read), which are used up.
  Request* Reserve(const CommandRow* row, ReadFence::Mark key = 0) {
    if (key != 0) {
      fence_.PushRead(key);
    } else if (context_->marks.empty()) {
      fence_.PushOther();
    } else {
      PushMarks();
    }
    Request* request = context_->dispatcher->New();
    request->sink = this;
    request->row = row;
    request->session = id_;
    request->form = FormFor(row);
    request->database = state_->database.index();
    request->reply_log2 = forecast_.expected_log2();
    if (tail_ == nullptr) {
      head_ = request;
    } else {
      tail_->next = request;
    }
    tail_ = request;
    ++pending_;
    return request;
  }
  // A whole reply frame, of RESP3 where that has a type for it, in its turn. `row`: what it
  // answers; null: no command, or none that matters.
  void Answer(std::string_view frame, const CommandRow* row = nullptr);
  // To a request in line for which there is no memory.
  void AnswerNoMemory(Request* request);
  uint32_t pending() const { return pending_; }
  Request* last() const { return tail_; }

  // --- RequestSink ---
  void OnReply(Request* request, const Reply& reply) override;
  void OnHeld(int64_t bytes) override { kept_ += static_cast<uint64_t>(bytes); }
  bool Wanted() const override { return !closed_; }

  // --- Subscriber ---
  void OnMessage(ChannelMessage* message) override;

  // --- who waits for whom ---
  // Must a write of that key wait for a read before it? StopAtFence: it does, until something is
  // answered.
  bool Blocks(ReadFence::Mark key) const { return !fence_.empty() && fence_.Blocks(key); }
  void StopAtFence() { fenced_ = true; }
  bool fenced() const { return fenced_; }
  // The same for what must wait until all is answered (kCmdAfterAll). False: all is.
  bool StopsBehindAll() {
    if (pending_ > 0) StopAtFence();
    return pending_ > 0;
  }
  // The same for what must wait for all but others of its own kind (PUBLISH).
  bool StopsBehindOthers(const CommandRow& row) {
    return order_ == nullptr && tail_ != nullptr && tail_->row != &row && StopsBehindAll();
  }
  // Nothing more of the session is handled before that one is answered.
  void AwaitOrder(Request* order) { order_ = order; }
  bool awaits_order() const { return order_ != nullptr; }

  // --- what goes out ---
  OutQueue& out() { return out_; }
  // Bytes of replies that are held: not taken by the client, or not in their turn.
  uint64_t Held() const { return out_.bytes() + kept_; }
  // Nothing is asked for and all is sent.
  bool Idle() const { return head_ == nullptr && out_.empty(); }
  const ReplyForecast& forecast() const { return forecast_; }
  // Bytes that what is pending may bring.
  uint64_t Promised() const { return pending_ * forecast_.mean(); }
  // Too much waits to be taken, or it is not known what was answered: the connection is to end.
  bool overrun() const { return overrun_; }
  void Overrun();
  // The limit that it is above then ([limits]).
  const char* overrun_limit() const { return overrun_limit_; }
  // Nothing more is put behind what is queued.
  void Silence() {
    silent_ = true;
    WantFlush();
  }
  void WantFlush() {
    if (flush_wanted_) return;
    flush_wanted_ = true;
    transport_->WantFlush();
  }
  // The transport has looked.
  void FlushDone() { flush_wanted_ = false; }

  // --- the end ---
  // The client has left. What is in flight runs on.
  void Close();
  // ... and nothing refers to the line any more.
  bool Finished() const { return closed_ && pending_ == 0; }
  // True once the client has left. Any thread may read it.
  std::shared_ptr<const std::atomic<bool>> Gone();
  // Gives back what an idle client need not hold.
  void ReleaseMemory();

 private:
  // How the reply to a command is to read that comes now: a later HELLO is none of its.
  Resp2Form FormFor(const CommandRow* row) const {
    if (state_->reply_mode.silent() && !IsTold(row)) [[unlikely]]
      return Resp2Form::kNothing;
    if (state_->protocol.is_resp3()) return Resp2Form::kAsItIs;
    return row == nullptr ? Resp2Form::kPlain : row->FormIn2(context_->args.size());
  }
  // Also to a client that wants no replies: as with Redis, what it has subscribed to.
  static bool IsTold(const CommandRow* row) {
    return row != nullptr && row->resp2 == Resp2Form::kAsItIs;
  }
  [[gnu::noinline]] void PushMarks();
  // It has not taken so many messages that it is to be cut off, as by Redis's
  // client-output-buffer-limit for pubsub.
  bool IsTooSlow();
  void Append(const Reply& reply, Resp2Form form);
  [[gnu::noinline]] void AppendConverted(const Reply& reply, Resp2Form form);
  void AppendKept(Request* request);
  void Pop() {
    Request* request = head_;
    head_ = request->next;
    if (head_ == nullptr) tail_ = nullptr;
    --pending_;
    fence_.Pop();
    fenced_ = false;
    context_->dispatcher->Free(request);
  }

  SessionContext* context_;
  SessionState* state_;
  SessionTransport* transport_ = nullptr;
  Request* head_ = nullptr;
  Request* tail_ = nullptr;
  uint32_t pending_ = 0;
  const uint32_t id_;
  OutQueue out_;
  ReadFence fence_;
  Request* order_ = nullptr;
  uint64_t kept_ = 0;  // bytes of replies that wait for others
  ReplyForecast forecast_;
  bool fenced_ = false;
  bool silent_ = false;
  bool overrun_ = false;
  bool flush_wanted_ = false;
  bool closed_ = false;
  const char* overrun_limit_ = "client_output_hard";
  bool listed_ = false;                      // context_->gone knows
  std::shared_ptr<std::atomic<bool>> left_;  // see Gone
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_REPLY_LINE_H_
