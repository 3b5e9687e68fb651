// One client's requests that are not answered yet, oldest first, and the bytes of the answers: what
// comes early waits for its turn.

#ifndef GEMEL_PROXY_SESSION_REPLY_LINE_H_
#define GEMEL_PROXY_SESSION_REPLY_LINE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "backend/shard/request.h"
#include "proxy/channels/channel_message.h"
#include "proxy/seen/monitor_feed.h"
#include "proxy/session/account.h"
#include "proxy/session/held_pushes.h"
#include "proxy/session/line_stops.h"
#include "proxy/session/reply_forecast.h"
#include "proxy/session/reply_out.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_state.h"

namespace gemel {

class ReplyLine : public RequestSink, public Subscriber, public Watcher {
 public:
  // `context`, `state` and `peer` (the client's) outlive it. `id` is the session's.
  ReplyLine(SessionContext* context, SessionState* state, const std::string* peer, uint64_t id);
  ~ReplyLine() override;

  void set_transport(SessionTransport* transport) { out_.set_transport(transport); }

  // --- the line ---
  // Where the reply to the command at hand names keys, if its user does not see their prefix.
  void set_names(ReplyNames names) { names_ = names; }
  // A place in it, for an answer that comes later. The request's sink is this line; whoever answers
  // calls OnReply. `key`: the mark of the key that it reads, or with 0 it reads those in the
  // context's marks (none: it is no read), which are used up.
  Request* Reserve(const CommandRow* row, ReadFence::Mark key = 0) {
    stops_.Push(key, &context_->marks);
    Request* request = context_->dispatcher->New();
    request->sink = this;
    request->row = row;
    request->session = id_;
    request->form = FormFor(row);
    request->names = names_;
    request->database = state_->database.index();
    request->reply_log2 = forecast_.expected_log2();
    if (tail_ == nullptr) {
      head_ = request;
    } else {
      tail_->next = request;
    }
    tail_ = request;
    ++pending_;
    account_.Begin();
    return request;
  }
  // A whole reply frame, of RESP3 where that has a type for it, in its turn. `row`: what it
  // answers; null: no command, or none that matters. It is not counted here.
  void Answer(std::string_view frame, const CommandRow* row = nullptr);
  // To a request in line for which there is no memory.
  void AnswerNoMemory(Request* request);
  uint32_t pending() const { return pending_; }
  Account& account() { return account_; }
  Request* last() const { return tail_; }

  // --- RequestSink ---
  void OnReply(Request* request, const Reply& reply) override;
  void OnHeld(int64_t bytes) override { kept_ += static_cast<uint64_t>(bytes); }
  bool Wanted() const override { return !closed_; }

  // --- Subscriber ---
  void OnMessage(ChannelMessage* message) override;
  // What is told behind replies that stand in line.
  HeldPushes& held_pushes() {
    if (pushes_ == nullptr) pushes_ = std::make_unique<HeldPushes>();
    return *pushes_;
  }

  // --- pushes of RESP3 that are about what has been read ---
  // Behind all that has been answered and stands in line, and what may have been in part.
  void PushInTurn(std::string_view push);
  // Behind the reads that have not been answered. No-op if there are none.
  void PushBehindReads(std::string_view push);
  // --- Watcher ---
  void OnLines(std::string_view lines) override;
  void OnLinesLost() override { out_.Overrun(); }

  // --- who waits for whom ---
  LineStops& stops() { return stops_; }
  const LineStops& stops() const { return stops_; }
  // Stops at the fence what must wait until all is answered (kCmdAfterAll). False: all is.
  bool StopsBehindAll() {
    if (pending_ > 0) stops_.StopAtFence();
    return pending_ > 0;
  }
  // The same for what must wait for all but others of its own kind (PUBLISH).
  bool StopsBehindOthers(const CommandRow& row) {
    return !stops_.awaits_order() && tail_ != nullptr && tail_->row != &row && StopsBehindAll();
  }
  // The same for what must wait for all that may bring messages which do not come behind it
  // (SUBSCRIBE): what publishes, and with `of_keys` whatever nodes may tell something of.
  bool StopsBehindMessages(bool of_keys);
  // The same for what must wait until the client knows what it has subscribed to: all but those.
  bool StopsBehindSubscriptions(const CommandRow& row) {
    return pushes_ != nullptr && pushes_->any_unconfirmed() && !row.IsOfSubscriptions() &&
           StopsBehindAll();
  }

  // --- what goes out ---
  ReplyOut& out() { return out_; }
  const ReplyOut& out() const { return out_; }
  // What its client waited for, if that is to be carried out again by who takes over
  // (UnblockCargo::Why::kHandedOver): the command. Empty: nothing.
  const std::string& put_back() const { return put_back_ != nullptr ? *put_back_ : kNoFrame; }
  std::string TakePutBack() {
    return put_back_ != nullptr ? std::move(*std::exchange(put_back_, nullptr)) : std::string();
  }

  // Bytes of replies that are held: not taken by the client, or not in their turn.
  uint64_t Held() const {
    return out_.bytes() + kept_ + (pushes_ != nullptr ? pushes_->bytes() : 0);
  }
  // Nothing is asked for and all is sent.
  bool Idle() const { return head_ == nullptr && out_.empty(); }
  const ReplyForecast& forecast() const { return forecast_; }
  // An answer of that size will come.
  void Foresee(size_t size) { forecast_.Note(size); }

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
    // Also a client that wants no replies is told what it has subscribed to, as with Redis.
    const bool told = row != nullptr && row->IsOfSubscriptions();
    if (state_->reply_mode.silent() && (!told || state_->reply_mode.muted())) [[unlikely]]
      return Resp2Form::kNothing;
    if (state_->protocol.is_resp3()) return Resp2Form::kAsItIs;
    return row == nullptr ? Resp2Form::kPlain : row->FormIn2(context_->args.size());
  }
  // It has not taken so many messages that it is cut off now, as by Redis's
  // client-output-buffer-limit for pubsub.
  bool IsTooSlow();
  void Append(const Reply& reply, Resp2Form form, ReplyNames names);
  [[gnu::noinline]] void AppendOfSpace(const Reply& reply, Resp2Form form, ReplyNames names);
  void Push(size_t ahead, std::string_view push);
  [[gnu::noinline]] bool HoldMessage(ChannelMessage* message, ChannelMessage* shown);
  void Deliver(ChannelMessage* message, ChannelMessage* shown);
  [[gnu::noinline]] void DeliverOfSpace(ChannelMessage* message);
  [[gnu::noinline]] void ReleasePushes(size_t gone);
  [[gnu::noinline]] void PutBackIfHandedOver(Request* request, const Reply& reply);
  void AppendKept(Request* request);
  void Pop() {
    Request* request = head_;
    head_ = request->next;
    if (head_ == nullptr) tail_ = nullptr;
    --pending_;
    account_.End();
    stops_.Pop();
    context_->dispatcher->Free(request);
  }

  SessionContext* context_;
  SessionState* state_;
  Request* head_ = nullptr;
  Request* tail_ = nullptr;
  uint32_t pending_ = 0;
  const uint32_t id_;
  ReplyNames names_ = ReplyNames::kNone;  // see set_names
  ReplyOut out_;
  LineStops stops_;
  Account account_;
  uint64_t kept_ = 0;                   // bytes of replies that wait for others
  std::unique_ptr<HeldPushes> pushes_;  // null: none
  ReplyForecast forecast_;
  bool closed_ = false;
  bool listed_ = false;                      // context_->gone knows
  std::shared_ptr<std::atomic<bool>> left_;  // see Gone
  std::unique_ptr<std::string> put_back_;
  static inline const std::string kNoFrame;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_REPLY_LINE_H_
