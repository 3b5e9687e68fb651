#include "proxy/session/reply_line.h"

#include <algorithm>
#include <string>

#include "backend/resp/resp_writer.h"
#include "backend/shard/blocked_cargo.h"
#include "backend/spaces/space_channels.h"
#include "proxy/session/errors.h"
#include "proxy/session/publish_wait.h"

namespace gemel {

namespace {

// So long a subscriber may be above the soft limit.
constexpr uint64_t kSlowSubscriberMs = 60 * 1000;

}  // namespace

ReplyLine::ReplyLine(SessionContext* context, SessionState* state, const std::string* peer,
                     uint64_t id)
    : context_(context),
      state_(state),
      id_(static_cast<uint32_t>(id)),
      out_(context),
      account_(context, state, peer),
      forecast_(context->pool->config().limits.client_output, context->reply_bytes) {}

ReplyLine::~ReplyLine() {
  if (listed_) context_->gone->Remove(id_);
}

void ReplyLine::AppendOfSpace(const Reply& reply, Resp2Form form, ReplyNames names) {
  std::string own;
  AppendWithoutPrefix(reply.bytes, names, state_->access.prefix(), &own);
  Append(Reply{own, nullptr}, form, ReplyNames::kNone);
}

void ReplyLine::Append(const Reply& reply, Resp2Form form, ReplyNames names) {
  if (names != ReplyNames::kNone && !out_.silent()) [[unlikely]]
    return AppendOfSpace(reply, form, names);
  if (out_.silent()) {  // behind a gap no reply would be in its place
    if (!closed_) out_.WantFlush();
    return;
  }
  if (form == Resp2Form::kNothing) [[unlikely]] {
    out_.WantFlush();  // its connection may have waited for this to end
    return;
  }
  const size_t size = reply.bytes.size();
  // An error says nothing of what else may come: it may stand for a reply that was not kept.
  if (reply.bytes[0] != '-') {
    forecast_.Note(size);
    context_->reply_bytes = std::max(context_->reply_bytes, ReplyForecast::Clamp(size));
  }
  if (out_.bytes() > 0 &&
      out_.bytes() + size > context_->pool->config().limits.client_output_hard) {
    out_.Overrun();  // the socket may never be writable again: the transport looks now
    return;
  }
  out_.AppendReply(reply, form);
  out_.WantFlush();
}

bool ReplyLine::IsTooSlow() {
  const LimitsConfig& limits = context_->pool->config().limits;
  const size_t held = out_.bytes() + (pushes_ != nullptr ? pushes_->bytes() : 0);
  uint64_t& since_ms = state_->subscriptions.slow_since_ms;
  if (held <= limits.subscriber_output_soft) {
    since_ms = 0;
  } else if (since_ms == 0) {
    since_ms = context_->now_ms;
  }
  if (held > limits.subscriber_output) {
    out_.Overrun("subscriber_output");
  } else if (since_ms != 0 && context_->now_ms > since_ms + kSlowSubscriberMs) {
    out_.Overrun("subscriber_output_soft");
  }
  return out_.overrun();
}

void ReplyLine::OnMessage(ChannelMessage* message) {
  if (out_.silent()) return;
  if (IsTooSlow()) return;
  if (state_->access.prefixed()) [[unlikely]]
    return DeliverOfSpace(message);
  Deliver(message, message);
}

void ReplyLine::DeliverOfSpace(ChannelMessage* message) {
  std::string own;
  if (!MessageOfClient(message->In(/*resp3=*/false), state_->access.prefix(), &own)) return;
  if (own.empty()) return Deliver(message, message);
  ChannelMessage shown(own, context_->chunks);
  Deliver(message, &shown);
}

// `shown`: as the client reads it.
void ReplyLine::Deliver(ChannelMessage* message, ChannelMessage* shown) {
  if (pushes_ != nullptr && HoldMessage(message, shown)) [[unlikely]]
    return;
  const bool resp3 = state_->protocol.is_resp3();
  if (Chunk* chunk = shown->ChunkIn(resp3); chunk != nullptr) {
    out_.AppendChunk(chunk);
  } else {
    out_.Append(shown->In(resp3));
  }
  out_.WantFlush();
}

bool ReplyLine::HoldMessage(ChannelMessage* message, ChannelMessage* shown) {
  return pushes_->any_unconfirmed() &&
         pushes_->AddMessage(ChannelOfMessage(message->In(/*resp3=*/false)),
                             shown->In(state_->protocol.is_resp3()));
}

bool ReplyLine::StopsBehindMessages(bool of_keys) {
  if (stops_.awaits_order()) return false;
  for (const Request* request = head_; request != nullptr; request = request->next) {
    const CommandRow* row = request->row;
    if (request->answered || row == nullptr || row->IsOfSubscriptions()) continue;
    if (of_keys || MayPublish(*row)) return StopsBehindAll();
  }
  return false;
}

void ReplyLine::PushInTurn(std::string_view push) {
  size_t ahead = 0;
  size_t place = 0;
  for (const Request* request = head_; request != nullptr; request = request->next) {
    ++place;
    if (request->answered || request->holds_pushes) ahead = place;
  }
  Push(ahead, push);
}

void ReplyLine::PushBehindReads(std::string_view push) {
  size_t ahead = 0;
  size_t place = 0;
  for (const Request* request = head_; request != nullptr; request = request->next) {
    ++place;
    const bool reads =
        request->kind == RequestKind::kRead || request->kind == RequestKind::kTracked;
    if (reads && !request->answered && !request->holds_pushes && !stops_.Awaits(request))
      ahead = place;
  }
  if (ahead > 0) Push(ahead, push);
}

void ReplyLine::Push(size_t ahead, std::string_view push) {
  if (out_.silent()) return;
  if (IsTooSlow()) return;
  if (ahead > 0) {
    held_pushes().Add(ahead, push);
    return;
  }
  out_.Append(push);
  out_.WantFlush();
}

void ReplyLine::ReleasePushes(size_t gone) {
  pushes_->OnGone(gone, [this](std::string_view push) {
    if (!out_.silent()) out_.Append(push);
  });
  if (pushes_->empty()) pushes_.reset();
  if (!out_.silent()) out_.WantFlush();
}

void ReplyLine::OnLines(std::string_view lines) {
  if (out_.silent()) return;
  if (IsTooSlow()) return;
  out_.Append(lines);
  out_.WantFlush();
}

// In its turn. What is kept of one that came after the end is nothing.
void ReplyLine::AppendKept(Request* request) {
  ByteBuffer& kept = request->extra->reply;
  kept_ -= kept.capacity();
  account_.OnDone(request, kept.view(), request->extra->answered_us);
  if (!closed_) Append(Reply{kept.view(), &kept}, request->form, request->names);
}

// Nothing has come for it, and its client is told nothing.
void ReplyLine::PutBackIfHandedOver(Request* request, const Reply& reply) {
  if (closed_ || reply.bytes != kBlockedHandedOver) return;
  put_back_ = std::make_unique<std::string>(request->frame);
  request->form = Resp2Form::kNothing;
  request->row = nullptr;  // nor does it count
}

void ReplyLine::OnReply(Request* request, const Reply& reply) {
  if (request->submitted) context_->dispatcher->Answered(*request);
  if (stops_.OnAnswered(request)) [[unlikely]]
    PutBackIfHandedOver(request, reply);
  if (request != head_) {
    request->answered = true;
    if (closed_) {
      request->Extra().reply.Clear();
      return;
    }
    context_->dispatcher->KeepReply(request, reply);
    kept_ += request->extra->reply.capacity();
    account_.OnEarly(request);
    return;
  }
  const uint32_t before = pending_;
  account_.OnDone(request, reply.bytes, context_->now_us);
  Append(reply, request->form, request->names);
  Pop();
  while (head_ != nullptr && head_->answered) {
    AppendKept(head_);
    Pop();
  }
  if (pushes_ != nullptr) [[unlikely]]
    ReleasePushes(before - pending_);
}

void ReplyLine::Answer(std::string_view frame, const CommandRow* row) {
  context_->marks.clear();  // of a read that is not sent
  const bool error = frame.starts_with('-');
  if (error) context_->seen->OnError(frame);
  // As with Redis, an error is a reply like others also where the rest is told to who wants none.
  const Resp2Form form = error && state_->reply_mode.silent() ? Resp2Form::kNothing : FormFor(row);
  if (head_ == nullptr) {
    Append(Reply{frame, nullptr}, form, row != nullptr ? names_ : ReplyNames::kNone);
    return;
  }
  Request* request = Reserve(row);
  request->row = nullptr;
  request->form = form;
  OnReply(request, Reply{frame, nullptr});
}

void ReplyLine::AnswerNoMemory(Request* request) {
  std::string frame;
  AppendError(&frame, kNoMemory);
  OnReply(request, Reply{frame, nullptr});
}

void ReplyLine::Close() {
  closed_ = true;
  if (left_ != nullptr) left_->store(true, std::memory_order_relaxed);
  out_.End();
  pushes_.reset();
  // What is answered already is of no use now; what is in flight frees itself when it is.
  while (head_ != nullptr && head_->answered) {
    account_.OnDone(head_, head_->extra->reply.view(), head_->extra->answered_us);
    Pop();
  }
  for (Request* request = head_; request != nullptr; request = request->next) {
    if (request->answered) request->extra->reply.Clear();
  }
  if (pending_ == 0 || context_->gone == nullptr) return;
  context_->gone->Add(id_);
  listed_ = true;
}

std::shared_ptr<const std::atomic<bool>> ReplyLine::Gone() {
  if (left_ == nullptr) left_ = std::make_shared<std::atomic<bool>>(false);
  return left_;
}

void ReplyLine::ReleaseMemory() {
  if (out_.empty()) out_.ReleaseMemory();
  account_.ReleaseMemory();
  stops_.ReleaseMemory();
}

}  // namespace gemel
