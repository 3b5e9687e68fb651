// TLS for who knows nothing of it: what is written to one end of a pair of sockets goes to a server
// with TLS, and what that says comes out there. For control traffic: hiredis 0.14 reads and writes
// its socket itself.

#ifndef GEMEL_BACKEND_UV_UV_TLS_TUNNEL_H_
#define GEMEL_BACKEND_UV_UV_TLS_TUNNEL_H_

#include <uv.h>

#include <memory>
#include <string>

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
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_TLS_TUNNEL_H_
