// A file descriptor that is closed when its owner goes.

#ifndef GEMEL_BACKEND_FILES_UNIQUE_FD_H_
#define GEMEL_BACKEND_FILES_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace gemel {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Hands the descriptor on.
  int Release() { return std::exchange(fd_, -1); }

 private:
  void Reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  int fd_ = -1;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FILES_UNIQUE_FD_H_
