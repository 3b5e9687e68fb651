#include "backend/uv/uv_tls_tunnel.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace gemel {

namespace {

using State = OpensslChannel::State;

constexpr size_t kRead = 16 * 1024;

bool IsEmptyHanded(ssize_t result) { return result < 0 && (errno == EAGAIN || errno == EINTR); }

}  // namespace

// A socket and libuv's handle of it, which outlives the tunnel until libuv has closed it.
struct UvTlsTunnel::End {
  UvTlsTunnel* owner;
  UniqueFd socket;
  uv_poll_t poll;
  int watched = 0;

  static End* Make(UvTlsTunnel* owner, uv_loop_t* loop, UniqueFd socket) {
    auto end = std::make_unique<End>();
    end->owner = owner;
    if (uv_poll_init(loop, &end->poll, socket.get()) != 0) return nullptr;
    end->poll.data = end.get();
    end->socket = std::move(socket);
    return end.release();
  }

  void Close() {
    owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll), [](uv_handle_t* closed) {
      std::unique_ptr<End>(static_cast<End*>(closed->data)).reset();
    });
    socket = UniqueFd();  // the loop has let go of it
  }

  void Watch(int events) {
    if (events == watched) return;
    watched = events;
    if (events == 0) {
      uv_poll_stop(&poll);
      return;
    }
    uv_poll_start(&poll, events, [](uv_poll_t* ready, int status, int what) {
      End* const end = static_cast<End*>(ready->data);
      if (end->owner != nullptr) end->owner->OnReady(end, status, what);
    });
  }
};

UvTlsTunnel::UvTlsTunnel(std::unique_ptr<OpensslChannel> channel) : channel_(std::move(channel)) {}

std::unique_ptr<UvTlsTunnel> UvTlsTunnel::Open(uv_loop_t* loop, UniqueFd wire, UniqueFd plain,
                                               std::unique_ptr<OpensslChannel> channel) {
  std::unique_ptr<UvTlsTunnel> made(new UvTlsTunnel(std::move(channel)));
  made->wire_ = End::Make(made.get(), loop, std::move(wire));
  made->plain_ = End::Make(made.get(), loop, std::move(plain));
  if (made->wire_ == nullptr || made->plain_ == nullptr) return nullptr;
  made->channel_->Begin();
  made->WriteWire();
  made->Watch();
  return made;
}

UvTlsTunnel::~UvTlsTunnel() {
  if (!finished_ && wire_ != nullptr && channel_->wire().empty()) {
    channel_->SayGoodbye();
    WriteWire();
  }
  for (End* end : {wire_, plain_}) {
    if (end != nullptr) end->Close();
  }
}

// What one end does not take stops the other from being read.
void UvTlsTunnel::Watch() {
  if (finished_) {
    wire_->Watch(0);
    plain_->Watch(0);
    return;
  }
  const bool heard = !heard_.empty();
  const bool says = !channel_->wire().empty();
  const bool open = channel_->state() != State::kShaking;
  wire_->Watch((heard ? 0 : UV_READABLE) | (says ? UV_WRITABLE : 0));
  plain_->Watch((open && !says ? UV_READABLE : 0) | (heard ? UV_WRITABLE : 0));
}

void UvTlsTunnel::OnReady(const End* end, int status, int events) {
  // After an error reading and writing are what tells which one.
  if (status != 0) {
    events = UV_READABLE | UV_WRITABLE;
    (end == wire_ ? wire_ : plain_)->watched = 0;  // libuv has stopped it
  }
  try {
    if (end == wire_) {
      if ((events & UV_READABLE) != 0 && heard_.empty()) ReadWire();
    } else {
      if ((events & UV_READABLE) != 0 && channel_->wire().empty()) ReadPlain();
    }
    if (!finished_) WriteWire();
    if (!finished_) WritePlain();
  } catch (const std::bad_alloc&) {
    Finish("there is no memory for it");
  }
  Watch();
  if (!finished_) return;
  const std::function<void()> on_finish = std::exchange(on_finish_, nullptr);
  if (on_finish) on_finish();
}

void UvTlsTunnel::ReadWire() {
  char bytes[kRead];
  const ssize_t got = ::recv(wire_->socket.get(), bytes, sizeof(bytes), 0);
  if (IsEmptyHanded(got)) return;
  if (got <= 0) {
    const bool shaking = channel_->state() == State::kShaking;
    Finish(got < 0   ? std::strerror(errno)
           : shaking ? "it closed the connection during the handshake"
                     : "");
    return;
  }
  switch (channel_->OnBytes({bytes, static_cast<size_t>(got)}, &heard_)) {
    case State::kFailed:
      WriteWire();
      Finish("TLS: " + channel_->error());
      return;
    case State::kEnded:
      WritePlain();
      Finish({});
      return;
    default:
      return;
  }
}

void UvTlsTunnel::ReadPlain() {
  char bytes[kRead];
  const ssize_t got = ::recv(plain_->socket.get(), bytes, sizeof(bytes), 0);
  if (IsEmptyHanded(got)) return;
  if (got <= 0) return Finish({});
  if (channel_->Seal(std::string_view(bytes, static_cast<size_t>(got))) !=
      static_cast<size_t>(got)) {
    Finish("TLS: " + channel_->error());
  }
}

void UvTlsTunnel::WriteWire() {
  while (!channel_->wire().empty()) {
    const std::string_view wire = channel_->wire();
    const ssize_t sent = ::send(wire_->socket.get(), wire.data(), wire.size(), MSG_NOSIGNAL);
    if (IsEmptyHanded(sent)) return;
    if (sent < 0) return Finish(std::strerror(errno));
    channel_->OnSent(static_cast<size_t>(sent));
  }
}

void UvTlsTunnel::WritePlain() {
  while (told_ < heard_.size()) {
    const ssize_t sent =
        ::send(plain_->socket.get(), heard_.data() + told_, heard_.size() - told_, MSG_NOSIGNAL);
    if (IsEmptyHanded(sent)) return;
    if (sent < 0) return Finish({});
    told_ += static_cast<size_t>(sent);
  }
  told_ = 0;
  heard_.Clear(kRead);
}

void UvTlsTunnel::Finish(std::string error) {
  if (finished_) return;
  finished_ = true;
  error_ = std::move(error);
  ::shutdown(plain_->socket.get(), SHUT_RDWR);
}

}  // namespace gemel
