#include "backend/raft/uv_raft_line.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <utility>

#include "backend/peer/peer_wire.h"
#include "backend/peer/uv_peer_nonce.h"
#include "backend/tls/openssl_tls.h"

namespace gemel {

namespace {

constexpr size_t kFrameHead = 4;
// Who is cut off is noticed by what it does not acknowledge: else the system sends again after ever
// longer pauses, and a healed network would not help for as long.
constexpr unsigned kUnacknowledgedMs = 1000;

struct WriteRequest {
  uv_write_t write{};
  std::string bytes;
};

// A handle of libuv's, TCP or pipe, that `init` makes of the memory.
template <typename Handle, typename Init>
UvRaftLine::Stream NewStream(const Init& init) {
  auto* handle = static_cast<Handle*>(std::calloc(1, sizeof(Handle)));
  if (handle == nullptr) throw std::bad_alloc();
  init(handle);
  return UvRaftLine::Stream(reinterpret_cast<uv_stream_t*>(handle));
}

UvRaftLine::Stream NewTcp(uv_loop_t* loop) {
  return NewStream<uv_tcp_t>([loop](uv_tcp_t* tcp) { uv_tcp_init(loop, tcp); });
}

UvRaftLine::Stream NewPipe(uv_loop_t* loop) {
  return NewStream<uv_pipe_t>([loop](uv_pipe_t* pipe) { uv_pipe_init(loop, pipe, 0); });
}

uv_tcp_t* AsTcp(const UvRaftLine::Stream& stream) {
  return reinterpret_cast<uv_tcp_t*>(stream.get());
}

// "127.0.0.1:50123: ", of the other end.
std::string NameOfPeer(const uv_tcp_t* tcp) {
  sockaddr_storage place{};
  int size = sizeof(place);
  char number[INET6_ADDRSTRLEN] = {};
  if (uv_tcp_getpeername(tcp, reinterpret_cast<sockaddr*>(&place), &size) != 0) return {};
  Address address;
  if (place.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&place);
    uv_ip6_name(v6, number, sizeof(number));
    address.port = ntohs(v6->sin6_port);
  } else {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&place);
    uv_ip4_name(v4, number, sizeof(number));
    address.port = ntohs(v4->sin_port);
  }
  address.host = number;
  return address.ToString() + ": ";
}

void SetOptions(uv_tcp_t* tcp) {
  uv_tcp_nodelay(tcp, 1);
  uv_os_fd_t fd = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(tcp), &fd) != 0) return;
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof(kUnacknowledgedMs));
}

// Of all lines of this thread: it is read from before anything else is read into it.
std::array<char, 64 * 1024>& ReadBuffer() {
  thread_local std::array<char, 64 * 1024> buffer;
  return buffer;
}

}  // namespace

void UvRaftLine::Closer::operator()(uv_stream_t* stream) const {
  stream->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(stream), [](uv_handle_t* closed) { std::free(closed); });
}

UvRaftLine::UvRaftLine(uv_loop_t* loop, PeerHandshake::Side side, const PeerHandshake::Names& names,
                       const std::string& secret, bool tls, Calls calls)
    : loop_(loop),
      handshake_(side, names, secret, PeerNonce(), 0),
      tls_(tls),
      calls_(std::move(calls)),
      timer_(loop, [this] { OnTimer(); }) {}

UvRaftLine::~UvRaftLine() = default;

void UvRaftLine::Dial(const Address& address) {
  where_ = address.ToString() + ": ";
  timer_.Set(kSetUpMs);
  dial_ = std::make_unique<UvDial>(
      loop_, address, nullptr, [this](const Address& number) { Connect(number); },
      [this](const std::string& why) { LoseSoon(why); });
  dial_->Begin();
}

void UvRaftLine::Connect(const Address& number) {
  stream_ = NewTcp(loop_);
  stream_->data = this;
  struct ConnectRequest {
    uv_connect_t connect{};
    uv_stream_t* stream = nullptr;
  };
  auto request = std::make_unique<ConnectRequest>();
  request->stream = stream_.get();
  request->connect.data = request.get();
  sockaddr_storage place{};
  int status =
      uv_ip4_addr(number.host.c_str(), number.port, reinterpret_cast<sockaddr_in*>(&place));
  if (status != 0) {
    status = uv_ip6_addr(number.host.c_str(), number.port, reinterpret_cast<sockaddr_in6*>(&place));
  }
  if (status == 0) {
    status = uv_tcp_connect(
        &request->connect, AsTcp(stream_), reinterpret_cast<sockaddr*>(&place),
        [](uv_connect_t* done, int result) {
          const std::unique_ptr<ConnectRequest> owned(static_cast<ConnectRequest*>(done->data));
          // Its line has gone, or goes another way.
          if (owned->stream->data == nullptr) return;
          auto* line = static_cast<UvRaftLine*>(owned->stream->data);
          if (result == 0) {
            line->dial_->Connected();
            return line->Begin();
          }
          if (line->dial_->Failed(result == UV_ECONNREFUSED)) return;
          line->Lose(uv_strerror(result));
        });
  }
  if (status == 0) {
    request.release();
  } else {
    LoseSoon(uv_strerror(status));
  }
}

bool UvRaftLine::Accept(uv_stream_t* listener) {
  stream_ = NewTcp(loop_);
  stream_->data = this;
  if (uv_accept(listener, stream_.get()) != 0) return false;
  where_ = NameOfPeer(AsTcp(stream_));
  timer_.Set(kSetUpMs);
  Begin();
  return true;
}

bool UvRaftLine::Cover() {
  Address other;
  other.tls = true;
  std::unique_ptr<OpensslChannel> channel = dial_ != nullptr ? TlsToMember(other) : TlsOfMember();
  uv_os_fd_t connected = -1;
  int ends[2];
  if (channel == nullptr ||
      uv_fileno(reinterpret_cast<uv_handle_t*>(stream_.get()), &connected) != 0 ||
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return false;
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // libuv closes the one that it has.
  UniqueFd wire(::fcntl(connected, F_DUPFD_CLOEXEC, 0));
  Stream pipe = NewPipe(loop_);
  if (!wire.valid() || uv_pipe_open(reinterpret_cast<uv_pipe_t*>(pipe.get()), theirs.get()) != 0) {
    return false;
  }
  theirs.Release();
  tunnel_ = UvTlsTunnel::Open(loop_, std::move(wire), std::move(ours), std::move(channel));
  stream_ = std::move(pipe);
  stream_->data = this;
  return tunnel_ != nullptr;
}

void UvRaftLine::Begin() {
  SetOptions(AsTcp(stream_));
  if (tls_ && !Cover()) return LoseSoon("TLS cannot begin: no descriptors or no memory");
  std::string hello;
  if (dial_ != nullptr) {
    handshake_.Begin(&hello);
    if (handshake_.state() == PeerHandshake::State::kRefused) return Lose(handshake_.error());
    if (!Write(std::move(hello))) return Lose("it takes nothing");
  }
  uv_read_start(
      stream_.get(),
      [](uv_handle_t*, size_t, uv_buf_t* buffer) {
        *buffer = uv_buf_init(ReadBuffer().data(), static_cast<unsigned>(ReadBuffer().size()));
      },
      [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
        if (stream->data == nullptr || size == 0) return;
        auto* line = static_cast<UvRaftLine*>(stream->data);
        if (size < 0) return line->Lose(line->WhyEnded(static_cast<int>(size)));
        line->OnBytes({buffer->base, static_cast<size_t>(size)});
      });
}

std::string UvRaftLine::WhyEnded(int code) {
  if (tunnel_ != nullptr && !tunnel_->error().empty()) {
    refused_ = !ready_ && tunnel_->failed();
    return tunnel_->error();
  }
  return code == UV_EOF ? "it closed the connection" : uv_strerror(code);
}

bool UvRaftLine::ShakeHands(std::string_view* bytes) {
  size_t used = 0;
  std::string out;
  const PeerHandshake::State state = handshake_.OnBytes(*bytes, &used, &out);
  bytes->remove_prefix(used);
  if (!out.empty() && !Write(std::move(out))) {
    Lose("it takes nothing");
    return false;
  }
  if (state == PeerHandshake::State::kUnderWay) return true;
  if (state == PeerHandshake::State::kRefused) {
    refused_ = true;
    Lose(handshake_.error());
    return false;
  }
  timer_.Stop();
  ready_ = true;
  // Who dials may say more at once, but not where the socket is to be handed on.
  input_ = *bytes;
  *bytes = {};
  uv_stream_t* stream = stream_.get();
  calls_.on_ready(handshake_.peer());
  return stream->data == this;
}

bool UvRaftLine::OnBytes(std::string_view bytes) {
  uv_stream_t* stream = stream_.get();
  if (!ready_ && !ShakeHands(&bytes)) return false;
  if (!ready_) return true;
  input_.append(bytes);
  size_t at = 0;
  while (input_.size() - at >= kFrameHead) {
    const size_t size = WireReader(std::string_view(input_).substr(at)).U32();
    if (size > kMostFrame) {
      Lose("what it sent is no frame");
      return false;
    }
    if (input_.size() - at - kFrameHead < size) break;
    const std::string frame = input_.substr(at + kFrameHead, size);
    at += kFrameHead + size;
    calls_.on_frame(frame);
    if (stream->data != this) return false;
  }
  input_.erase(0, at);
  return true;
}

bool UvRaftLine::Send(std::string_view frame) {
  if (!ready_ || lost_ || stream_ == nullptr || frame.size() > kMostFrame) return false;
  std::string bytes;
  bytes.reserve(kFrameHead + frame.size());
  WireWriter writer(&bytes);
  writer.Text(frame);
  return Write(std::move(bytes));
}

bool UvRaftLine::Write(std::string bytes) {
  uv_stream_t* stream = stream_.get();
  if (uv_stream_get_write_queue_size(stream) > kMostQueued) return false;
  uv_buf_t buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
  const int written = uv_try_write(stream, &buffer, 1);
  if (written < 0 && written != UV_EAGAIN) {
    LoseSoon(uv_strerror(written));
    return false;
  }
  const size_t left = bytes.size() - static_cast<size_t>(std::max(written, 0));
  if (left == 0) return true;
  auto request = std::make_unique<WriteRequest>();
  request->bytes = std::move(bytes);
  request->write.data = request.get();
  buffer = uv_buf_init(request->bytes.data() + (request->bytes.size() - left),
                       static_cast<unsigned>(left));
  const int status = uv_write(&request->write, stream, &buffer, 1, [](uv_write_t* done, int) {
    // That the connection is lost the reading side says.
    std::unique_ptr<WriteRequest>(static_cast<WriteRequest*>(done->data)).reset();
  });
  if (status != 0) {
    LoseSoon(uv_strerror(status));
    return false;
  }
  request.release();
  return true;
}

uv_stream_t* UvRaftLine::Release(std::unique_ptr<UvTlsTunnel>* tunnel) {
  if (!input_.empty() || stream_ == nullptr) return nullptr;
  ready_ = false;
  uv_stream_t* stream = stream_.release();
  uv_read_stop(stream);
  stream->data = nullptr;
  *tunnel = std::move(tunnel_);
  return stream;
}

void UvRaftLine::Lose(const std::string& why) {
  const std::string said = where_ + why;
  const Calls calls = calls_;
  ready_ = false;
  dial_.reset();
  timer_.Stop();
  stream_.reset();
  tunnel_.reset();
  calls.on_lost(said);
}

void UvRaftLine::LoseSoon(std::string why) {
  lost_ = std::move(why);
  timer_.Set(0);
}

void UvRaftLine::OnTimer() {
  if (lost_) return Lose(*std::exchange(lost_, std::nullopt));
  Lose("it did not say who it is within " + std::to_string(kSetUpMs) + " ms");
}

}  // namespace gemel
