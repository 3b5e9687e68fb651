// Bytes in, replies out, in order.

#include "proxy/session/session.h"

#include <algorithm>
#include <bit>
#include <new>

#include "backend/resp/resp_writer.h"
#include "proxy/session/refusal.h"

namespace gemel {

namespace {

// Replies from here on are handed over instead of copied, where that is possible.
constexpr size_t kLarge = ChunkPool::kStandard;
// How many requests a new client may have in flight until the size of its replies is known.
// Few: the replies of all of them together must not be more than a node keeps for one client.
constexpr uint64_t kFirstWindow = 8;
// What a client that has had no reply yet is taken to ask for, at least.
constexpr uint32_t kUnknownReply = 256 * 1024;
// Who gets smaller ones waits for nobody's large ones.
constexpr uint32_t kSmallReply = 32 * 1024;
// Bytes of replies that are made here for one client before others have their turn.
constexpr uint64_t kMadeATurn = 64 * 1024;
// What a client may hold that has not authenticated: of a request, and of replies.
constexpr size_t kStrangerInput = 64 * 1024;
constexpr size_t kStrangerOutput = 16 * 1024;

}  // namespace

Session::Session(SessionContext* context, uint64_t id, std::string peer, std::string local)
    : context_(context),
      id_(id),
      out_(context->chunks),
      mean_reply_(context->pool->config().limits.client_output / kFirstWindow),
      expected_reply_(std::max(context->reply_bytes, kUnknownReply)),
      local_peer_(IsLocalPeer(peer)),
      active_ms_(context->now_ms),
      created_ms_(context->now_ms),
      peer_(std::move(peer)),
      local_(std::move(local)) {
  Reauthenticate();
}

Session::~Session() {
  if (gone_) context_->gone->Remove(static_cast<uint32_t>(id_));
}

const std::string& Session::user() const {
  static const std::string kDefault = "default";
  const std::string& user = context_->pool->config().user;
  return user.empty() ? kDefault : user;
}

bool Session::OutputFull() const {
  const LimitsConfig& limits = context_->pool->config().limits;
  const uint64_t held = out_.bytes() + kept_;
  return held > std::min(limits.client_output, limits.client_output_hard) ||
         (held > kStrangerOutput && !authenticated());
}

bool Session::MustPause() const {
  const LimitsConfig& limits = context_->pool->config().limits;
  return pending_ >= limits.client_pending || OutputFull() ||
         pending_ * mean_reply_ > limits.client_output || order_ != nullptr || waiting_ ||
         (Budget::Tight() && (pending_ > 0 || !out_.empty())) ||
         (last_shard_ != kNoShard &&
          (context_->dispatcher->Congested(last_shard_, pending_) ||
           (expected_reply_ > kSmallReply && context_->dispatcher->Crowded(last_shard_)))) ||
         made_ > kMadeATurn || context_->now_ms < password_due_ms_;
}

void Session::Pause() {
  paused_ = true;
  context_->again |= made_ > kMadeATurn;
  context_->stats->paused_clients.Add(1);
  transport_->PauseReading();
}

void Session::Wait(bool wait) {
  if (waiting_ == wait) return;
  waiting_ = wait;
  moved_ms_ = context_->now_ms;
  if (wait && !paused_ && !closing_) Pause();
}

size_t Session::MissingInput() const {
  if (closing_ || (paused_ && !waiting_) || input_.capacity() < kLarge) return 0;
  return reader_.needed() > input_.size() ? reader_.needed() - input_.size() : 1;
}

std::shared_ptr<const std::atomic<bool>> Session::Gone() {
  std::shared_ptr<std::atomic<bool>>& left = MakeRare().left;
  if (left == nullptr) left = std::make_shared<std::atomic<bool>>(false);
  return left;
}

void Session::set_name(std::string_view name) {
  if (!name.empty() || rare_ != nullptr) MakeRare().name = name;
}

// Handles the whole requests in the bytes; returns how many bytes are used up. What is left is an
// unfinished request, or belongs to a session that is paused or closing.
size_t Session::Parse(const char* data, size_t size) {
  size_t used = 0;
  while (used < size && !closing_) {
    if (MustPause()) {
      Pause();
      break;
    }
    switch (
        reader_.Read(data + used, size - used, context_->pool->request_limits(), &context_->args)) {
      case RequestReader::Status::kCommand:
        fenced_ = !TakeCommand();
        if (fenced_ || put_back_) [[unlikely]] {
          put_back_ = false;
          paused_ = true;
          transport_->PauseReading();
          return used;
        }
        used += reader_.consumed();
        continue;
      case RequestReader::Status::kNothing:
        used += reader_.consumed();
        continue;
      case RequestReader::Status::kNeedMore:
        if (!authenticated() && reader_.needed() > kStrangerInput) {
          ReplyError("ERR Protocol error: unauthenticated bulk length");
          closing_ = true;
          return size;
        }
        return used;
      case RequestReader::Status::kError:
        context_->stats->protocol_errors.Add(1);
        ReplyError(reader_.error());
        closing_ = true;
        return size;
    }
  }
  return closing_ ? size : used;
}

// Where there is no memory for what it asks for, it gets that as the answer.
bool Session::TakeCommand() {
  const Request* last = tail_;
  try {
    return Handle(reader_.frame());
  } catch (const std::bad_alloc&) {
    if (tail_ == last || tail_ == nullptr) {
      ReplyError(kNoMemory);
    } else if (!tail_->submitted && !tail_->answered) {
      AnswerNoMemory(tail_);
    } else {
      overrun_ = true;  // it is not known how far it went: the connection ends
      WantFlush();
    }
    return true;
  }
}

void Session::AnswerNoMemory(Request* request) {
  std::string frame;
  AppendError(&frame, kNoMemory);
  OnReply(request, Reply{frame, nullptr});
}

void Session::OnData(const char* data, size_t size) {
  context_->stats->input_bytes.Add(size);
  active_ms_ = context_->now_ms;
  if (closing_) return;
  if (!input_.empty()) {
    input_.Append({data, size});
    ParseInput();
    return;
  }
  const size_t used = Parse(data, size);
  if (used == size) return;
  const size_t rest = size - used;
  if (!paused_ && reader_.needed() >= rest + kLarge) input_.Expect(reader_.needed());
  input_.Append({data + used, rest});
}

char* Session::DirectSpace(size_t* size) {
  if (paused_ || closing_ || input_.empty() || reader_.needed() < input_.size() + kLarge) {
    return nullptr;
  }
  try {
    return input_.Extend(reader_.needed() - input_.size(), size);
  } catch (const std::bad_alloc&) {
    return nullptr;  // what comes will find no room, either, and end the connection
  }
}

void Session::OnDirect(size_t size) {
  context_->stats->input_bytes.Add(size);
  active_ms_ = context_->now_ms;
  input_.Commit(size);
  ParseInput();
}

void Session::ParseInput() {
  if (paused_) return;
  // A large request's memory may be handed on by SendOne.
  direct_ = true;
  const size_t used = Parse(input_.data(), input_.size());
  direct_ = false;
  if (input_.empty()) return;  // handed on
  input_.Consume(std::min(used, input_.size()));
  if (input_.empty()) input_.Clear();
}

void Session::Resume() {
  if (!paused_ || fenced_) return;
  made_ = 0;
  if (MustPause()) return;
  paused_ = false;
  ParseInput();
  if (paused_) return;
  if (input_ended_) {
    Drain();
  } else {
    transport_->ResumeReading();
  }
}

void Session::OnInputEnd() {
  input_ended_ = true;
  if (!paused_) Drain();
}

void Session::OnClosed() {
  closed_ = true;
  closing_ = true;
  if (rare_ != nullptr && rare_->left != nullptr) {
    rare_->left->store(true, std::memory_order_relaxed);
  }
  out_.Clear();
  input_.Clear();
  // What is answered already is of no use now; what is in flight frees itself when it is.
  while (head_ != nullptr && head_->answered) Pop();
  for (Request* request = head_; request != nullptr; request = request->next) {
    if (request->answered) request->extra->reply.Clear();
  }
  if (pending_ == 0 || context_->gone == nullptr) return;
  context_->gone->Add(static_cast<uint32_t>(id_));
  gone_ = true;
}

void Session::Drain() {
  closing_ = true;
  input_.Clear();
  WantFlush();
}

void Session::ReleaseMemory() {
  if (out_.empty()) out_.ReleaseMemory();
  fence_.ReleaseMemory();
}

void Session::PushMarks() {
  fence_.PushRead(context_->marks);
  context_->marks.clear();
}

Request* Session::Reserve(const CommandRow* row, ReadFence::Mark key) {
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
  request->session = static_cast<uint32_t>(id_);
  request->reply_log2 = static_cast<uint8_t>(std::bit_width(expected_reply_));
  if (tail_ == nullptr) {
    head_ = request;
  } else {
    tail_->next = request;
  }
  tail_ = request;
  ++pending_;
  return request;
}

void Session::Append(const Reply& reply) {
  if (closed_ || overrun_ || cut_off_) return;  // behind a gap no reply would be in its place
  const size_t size = reply.bytes.size();
  // An error says nothing of what else may come: it may stand for a reply that was not kept.
  if (reply.bytes[0] != '-') {
    mean_reply_ = (mean_reply_ * 7 + size) / 8;
    const uint32_t bytes = static_cast<uint32_t>(std::min<size_t>(size, UINT32_MAX / 2));
    expected_reply_ = std::max(bytes, expected_reply_ - expected_reply_ / 4);
    context_->reply_bytes = std::max(context_->reply_bytes, bytes);
  }
  if (out_.bytes() > 0 &&
      out_.bytes() + size > context_->pool->config().limits.client_output_hard) {
    overrun_ = true;
    WantFlush();  // the socket may never be writable again: the transport looks now
    return;
  }
  if (reply.buffer != nullptr && size >= kLarge) {
    out_.AppendChunk(context_->chunks->Adopt(std::move(*reply.buffer)));
  } else {
    out_.Append(reply.bytes);
  }
  WantFlush();
}

// In its turn. What is kept of one that came after the end is nothing.
void Session::AppendKept(Request* request) {
  ByteBuffer& kept = request->extra->reply;
  kept_ -= kept.capacity();
  if (!closed_) Append(Reply{kept.view(), &kept});
}

void Session::OnReply(Request* request, const Reply& reply) {
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
  Append(reply);
  Pop();
  while (head_ != nullptr && head_->answered) {
    AppendKept(head_);
    Pop();
  }
  if (closing_ && head_ == nullptr) WantFlush();
}

void Session::ReplyNow(std::string_view frame) {
  made_ = static_cast<uint32_t>(std::min<uint64_t>(made_ + frame.size(), UINT32_MAX));
  context_->marks.clear();  // of a read that is not sent
  if (head_ == nullptr) {
    Append(Reply{frame, nullptr});
    return;
  }
  Request* request = Reserve(nullptr);
  OnReply(request, Reply{frame, nullptr});
}

void Session::ReplyError(std::string_view text) {
  std::string frame;
  AppendError(&frame, text);
  ReplyNow(frame);
}

}  // namespace gemel
