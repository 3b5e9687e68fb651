#include "backend/raft/uv_raft_line.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <new>
#include <utility>

#include "backend/peer/peer_wire.h"
#include "backend/peer/uv_peer_nonce.h"

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

UvRaftLine::Tcp NewTcp(uv_loop_t* loop) {
  UvRaftLine::Tcp tcp(static_cast<uv_tcp_t*>(std::calloc(1, sizeof(uv_tcp_t))));
  if (tcp == nullptr) throw std::bad_alloc();
  uv_tcp_init(loop, tcp.get());
  return tcp;
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

void UvRaftLine::Closer::operator()(uv_tcp_t* tcp) const {
  tcp->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(tcp), [](uv_handle_t* closed) { std::free(closed); });
}

UvRaftLine::UvRaftLine(uv_loop_t* loop, PeerHandshake::Side side, const PeerHandshake::Names& names,
                       const std::string& secret, Calls calls)
    : loop_(loop),
      handshake_(side, names, secret, PeerNonce(), 0),
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
  tcp_ = NewTcp(loop_);
  tcp_->data = this;
  struct ConnectRequest {
    uv_connect_t connect{};
    uv_tcp_t* tcp = nullptr;
  };
  auto request = std::make_unique<ConnectRequest>();
  request->tcp = tcp_.get();
  request->connect.data = request.get();
  sockaddr_storage place{};
  int status =
      uv_ip4_addr(number.host.c_str(), number.port, reinterpret_cast<sockaddr_in*>(&place));
  if (status != 0) {
    status = uv_ip6_addr(number.host.c_str(), number.port, reinterpret_cast<sockaddr_in6*>(&place));
  }
  if (status == 0) {
    status = uv_tcp_connect(
        &request->connect, tcp_.get(), reinterpret_cast<sockaddr*>(&place),
        [](uv_connect_t* done, int result) {
          const std::unique_ptr<ConnectRequest> owned(static_cast<ConnectRequest*>(done->data));
          // Its line has gone, or goes another way.
          if (owned->tcp->data == nullptr) return;
          auto* line = static_cast<UvRaftLine*>(owned->tcp->data);
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
  tcp_ = NewTcp(loop_);
  tcp_->data = this;
  if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(tcp_.get())) != 0) return false;
  timer_.Set(kSetUpMs);
  Begin();
  return true;
}

void UvRaftLine::Begin() {
  SetOptions(tcp_.get());
  std::string hello;
  if (dial_ != nullptr) {
    handshake_.Begin(&hello);
    if (handshake_.state() == PeerHandshake::State::kRefused) return Lose(handshake_.error());
    if (!Write(std::move(hello))) return Lose("it takes nothing");
  }
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(tcp_.get()),
      [](uv_handle_t*, size_t, uv_buf_t* buffer) {
        *buffer = uv_buf_init(ReadBuffer().data(), static_cast<unsigned>(ReadBuffer().size()));
      },
      [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
        if (stream->data == nullptr || size == 0) return;
        auto* line = static_cast<UvRaftLine*>(stream->data);
        if (size < 0)
          return line->Lose(size == UV_EOF ? "it closed the connection"
                                           : uv_strerror(static_cast<int>(size)));
        line->OnBytes({buffer->base, static_cast<size_t>(size)});
      });
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
    Lose(handshake_.error());
    return false;
  }
  timer_.Stop();
  ready_ = true;
  // Who dials may say more at once, but not where the socket is to be handed on.
  input_ = *bytes;
  *bytes = {};
  uv_tcp_t* tcp = tcp_.get();
  calls_.on_ready(handshake_.peer());
  return tcp->data == this;
}

bool UvRaftLine::OnBytes(std::string_view bytes) {
  uv_tcp_t* tcp = tcp_.get();
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
    if (tcp->data != this) return false;
  }
  input_.erase(0, at);
  return true;
}

bool UvRaftLine::Send(std::string_view frame) {
  if (!ready_ || lost_ || tcp_ == nullptr || frame.size() > kMostFrame) return false;
  std::string bytes;
  bytes.reserve(kFrameHead + frame.size());
  WireWriter writer(&bytes);
  writer.Text(frame);
  return Write(std::move(bytes));
}

bool UvRaftLine::Write(std::string bytes) {
  auto* stream = reinterpret_cast<uv_stream_t*>(tcp_.get());
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

uv_stream_t* UvRaftLine::Release() {
  if (!input_.empty() || tcp_ == nullptr) return nullptr;
  ready_ = false;
  uv_tcp_t* tcp = tcp_.release();
  auto* stream = reinterpret_cast<uv_stream_t*>(tcp);
  uv_read_stop(stream);
  tcp->data = nullptr;
  return stream;
}

void UvRaftLine::Lose(const std::string& why) {
  const std::string said = where_ + why;
  const Calls calls = calls_;
  ready_ = false;
  dial_.reset();
  timer_.Stop();
  tcp_.reset();
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
