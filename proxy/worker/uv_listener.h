// Listening sockets: made by hand, because each worker has its own on the same address
// (SO_REUSEPORT), then given to libuv.

#ifndef GEMEL_PROXY_WORKER_UV_LISTENER_H_
#define GEMEL_PROXY_WORKER_UV_LISTENER_H_

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/files/unique_fd.h"
#include "config/address.h"

namespace gemel {

// Binds an address for `count` workers. Returns `count` sockets for each address of the host, the
// i-th of each group for the i-th worker, or nothing and *error (a sentence: the port is in use,
// the address is not this machine's, ...). For TCP each is a socket of its own; for a Unix socket
// they share one, whose file is kept (socket_file.h). A Unix socket's file that nobody listens on
// is replaced. Of a host of several addresses those that this machine does not have are passed
// over, if one is left. `own`: where this process listens already, which may be what is in the way.
// Waits for the host to be resolved, for ten seconds at most or until UvNames::Process().Stop();
// any thread but a loop's.
std::vector<UniqueFd> BindListeners(const Address& address, uint32_t count,
                                    const std::vector<Address>& own, std::string* error);

// Accepts on one socket, on one loop. The loop must turn after it is destroyed.
class UvListener {
 public:
  // A connection was accepted; `unix_socket` says on what kind of address.
  using OnConnection = std::function<void(UniqueFd socket, bool unix_socket)>;
  // Takes the socket, which is non-blocking.
  UvListener(uv_loop_t* loop, UniqueFd socket, bool unix_socket, OnConnection on_connection);
  ~UvListener();
  UvListener(const UvListener&) = delete;
  UvListener& operator=(const UvListener&) = delete;

  // From now on connections are accepted. False and *error if that cannot be.
  bool Start(std::string* error);
  // Nobody is accepted until Start: who comes waits. Returns the socket.
  int Pause();
  // Accepts whoever has connected already, before the end: the system would reset them.
  void AcceptRest();

 private:
  struct Handle;
  enum class Step { kAccepted, kNobody, kFailed };
  Step AcceptOne(int* code);
  void Accept();

  Handle* handle_;  // freed by its close callback
  OnConnection on_connection_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_LISTENER_H_
