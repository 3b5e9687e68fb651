#include "backend/uv/uv_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gemel {

// The libuv handles of one connection. They outlive the UvStream until libuv has closed them.
struct UvStream::Handle {
  UvStream* owner;
  bool is_unix;
  uv_os_fd_t fd;  // once connected
  union {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  // Made when a write has to wait.
  struct Write {
    uv_write_t request;
    OutQueue* out;
    size_t bytes;
  };
  std::unique_ptr<Write> write;
  bool writing = false;
  std::unique_ptr<uv_connect_t> connect;
  std::unique_ptr<uv_timer_t> fail;  // tells of an error at the next turn
  int fail_code = 0;
  int open_handles = 1;

  static void OnClosed(uv_handle_t* handle) {
    Handle* self = static_cast<Handle*>(handle->data);
    if (--self->open_handles == 0) delete self;
  }
};

struct UvStream::Resolve {
  uv_getaddrinfo_t request;
  UvStream* owner;
  uint32_t keepalive_s;
};

bool IsRefusal(int code) {
  return code == UV_ECONNREFUSED || code == UV_ENOENT || code == UV_EHOSTUNREACH ||
         code == UV_ENETUNREACH || code == UV_EHOSTDOWN;
}

namespace {

constexpr unsigned kMaxBuffers = 64;  // slices of one write

// Between processes of one machine there is no path to be fair on: the plainest congestion control
// costs the least CPU time (pacing ones arm a timer for each packet).
void EaseLoopback(uv_tcp_t* tcp) {
  sockaddr_storage storage{};
  int size = sizeof(storage);
  uv_os_fd_t fd;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(tcp), &fd) != 0 ||
      uv_tcp_getsockname(tcp, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return;
  }
  bool loopback = false;
  if (storage.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&storage);
    loopback = (ntohl(address->sin_addr.s_addr) >> 24) == 127;
  } else if (storage.ss_family == AF_INET6) {
    loopback = IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
  }
  // Best effort: a kernel without it goes on with its own choice.
  if (loopback) setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

// Points `buffers` at the first slices of `out`, as many as one write takes, and sets *bytes to
// their size. Returns how many there are.
unsigned FrontOf(const OutQueue& out, uv_buf_t (&buffers)[kMaxBuffers], size_t* bytes) {
  constexpr size_t kMaxSlice = 1u << 30;
  unsigned count = 0;
  *bytes = 0;
  out.ForEach([&](char* data, size_t size) {
    buffers[count++] = uv_buf_init(data, static_cast<unsigned>(std::min(size, kMaxSlice)));
    *bytes += buffers[count - 1].len;
    return count < kMaxBuffers && size <= kMaxSlice;
  });
  return count;
}

// As uv_try_write, by send: which spares the kernel the way of files. Bytes taken or -errno.
ssize_t SendNow(uv_os_fd_t fd, const uv_buf_t* buffers, unsigned count) {
  ssize_t sent = 0;
  if (count == 1) {
    sent = ::send(fd, buffers[0].base, buffers[0].len, MSG_DONTWAIT | MSG_NOSIGNAL);
  } else {
    iovec parts[kMaxBuffers];
    for (unsigned i = 0; i < count; ++i) parts[i] = {buffers[i].base, buffers[i].len};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return sent < 0 ? -errno : sent;
}

}  // namespace

UvStream::UvStream(uv_loop_t* loop, UvStreamEvents* events) : loop_(loop), events_(events) {}

UvStream::~UvStream() { Close(); }

void UvStream::Close() {
  if (resolve_ != nullptr) {
    resolve_->owner = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolve_->request));
    resolve_ = nullptr;
  }
  if (handle_ == nullptr) return;
  Handle* handle = handle_;
  handle_ = nullptr;
  handle->owner = nullptr;
  if (handle->fail != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle->fail.get()), Handle::OnClosed);
  }
  uv_close(&handle->any, Handle::OnClosed);
}

void UvStream::MakeHandle(bool unix_socket) {
  handle_ = new Handle{};
  handle_->owner = this;
  handle_->is_unix = unix_socket;
  if (unix_socket) {
    uv_pipe_init(loop_, &handle_->pipe, 0);
  } else {
    uv_tcp_init(loop_, &handle_->tcp);
  }
  handle_->any.data = handle_;
}

// Tells of an error later: never inside the owner's call.
void UvStream::Fail(int code) {
  if (handle_ == nullptr) MakeHandle(/*unix_socket=*/true);
  if (handle_->fail != nullptr) return;
  handle_->fail = std::make_unique<uv_timer_t>();
  handle_->fail_code = code;
  ++handle_->open_handles;
  uv_timer_init(loop_, handle_->fail.get());
  handle_->fail->data = handle_;
  uv_timer_start(handle_->fail.get(), OnFail, 0, 0);
}

void UvStream::OnFail(uv_timer_t* timer) {
  Handle* handle = static_cast<Handle*>(timer->data);
  UvStream* self = handle->owner;
  const int code = handle->fail_code;
  if (self == nullptr) return;
  self->Close();
  self->events_->OnStreamEnd(code);
}

void UvStream::Connect(const Address& address, uint32_t keepalive_s) {
  Close();
  if (address.IsUnix()) {
    MakeHandle(/*unix_socket=*/true);
    if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
      Fail(UV_ENAMETOOLONG);
      return;
    }
    handle_->connect = std::make_unique<uv_connect_t>();
    handle_->connect->data = handle_;
    uv_pipe_connect(handle_->connect.get(), &handle_->pipe, address.path.c_str(), OnConnect);
    return;
  }
  sockaddr_storage storage{};
  if (uv_ip4_addr(address.host.c_str(), address.port, reinterpret_cast<sockaddr_in*>(&storage)) ==
          0 ||
      uv_ip6_addr(address.host.c_str(), address.port, reinterpret_cast<sockaddr_in6*>(&storage)) ==
          0) {
    ConnectTo(reinterpret_cast<const sockaddr*>(&storage), keepalive_s);
    return;
  }
  resolve_ = new Resolve{};
  resolve_->owner = this;
  resolve_->keepalive_s = keepalive_s;
  resolve_->request.data = resolve_;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const int status = uv_getaddrinfo(
      loop_, &resolve_->request,
      [](uv_getaddrinfo_t* request, int result, addrinfo* found) {
        std::unique_ptr<Resolve> resolve(static_cast<Resolve*>(request->data));
        UvStream* self = resolve->owner;
        if (self != nullptr) {
          self->resolve_ = nullptr;
          if (result != 0 || found == nullptr) {
            self->Fail(result != 0 ? result : UV_EAI_NONAME);
          } else {
            self->ConnectTo(found->ai_addr, resolve->keepalive_s);
          }
        }
        uv_freeaddrinfo(found);
      },
      address.host.c_str(), std::to_string(address.port).c_str(), &hints);
  if (status != 0) {
    delete resolve_;
    resolve_ = nullptr;
    Fail(status);
  }
}

void UvStream::ConnectTo(const sockaddr* address, uint32_t keepalive_s) {
  MakeHandle(/*unix_socket=*/false);
  handle_->connect = std::make_unique<uv_connect_t>();
  handle_->connect->data = handle_;
  const int status = uv_tcp_connect(handle_->connect.get(), &handle_->tcp, address, OnConnect);
  if (status != 0) {
    Fail(status);
    return;
  }
  uv_tcp_nodelay(&handle_->tcp, 1);
  if (keepalive_s > 0) uv_tcp_keepalive(&handle_->tcp, 1, keepalive_s);
}

void UvStream::OnConnect(uv_connect_t* request, int status) {
  Handle* handle = static_cast<Handle*>(request->data);
  UvStream* self = handle->owner;
  if (self == nullptr) return;
  handle->connect.reset();
  if (status != 0) {
    self->Close();
    self->events_->OnStreamEnd(status);
    return;
  }
  uv_fileno(&handle->any, &handle->fd);
  if (!handle->is_unix) EaseLoopback(&handle->tcp);
  self->StartReading();
  self->events_->OnStreamConnected();
}

bool UvStream::Accept(uv_stream_t* server, bool unix_socket, uint32_t keepalive_s) {
  MakeHandle(unix_socket);
  if (uv_accept(server, &handle_->stream) != 0) {
    Close();
    return false;
  }
  uv_fileno(&handle_->any, &handle_->fd);
  if (!unix_socket) {
    uv_tcp_nodelay(&handle_->tcp, 1);
    if (keepalive_s > 0) uv_tcp_keepalive(&handle_->tcp, 1, keepalive_s);
    EaseLoopback(&handle_->tcp);
  }
  return true;
}

void UvStream::StartReading() {
  if (handle_ == nullptr) return;
  const int status = uv_read_start(&handle_->stream, OnAlloc, OnRead);
  if (status != 0 && status != UV_EALREADY) Fail(status);
}

void UvStream::StopReading() {
  if (handle_ != nullptr) uv_read_stop(&handle_->stream);
}

void UvStream::OnAlloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
  UvStream* self = static_cast<Handle*>(handle->data)->owner;
  size_t size = 0;
  buffer->base = self == nullptr ? nullptr : self->events_->OnStreamBuffer(&size);
  buffer->len = size;
}

void UvStream::OnRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  UvStream* self = static_cast<Handle*>(stream->data)->owner;
  if (self == nullptr || size == 0) return;
  if (size < 0) {
    if (size == UV_EOF && self->events_->OnStreamInputEnd()) {
      uv_read_stop(stream);
      return;
    }
    self->Close();
    self->events_->OnStreamEnd(static_cast<int>(size));
    return;
  }
  self->events_->OnStreamData(buffer->base, static_cast<size_t>(size));
}

size_t UvStream::Flush(OutQueue* out) {
  size_t taken = 0;
  while (handle_ != nullptr && !handle_->writing && !out->empty()) {
    uv_buf_t buffers[kMaxBuffers];
    size_t bytes = 0;
    unsigned count = FrontOf(*out, buffers, &bytes);
    const ssize_t written = SendNow(handle_->fd, buffers, count);
    if (written > 0) {
      out->Consume(static_cast<size_t>(written));
      taken += static_cast<size_t>(written);
      if (static_cast<size_t>(written) == bytes) continue;
    } else if (written < 0 && written != -EAGAIN && written != -EINTR) {
      Fail(static_cast<int>(written));
      return taken;
    }
    // The socket is full: libuv goes on with what is at the front now.
    if (handle_->write == nullptr) handle_->write = std::make_unique<Handle::Write>();
    Handle::Write& write = *handle_->write;
    count = FrontOf(*out, buffers, &write.bytes);
    write.out = out;
    write.request.data = handle_;
    const int status = uv_write(&write.request, &handle_->stream, buffers, count, OnWritten);
    if (status != 0) {
      Fail(status);
      return taken;
    }
    handle_->writing = true;
  }
  return taken;
}

void UvStream::OnWritten(uv_write_t* request, int status) {
  Handle* handle = static_cast<Handle*>(request->data);
  handle->writing = false;
  UvStream* self = handle->owner;
  if (self == nullptr) return;
  if (status != 0) {
    self->Close();
    self->events_->OnStreamEnd(status);
    return;
  }
  handle->write->out->Consume(handle->write->bytes);
  self->events_->OnStreamWritable();
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

std::string UvStream::PeerName() const {
  sockaddr_storage storage{};
  int size = sizeof(storage);
  if (handle_ == nullptr || handle_->is_unix) return "unix:0";
  uv_tcp_getpeername(&handle_->tcp, reinterpret_cast<sockaddr*>(&storage), &size);
  return NameOf(storage);
}

std::string UvStream::LocalName() const {
  sockaddr_storage storage{};
  int size = sizeof(storage);
  if (handle_ == nullptr || handle_->is_unix) return "unix:0";
  uv_tcp_getsockname(&handle_->tcp, reinterpret_cast<sockaddr*>(&storage), &size);
  return NameOf(storage);
}

}  // namespace gemel
