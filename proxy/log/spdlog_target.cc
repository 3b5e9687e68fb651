#include "proxy/log/spdlog_target.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "backend/files/posix_regular_file.h"
#include "config/errno_text.h"

namespace gemel {

namespace {

namespace fs = std::filesystem;

constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// gemel.log -> gemel.3.log
fs::path Rotated(const fs::path& file, uint32_t number) {
  return file.parent_path() /
         (file.stem().string() + "." + std::to_string(number) + file.extension().string());
}

bool IsSame(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

std::unique_ptr<LogTarget> LogTarget::Open(const LogConfig& config, std::string* error) {
  std::unique_ptr<LogTarget> target(new LogTarget(config));
  return target->Reopen(error) ? std::move(target) : nullptr;
}

bool LogTarget::OpenFile(UniqueFd* file, std::string* error) const {
  if (config_.file.empty()) {
    *file = UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!file->valid()) *error = ErrnoText(errno);
    return file->valid();
  }
  const char* path = config_.file.c_str();
  std::string why;
  *file = OpenRegular(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, &why);
  if (!file->valid() && errno == ENOENT) {
    const std::string folder = fs::path(config_.file).parent_path();
    if (const std::error_code code = MakeFolders(folder.empty() ? "." : folder)) {
      *error = code.message();
      return false;
    }
    *file = OpenRegular(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, &why);
  }
  struct stat found {};
  if (!file->valid() && errno == EINVAL && ::stat(path, &found) == 0) {
    // Read, too: so a pipe is open also while nobody else reads it.
    if (S_ISFIFO(found.st_mode)) *file = UniqueFd(::open(path, (kFlags & ~O_WRONLY) | O_RDWR));
    if (!file->valid() && !S_ISDIR(found.st_mode)) *file = UniqueFd(::open(path, kFlags));
    if (!file->valid() && !S_ISDIR(found.st_mode)) why = ErrnoText(errno);
  }
  if (!file->valid()) *error = why;
  return file->valid();
}

bool LogTarget::Reopen(std::string* error) {
  UniqueFd file;
  if (!OpenFile(&file, error)) return false;
  file_ = std::move(file);
  Look();
  return true;
}

void LogTarget::Look() {
  struct stat found {};
  const bool known = ::fstat(file_.get(), &found) == 0;
  regular_ = known && S_ISREG(found.st_mode) && !config_.file.empty();
  pipe_ = known && S_ISFIFO(found.st_mode);
  socket_ = known && S_ISSOCK(found.st_mode);
}

uint64_t LogTarget::Room() const {
  struct stat found {};
  if (!regular_ || ::fstat(file_.get(), &found) != 0) return UINT64_MAX;
  const auto size = static_cast<uint64_t>(found.st_size);
  return size < config_.rotate_bytes ? config_.rotate_bytes - size : 0;
}

void LogTarget::Rotate() {
  struct stat own {};
  struct stat there {};
  std::string ignored;
  if (!regular_ || ::fstat(file_.get(), &own) != 0 || own.st_size == 0) return;
  if (::stat(config_.file.c_str(), &there) != 0 || !IsSame(own, there)) {
    Reopen(&ignored);  // somebody else has rotated it
    return;
  }
  if (config_.rotate_files == 0) {
    [[maybe_unused]] const int failed = ::ftruncate(file_.get(), 0);
    return;
  }
  std::error_code code;
  const fs::path file = fs::canonical(config_.file, code);
  if (code) return;
  for (uint32_t i = config_.rotate_files; i > 0; --i) {
    fs::rename(i == 1 ? file : Rotated(file, i - 1), Rotated(file, i), code);
  }
  if (code) return;
  UniqueFd next(::open(file.c_str(), kFlags | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR));
  if (!next.valid()) return;
  // Who may read the old one may read the new one; where its owner cannot be kept, at least no more
  // people.
  if (!KeepTraits(next.get(), file_.get(), &ignored)) {
    [[maybe_unused]] const int failed = ::fchmod(next.get(), own.st_mode & 0777);
  }
  file_ = std::move(next);
}

LogTarget::Wrote LogTarget::Write(std::string_view* text) {
  while (!text->empty()) {
    size_t size = text->size();
    if (!regular_) {
      // The descriptor may be shared with others, who want it to block: what is asked for must fit.
      pollfd ready{file_.get(), POLLOUT, 0};
      if (::poll(&ready, 1, 0) == 0) return Wrote::kLater;
      if (pipe_) size = std::min<size_t>(size, PIPE_BUF);
    }
    const ssize_t wrote = socket_
                              ? ::send(file_.get(), text->data(), size, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : ::write(file_.get(), text->data(), size);
    if (wrote > 0) {
      text->remove_prefix(static_cast<size_t>(wrote));
    } else if (wrote < 0 && errno == EAGAIN) {
      return Wrote::kLater;
    } else if (wrote == 0 || errno != EINTR) {
      error_ = ErrnoText(wrote == 0 ? ENOSPC : errno);
      return Wrote::kFailed;
    }
  }
  error_.clear();
  return Wrote::kAll;
}

void LogTarget::WaitUntilWritable(int ms) const {
  pollfd ready{file_.get(), POLLOUT, 0};
  ::poll(&ready, 1, ms);
}

}  // namespace gemel
