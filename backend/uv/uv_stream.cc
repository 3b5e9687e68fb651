#include "backend/uv/uv_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "backend/uv/uv_stream_handle.h"

namespace gemel {

bool IsRefusal(int code) {
  return code == UV_ECONNREFUSED || code == UV_ENOENT || code == UV_EHOSTUNREACH ||
         code == UV_ENETUNREACH || code == UV_EHOSTDOWN || code == UV_EAFNOSUPPORT;
}

namespace {

// Of one system call: io_uring counts in 32 bits.
constexpr size_t kMaxPart = 1u << 30;

// Between processes of one machine there is no path to be fair on: the plainest congestion control
// costs the least CPU time (pacing ones arm a timer for each packet).
void EaseLoopback(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return;
  bool loopback = false;
  if (storage.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&storage);
    loopback = (ntohl(address->sin_addr.s_addr) >> 24) == 127;
  } else if (storage.ss_family == AF_INET6) {
    loopback = IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
  }
  // Best effort: a kernel without it goes on with its own choice.
  if (loopback) setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

// As uv_tcp_keepalive does.
void KeepAlive(int socket, int idle_s) {
  const int on = 1;
  const int interval_s = 1;
  const int probes = 10;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

void SetOptions(int socket, uint32_t keepalive_s) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (keepalive_s > 0) KeepAlive(socket, static_cast<int>(keepalive_s));
}

int ErrorOf(int socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error;
}

}  // namespace

UvStream::UvStream(UvStreamGroup* group, UvStreamEvents* events) : group_(group), events_(events) {}

UvStream::~UvStream() { Close(); }

void UvStream::Close() {
  if (tls_ != nullptr) EndTls();
  UvStreamGroup::Leave(&group_->readable_, &readable_at_);
  UvStreamGroup::Leave(&group_->to_send_, &to_send_at_);
  reading_ = hang_up_ = full_ = false;
  out_ = nullptr;
  if (handle_ == nullptr) return;
  Handle* handle = handle_;
  handle_ = nullptr;
  handle->owner = nullptr;
  if (handle->fail != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle->fail.get()), Handle::OnClosed);
  }
  if (handle->socket.valid()) {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), Handle::OnClosed);
    handle->socket = UniqueFd();  // the loop has let go of it
  }
}

// Without a socket there is a handle all the same, for its failure.
bool UvStream::MakeHandle(UniqueFd socket, bool unix_socket) {
  auto handle = std::make_unique<Handle>();
  handle->owner = this;
  handle->is_unix = unix_socket;
  if (socket.valid()) {
    if (uv_poll_init(group_->loop(), &handle->poll, socket.get()) != 0) return false;
    handle->poll.data = handle.get();
    handle->socket = std::move(socket);
    ++handle->open_handles;
  }
  handle_ = handle.release();
  return true;
}

// Tells of an error later: never inside the owner's call.
void UvStream::Fail(int code) {
  if (handle_ == nullptr) MakeHandle(UniqueFd(), /*unix_socket=*/true);
  if (handle_->fail != nullptr) return;
  handle_->fail = std::make_unique<uv_timer_t>();
  handle_->fail_code = code;
  ++handle_->open_handles;
  uv_timer_init(group_->loop(), handle_->fail.get());
  handle_->fail->data = handle_;
  FailNextTurn();
}

// A peer that closes with bytes unread resets the connection, and may have said why before.
void UvStream::FailToSend(int code) {
  Fail(code);
  handle_->rest = code == -ECONNRESET || code == -EPIPE;
}

void UvStream::FailNextTurn() { uv_timer_start(handle_->fail.get(), OnFail, 0, 0); }

void UvStream::End(int code) {
  Close();
  events_->OnStreamEnd(code);
}

void UvStream::Watch() {
  int wanted = 0;
  if (handle_->connecting || full_) wanted |= UV_WRITABLE;
  if (reading_ && !handle_->connecting) wanted |= UV_READABLE;
  if (hang_up_) wanted |= UV_DISCONNECT;
  if (wanted == handle_->watched) return;
  handle_->watched = wanted;
  if (wanted == 0) {
    uv_poll_stop(&handle_->poll);
    return;
  }
  const int status = uv_poll_start(&handle_->poll, wanted, OnPoll);
  if (status != 0) Fail(status);
}

void UvStream::OnFail(uv_timer_t* timer) {
  Handle* handle = static_cast<Handle*>(timer->data);
  UvStream* self = handle->owner;
  if (self == nullptr) return;
  if (handle->rest && self->reading_) {
    self->EnterReadable();  // OnReceived goes on
  } else {
    self->End(handle->fail_code);
  }
}

void UvStream::EnterReadable() {
  if (readable_at_ != UvStreamGroup::kNowhere) return;
  UvStreamGroup::Enter(&group_->readable_, this, &readable_at_);
}

void UvStream::Connect(const Address& address, uint32_t keepalive_s,
                       std::unique_ptr<OpensslChannel> tls) {
  Close();
  tls_error_.clear();
  tls_ = std::move(tls);
  connects_ = true;
  if (address.tls && tls_ == nullptr) {
    tls_error_ =
        "the config in effect has none for such a connection, or there is no memory for it";
    Fail(UV_ENOMEM);
    return;
  }
  if (address.IsUnix()) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (address.path.size() >= sizeof(name.sun_path)) {
      Fail(UV_ENAMETOOLONG);
      return;
    }
    std::memcpy(name.sun_path, address.path.c_str(), address.path.size() + 1);
    ConnectTo(reinterpret_cast<const sockaddr*>(&name), sizeof(name), keepalive_s);
    return;
  }
  sockaddr_storage storage{};
  if (uv_ip4_addr(address.host.c_str(), address.port, reinterpret_cast<sockaddr_in*>(&storage)) ==
          0 ||
      uv_ip6_addr(address.host.c_str(), address.port, reinterpret_cast<sockaddr_in6*>(&storage)) ==
          0) {
    const size_t size = storage.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    ConnectTo(reinterpret_cast<const sockaddr*>(&storage), size, keepalive_s);
    return;
  }
  Fail(UV_EAI_NONAME);
}

void UvStream::ConnectTo(const sockaddr* address, size_t size, uint32_t keepalive_s) {
  const bool is_unix = address->sa_family == AF_UNIX;
  UniqueFd made(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int socket = made.get();
  if (socket < 0) {
    Fail(-errno);
    return;
  }
  if (!MakeHandle(std::move(made), is_unix)) {
    Fail(UV_ENOMEM);
    return;
  }
  if (!is_unix) SetOptions(socket, keepalive_s);
  if (::connect(socket, address, static_cast<socklen_t>(size)) != 0 && errno != EINPROGRESS) {
    Fail(-errno);
    return;
  }
  handle_->connecting = true;
  Watch();
}

void UvStream::OnConnectEnd(int error) {
  if (error == EINPROGRESS) return;
  if (error != 0) {
    End(-error);
    return;
  }
  handle_->connecting = false;
  if (!handle_->is_unix) EaseLoopback(handle_->socket.get());
  StartReading();
  if (tls_ != nullptr) {
    BeginTls();
  } else {
    events_->OnStreamConnected();
  }
}

bool UvStream::Accept(UniqueFd socket, bool unix_socket, uint32_t keepalive_s,
                      std::unique_ptr<OpensslChannel> tls) {
  if (!MakeHandle(std::move(socket), unix_socket)) return false;
  tls_ = std::move(tls);
  connects_ = false;
  if (!unix_socket) {
    SetOptions(handle_->socket.get(), keepalive_s);
    EaseLoopback(handle_->socket.get());
  }
  return true;
}

void UvStream::StartReading() {
  if (handle_ == nullptr) return;
  reading_ = true;
  hang_up_ = false;
  Watch();
}

void UvStream::StopReading() {
  if (handle_ == nullptr) return;
  reading_ = false;
  UvStreamGroup::Leave(&group_->readable_, &readable_at_);
  if (handle_->fail != nullptr) FailNextTurn();
  Watch();
}

void UvStream::WatchHangUp() {
  if (handle_ == nullptr || reading_) return;
  hang_up_ = true;
  Watch();
}

void UvStream::OnPoll(uv_poll_t* poll, int status, int events) {
  Handle* handle = static_cast<Handle*>(poll->data);
  UvStream* self = handle->owner;
  if (self == nullptr) return;
  if (status < 0) handle->watched = 0;  // libuv has stopped it: there is an error
  if (handle->connecting) {
    const int error = ErrorOf(handle->socket.get());
    self->OnConnectEnd(error == 0 && status < 0 ? ECONNREFUSED : error);
    return;
  }
  if (status < 0 && !self->reading_) {
    const int error = ErrorOf(handle->socket.get());
    self->End(error != 0 ? -error : UV_ECONNRESET);
    return;
  }
  if ((events & UV_DISCONNECT) != 0 && std::exchange(self->hang_up_, false)) {
    self->Watch();
    self->events_->OnStreamHangUp();
    if (handle->owner == nullptr) return;
  }
  if ((events & UV_WRITABLE) != 0) {
    self->full_ = false;
    self->Watch();
    if (self->tls_ != nullptr && !self->tls_->wire().empty()) self->EnterToSend();
    self->events_->OnStreamWritable();
    if (handle->owner == nullptr) return;
  }
  // With an error there may still be something to read before it.
  if (((events & UV_READABLE) != 0 || status < 0) && self->reading_ &&
      self->readable_at_ == UvStreamGroup::kNowhere) {
    UvStreamGroup* group = self->group_;
    self->EnterReadable();
    if (group->readable_.size() >= UvStreamGroup::kReadNow) group->ReceiveAll();
  }
}

int UvStream::PrepareReceive(iovec* place) {
  size_t size = 0;
  if (tls_ != nullptr) return handle_->socket.get();
  if (char* wanted = events_->OnStreamBuffer(&size)) *place = {wanted, std::min(size, kMaxPart)};
  return handle_->socket.get();
}

void UvStream::OnReceived(char* data, ssize_t result) {
  UvStreamGroup::Leave(&group_->readable_, &readable_at_);
  if (result > 0) {
    const Handle* handle = handle_;
    try {
      if (tls_ != nullptr) {
        result = OnTlsBytes(data, static_cast<size_t>(result));
      } else {
        events_->OnStreamData(data, static_cast<size_t>(result));
      }
    } catch (const std::bad_alloc&) {
      if (handle_ == handle) End(UV_ENOMEM);
      return;
    }
    if (handle_ == nullptr || handle_ != handle) return;
    if (result > 0 && handle_->fail != nullptr) FailNextTurn();
  }
  if (result > 0) {
    Watch();
    return;
  }
  if (result == 0) {
    if (handle_->fail != nullptr || !events_->OnStreamInputEnd()) {
      End(UV_EOF);
    } else {
      StopReading();
    }
    return;
  } else if (result != -EAGAIN && result != -EINTR) {
    End(static_cast<int>(result));
    return;
  } else if (handle_->fail != nullptr) {
    End(handle_->fail_code);
    return;
  }
  Watch();
}

bool UvStream::Send(OutQueue* out) {
  if (handle_ == nullptr || full_ || out->empty() || handle_->connecting ||
      handle_->fail != nullptr) {
    return false;
  }
  out_ = out;
  if (!shaking()) EnterToSend();
  return true;
}

void UvStream::EnterToSend() {
  if (to_send_at_ != UvStreamGroup::kNowhere) return;
  UvStreamGroup::Enter(&group_->to_send_, this, &to_send_at_);
}

int UvStream::PrepareSend(iovec* parts, size_t most, size_t* count, size_t* bytes) {
  *count = *bytes = 0;
  if (tls_ != nullptr) return PrepareTlsSend(parts, count, bytes);
  out_->ForEach([&](char* data, size_t size) {
    parts[*count] = {data, std::min(size, kMaxPart)};
    *bytes += parts[(*count)++].iov_len;
    return *count < most && size <= kMaxPart;
  });
  return handle_->socket.get();
}

void UvStream::OnSent(size_t bytes, ssize_t result) {
  UvStreamGroup::Leave(&group_->to_send_, &to_send_at_);
  if (tls_ != nullptr) return OnTlsSent(bytes, result);
  const size_t sent = result > 0 ? static_cast<size_t>(result) : 0;
  out_->Consume(sent);
  if (result < 0 && result != -EAGAIN && result != -EINTR) {
    FailToSend(static_cast<int>(result));
  } else if (sent < bytes) {
    full_ = true;
    Watch();
  } else if (!out_->empty()) {
    Send(out_);  // in the same turn still: more than goes at once
  }
  events_->OnStreamSent(sent);
}

namespace {

std::string NameOf(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  uint16_t port = 0;
  if (storage.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&storage);
    uv_ip4_name(address, text, sizeof(text));
    port = ntohs(address->sin_port);
    return std::string(text) + ":" + std::to_string(port);
  }
  if (storage.ss_family == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(&storage);
    uv_ip6_name(address, text, sizeof(text));
    port = ntohs(address->sin6_port);
    return "[" + std::string(text) + "]:" + std::to_string(port);
  }
  return {};
}

}  // namespace

bool UvStream::HasInput() const {
  int bytes = 0;
  return handle_ != nullptr && ::ioctl(handle_->socket.get(), FIONREAD, &bytes) == 0 && bytes > 0;
}

std::string UvStream::WhyEnded(int code, const char* at_end) const {
  if (!tls_error_.empty()) return "TLS: " + tls_error_;
  return code == UV_EOF ? at_end : uv_strerror(code);
}

std::string UvStream::PeerName() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (handle_ == nullptr || handle_->is_unix) return "unix:0";
  ::getpeername(handle_->socket.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  return NameOf(storage);
}

std::string UvStream::LocalName() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (handle_ == nullptr || handle_->is_unix) return "unix:0";
  ::getsockname(handle_->socket.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  return NameOf(storage);
}

}  // namespace gemel
