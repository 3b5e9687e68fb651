#include "proxy/session/reply_line.h"

#include <algorithm>
#include <string>

#include "backend/resp/resp_writer.h"
#include "proxy/session/errors.h"

namespace gemel {

namespace {

// So long a subscriber may be above the soft limit.
constexpr uint64_t kSlowSubscriberMs = 60 * 1000;

// Replies from here on are handed over instead of copied, where that is possible.
constexpr size_t kLargeReply = ChunkPool::kStandard;

}  // namespace

ReplyLine::ReplyLine(SessionContext* context, SessionState* state, uint64_t id)
    : context_(context),
      state_(state),
      id_(static_cast<uint32_t>(id)),
      out_(context->chunks),
      forecast_(context->pool->config().limits.client_output, context->reply_bytes) {}

ReplyLine::~ReplyLine() {
  if (listed_) context_->gone->Remove(id_);
}

void ReplyLine::PushMarks() {
  fence_.PushRead(context_->marks);
  context_->marks.clear();
}

void ReplyLine::Append(const Reply& reply, Resp2Form form) {
  if (silent_) {  // behind a gap no reply would be in its place
    if (!closed_) WantFlush();
    return;
  }
  if (form == Resp2Form::kNothing) [[unlikely]] {
    WantFlush();  // its connection may have waited for this to end
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
    overrun_limit_ = "client_output_hard";
    Overrun();  // the socket may never be writable again: the transport looks now
    return;
  }
  if (!ReadsSameInResp2(reply.bytes, form)) {
    AppendConverted(reply, form);
  } else if (reply.buffer != nullptr && size >= kLargeReply) {
    out_.AppendChunk(context_->chunks->Adopt(std::move(*reply.buffer)));
  } else {
    out_.Append(reply.bytes);
  }
  WantFlush();
}

// A large one is not copied: what is the same in both protocols goes out as it lies.
void ReplyLine::AppendConverted(const Reply& reply, Resp2Form form) {
  class Out : public Resp2Out {
   public:
    Out(OutQueue* out, Chunk* chunk) : out_(out), chunk_(chunk) {}
    void Same(std::string_view part) override {
      if (chunk_ == nullptr || part.size() < kLargeReply) return Made(part);
      const size_t begin = static_cast<size_t>(part.data() - chunk_->data);
      out_->AppendPart(chunk_, begin, begin + part.size());
    }
    void Made(std::string_view bytes) override { out_->Append(bytes); }

   private:
    OutQueue* out_;
    Chunk* chunk_;
  };
  if (reply.bytes == "_\r\n" && form == Resp2Form::kPlain) {
    out_.Append("$-1\r\n");  // what a cache says most of that is not the same
  } else if (reply.bytes.size() < kLargeReply) {
    std::string& text = context_->text;
    text.clear();
    AppendInResp2(reply.bytes, form, &text);
    out_.Append(text);
  } else if (reply.buffer == nullptr) {
    Out out(&out_, nullptr);
    WriteInResp2(reply.bytes, form, &out);
  } else {
    const ChunkRef held(context_->chunks->Adopt(std::move(*reply.buffer)));
    Out out(&out_, held.get());
    WriteInResp2({held->data, held->size}, form, &out);
  }
}

bool ReplyLine::IsTooSlow() {
  const LimitsConfig& limits = context_->pool->config().limits;
  const size_t held = out_.bytes();
  uint64_t& since_ms = state_->subscriptions.slow_since_ms;
  if (held <= limits.subscriber_output_soft) {
    since_ms = 0;
  } else if (since_ms == 0) {
    since_ms = context_->now_ms;
  }
  if (held > limits.subscriber_output) {
    overrun_limit_ = "subscriber_output";
    return true;
  }
  overrun_limit_ = "subscriber_output_soft";
  return since_ms != 0 && context_->now_ms > since_ms + kSlowSubscriberMs;
}

void ReplyLine::OnMessage(ChannelMessage* message) {
  if (silent_) return;
  if (IsTooSlow()) {
    Overrun();
    return;
  }
  const bool resp3 = state_->protocol.is_resp3();
  if (Chunk* chunk = message->ChunkIn(resp3); chunk != nullptr) {
    out_.AppendChunk(chunk);
  } else {
    out_.Append(message->In(resp3));
  }
  WantFlush();
}

void ReplyLine::Overrun() {
  overrun_ = true;
  Silence();
}

// In its turn. What is kept of one that came after the end is nothing.
void ReplyLine::AppendKept(Request* request) {
  ByteBuffer& kept = request->extra->reply;
  kept_ -= kept.capacity();
  if (!closed_) Append(Reply{kept.view(), &kept}, request->form);
}

void ReplyLine::OnReply(Request* request, const Reply& reply) {
  if (request->submitted) context_->dispatcher->Answered(*request);
  if (request == order_) [[unlikely]]
    order_ = nullptr;
  if (request != head_) {
    request->answered = true;
    if (closed_) {
      request->Extra().reply.Clear();
      return;
    }
    Dispatcher::KeepReply(request, reply);
    kept_ += request->extra->reply.capacity();
    return;
  }
  Append(reply, request->form);
  Pop();
  while (head_ != nullptr && head_->answered) {
    AppendKept(head_);
    Pop();
  }
}

void ReplyLine::Answer(std::string_view frame, const CommandRow* row) {
  context_->marks.clear();  // of a read that is not sent
  if (head_ == nullptr) {
    Append(Reply{frame, nullptr}, FormFor(row));
    return;
  }
  Request* request = Reserve(row);
  OnReply(request, Reply{frame, nullptr});
}

void ReplyLine::AnswerNoMemory(Request* request) {
  std::string frame;
  AppendError(&frame, kNoMemory);
  OnReply(request, Reply{frame, nullptr});
}

void ReplyLine::Close() {
  closed_ = silent_ = true;
  if (left_ != nullptr) left_->store(true, std::memory_order_relaxed);
  out_.Clear();
  // What is answered already is of no use now; what is in flight frees itself when it is.
  while (head_ != nullptr && head_->answered) Pop();
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
  fence_.ReleaseMemory();
}

}  // namespace gemel
