// Many sends and receives at once: one system call for all of them where the kernel has io_uring
// (Linux 5.19 and later; often forbidden in containers), else one for each.

#ifndef GEMEL_BACKEND_UV_URING_SOCKET_BATCH_H_
#define GEMEL_BACKEND_UV_URING_SOCKET_BATCH_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace gemel {

// One send or receive on a socket, which does not wait.
struct SocketOp {
  enum class Kind : uint8_t { kReceive, kSend };

  Kind kind = Kind::kReceive;
  int fd = -1;
  iovec* parts = nullptr;  // where from or to; of a receive just one
  size_t part_count = 0;
  ssize_t result = 0;  // set by Run: bytes, or -errno
};

// Used on one thread. Holds no memory of its callers' between two calls.
class SocketBatch {
 public:
  // How many operations are worth a call.
  static constexpr size_t kMax = 32;

  SocketBatch();
  ~SocketBatch();
  SocketBatch(const SocketBatch&) = delete;
  SocketBatch& operator=(const SocketBatch&) = delete;

  // From now on with io_uring, or without. False and *why (a sentence without a full stop) if the
  // kernel does not have it, or not for this process; then it goes on without.
  bool UseRing(bool use, std::string* why);
  bool uses_ring() const { return ring_ != nullptr; }

  // Carries out at most kMax operations, in their order, and sets their results. None waits: one
  // that would have to has -EAGAIN. No two are receives on the same socket.
  void Run(std::span<SocketOp> ops);

 private:
  class Ring;

  std::unique_ptr<Ring> ring_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_URING_SOCKET_BATCH_H_
