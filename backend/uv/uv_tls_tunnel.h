// TLS for who knows nothing of it: what is written to one end of a pair of sockets goes to a server
// with TLS, or to a client, and what that says comes out there. For control traffic and for raft:
// hiredis 0.14 and libraft read and write their sockets themselves.

#ifndef GEMEL_BACKEND_UV_UV_TLS_TUNNEL_H_
#define GEMEL_BACKEND_UV_UV_TLS_TUNNEL_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "backend/bytes/byte_buffer.h"
#include "backend/files/unique_fd.h"
#include "backend/tls/openssl_channel.h"

namespace gemel {

// One loop, one thread. The loop must turn until its handles are closed.
class UvTlsTunnel {
 public:
  // `wire`: a connection that is made; `plain`: this end of the pair. Both non-blocking. The
  // handshake begins. Null if the loop cannot watch them.
  static std::unique_ptr<UvTlsTunnel> Open(uv_loop_t* loop, UniqueFd wire, UniqueFd plain,
                                           std::unique_ptr<OpensslChannel> channel);
  // Closes both.
  ~UvTlsTunnel();
  UvTlsTunnel(const UvTlsTunnel&) = delete;
  UvTlsTunnel& operator=(const UvTlsTunnel&) = delete;

  // Nothing comes or goes any more; the other end of the pair sees that, too.
  bool finished() const { return finished_; }
  // Runs once it is, if it is not yet, and may destroy the tunnel.
  void set_on_finish(std::function<void()> on_finish) { on_finish_ = std::move(on_finish); }
  // What the other side said is no TLS, or not what it has to be.
  bool failed() const { return channel_->state() == OpensslChannel::State::kFailed; }
  // Why it has ended, a phrase; empty if it has not, or the server just closed the connection.
  const std::string& error() const { return error_; }

 private:
  struct End;
  explicit UvTlsTunnel(std::unique_ptr<OpensslChannel> channel);
  void OnReady(const End* end, int status, int events);
  void ReadWire();
  void ReadPlain();
  void WriteWire();
  void WritePlain();
  // The other end of the pair sees the end of all.
  void Finish(std::string error);
  void Watch();

  const std::unique_ptr<OpensslChannel> channel_;
  End* wire_ = nullptr;   // freed by its close callback
  End* plain_ = nullptr;  // the same
  ByteBuffer heard_;      // for the plain end
  size_t told_ = 0;       // of it
  bool finished_ = false;
  std::string error_;
  std::function<void()> on_finish_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_TLS_TUNNEL_H_
