#include "backend/uv/uring_socket_batch.h"

#include <liburing.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "backend/files/unique_fd.h"

namespace gemel {

namespace {

constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

// By send and recv, which spare the kernel the way of files.
ssize_t RunAlone(const SocketOp& op) {
  ssize_t result = 0;
  if (op.kind == SocketOp::Kind::kReceive) {
    result = ::recv(op.fd, op.parts[0].iov_base, op.parts[0].iov_len, kFlags);
  } else if (op.part_count == 1) {
    result = ::send(op.fd, op.parts[0].iov_base, op.parts[0].iov_len, kFlags);
  } else {
    msghdr message{};
    message.msg_iov = op.parts;
    message.msg_iovlen = op.part_count;
    result = ::sendmsg(op.fd, &message, kFlags);
  }
  return result < 0 ? -errno : result;
}

}  // namespace

// Operations with MSG_DONTWAIT end while they are submitted, so that nothing is ever left in the
// ring: it is used as a system call that takes many.
class SocketBatch::Ring {
 public:
  Ring() = default;
  ~Ring() {
    if (made_) io_uring_queue_exit(&ring_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // 0, or -errno.
  int Make() {
    const int status = io_uring_queue_init(kMax, &ring_, 0);
    if (status < 0) return status;
    made_ = true;
    io_uring_register_ring_fd(&ring_);  // saves a look-up a call; where it is not there, never mind
    return Try();
  }

  // False if the ring is broken. What became of an operation without a result is not known then,
  // and its connection is not to go on: -EIO.
  bool Run(std::span<SocketOp> ops) {
    for (size_t i = 0; i < ops.size(); ++i) {
      SocketOp& op = ops[i];
      io_uring_sqe* entry = io_uring_get_sqe(&ring_);
      if (op.kind == SocketOp::Kind::kReceive) {
        io_uring_prep_recv(entry, op.fd, op.parts[0].iov_base, op.parts[0].iov_len, kFlags);
      } else if (op.part_count == 1) {
        io_uring_prep_send(entry, op.fd, op.parts[0].iov_base, op.parts[0].iov_len, kFlags);
      } else {
        messages_[i] = {};
        messages_[i].msg_iov = op.parts;
        messages_[i].msg_iovlen = op.part_count;
        io_uring_prep_sendmsg(entry, op.fd, &messages_[i], kFlags);
      }
      io_uring_sqe_set_data64(entry, i);
      op.result = -EIO;
    }
    size_t done = 0;
    while (done < ops.size()) {
      const int status = io_uring_submit_and_wait(&ring_, static_cast<unsigned>(ops.size() - done));
      if (status < 0 && status != -EINTR && status != -EAGAIN) return false;
      io_uring_cqe* entry = nullptr;
      unsigned head = 0;
      unsigned seen = 0;
      io_uring_for_each_cqe(&ring_, head, entry) {
        ops[io_uring_cqe_get_data64(entry)].result = entry->res;
        ++seen;
      }
      io_uring_cq_advance(&ring_, seen);
      done += seen;
    }
    return true;
  }

 private:
  // An old kernel would wait for data although it is told not to.
  int Try() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -errno;
    const UniqueFd near(pair[0]);
    const UniqueFd far(pair[1]);
    char byte = 0;
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    io_uring_prep_recv(entry, near.get(), &byte, 1, kFlags);
    int status = io_uring_submit(&ring_);
    if (status < 0) return status;
    io_uring_cqe* end = nullptr;
    status = io_uring_peek_cqe(&ring_, &end);
    if (status < 0) return -ENOSYS;  // the ring, and with it what is in it, goes with its owner
    status = end->res;
    io_uring_cqe_seen(&ring_, end);
    return status == -EAGAIN ? 0 : -ENOSYS;
  }

  io_uring ring_{};
  bool made_ = false;
  msghdr messages_[kMax];
};

SocketBatch::SocketBatch() = default;
SocketBatch::~SocketBatch() = default;

bool SocketBatch::UseRing(bool use, std::string* why) {
  if (!use) {
    ring_.reset();
    return true;
  }
  if (ring_ != nullptr) return true;
  auto ring = std::make_unique<Ring>();
  if (const int status = ring->Make(); status < 0) {
    *why = "this kernel does not give it (" + std::string(std::strerror(-status)) + ")";
    return false;
  }
  ring_ = std::move(ring);
  return true;
}

void SocketBatch::Run(std::span<SocketOp> ops) {
  if (ring_ != nullptr && ops.size() > 1) {
    if (ring_->Run(ops)) return;
    ring_.reset();
    return;
  }
  for (SocketOp& op : ops) op.result = RunAlone(op);
}

}  // namespace gemel
