// A stream with TLS: what is read is decrypted into a buffer of the group, and what is sent is what
// the channel has to send. The owner's bytes leave its queue once what they became is sent, so that
// its limits count them until then.

#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <utility>

#include "backend/uv/uv_stream_handle.h"

namespace gemel {

namespace {

using State = OpensslChannel::State;

// So much is encrypted before it is known that it can be sent.
constexpr size_t kAhead = 64 * 1024;
// Of the plain bytes of one read; it may bring an end of a record that began before.
constexpr size_t kKeptPlain = 96 * 1024;

// The last words on a connection that is closed then: whoever cannot take them at once goes
// without.
void SendLast(int socket, std::string_view bytes) {
  if (!bytes.empty()) ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

void UvStream::BeginTls() {
  tls_->Begin();
  EnterToSend();
}

ssize_t UvStream::OnTlsBytes(const char* data, size_t size) {
  const Handle* const handle = handle_;
  ByteBuffer& plain = group_->plain_;
  plain.Clear(kKeptPlain);
  const bool was_shaking = shaking();
  const State state = tls_->OnBytes({data, size}, &plain);
  if (!tls_->wire().empty() && !full_) EnterToSend();
  if (was_shaking && state != State::kShaking && state != State::kFailed) {
    if (connects_) events_->OnStreamConnected();
    if (handle_ != handle) return 1;
    if (out_ != nullptr && !out_->empty()) EnterToSend();
  }
  if (!plain.empty()) events_->OnStreamData(plain.Grow(0) - plain.size(), plain.size());
  if (handle_ != handle || state == State::kOpen || state == State::kShaking) return 1;
  if (state == State::kEnded) return 0;
  tls_error_ = tls_->error();
  return UV_EPROTO;
}

// Says goodbye, where nothing that was begun to be sent stands before it.
void UvStream::EndTls() {
  const std::unique_ptr<OpensslChannel> ended = std::exchange(tls_, nullptr);
  const bool clear = ended->wire().empty();
  sealed_ = 0;
  if (handle_ == nullptr || handle_->connecting) return;
  if (clear) ended->SayGoodbye();
  if (clear || ended->state() == State::kFailed) SendLast(handle_->socket.get(), ended->wire());
}

int UvStream::PrepareTlsSend(iovec* parts, size_t* count, size_t* bytes) {
  try {
    if (tls_->wire().empty() && out_ != nullptr) sealed_ = tls_->Seal(*out_, kAhead);
    if (tls_->state() == State::kFailed) {
      tls_error_ = tls_->error();
      Fail(UV_EPROTO);
    }
  } catch (const std::bad_alloc&) {
    Fail(UV_ENOMEM);
  }
  const std::string_view wire = tls_->wire();
  *bytes = wire.size();
  *count = wire.empty() ? 0 : 1;
  parts[0] = {const_cast<char*>(wire.data()), wire.size()};
  return handle_->socket.get();
}

void UvStream::OnTlsSent(size_t bytes, ssize_t result) {
  const size_t sent = result > 0 ? static_cast<size_t>(result) : 0;
  tls_->OnSent(sent);
  if (result < 0 && result != -EAGAIN && result != -EINTR) {
    FailToSend(static_cast<int>(result));
  } else if (sent < bytes) {
    full_ = true;
    Watch();
    return;
  }
  if (out_ == nullptr || result < 0) return;
  const size_t taken = std::exchange(sealed_, 0);
  out_->Consume(taken);
  if (out_->empty()) {
    out_ = nullptr;
  } else {
    Send(out_);  // in the same turn still: more than goes at once
  }
  events_->OnStreamSent(taken);
}

}  // namespace gemel
