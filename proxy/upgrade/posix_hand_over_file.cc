#include "proxy/upgrade/posix_hand_over_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

namespace gemel {

namespace {

constexpr char kVariable[] = "GEMEL_HAND_OVER";
constexpr char kFailure[] = "GEMEL_HAND_OVER_FAILED";

bool IsSocket(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool SetInherited(int fd, bool inherited) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return false;
  return ::fcntl(fd, F_SETFD, inherited ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC) == 0;
}

// All but standard input and output.
std::vector<int> OpenDescriptors() {
  std::vector<int> open;
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Close> folder(::opendir("/proc/self/fd"));
  if (folder == nullptr) return open;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    int fd = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), fd);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (fd > STDERR_FILENO && fd != ::dirfd(folder.get())) open.push_back(fd);
  }
  return open;
}

// The descriptors that it speaks of; nothing if one of them is none of a socket, or is there twice.
std::optional<std::vector<int>> SocketsIn(const HandOver& hand_over) {
  std::set<uint64_t> numbers;
  for (const HandedListener& listener : hand_over.listeners) numbers.insert(listener.socket);
  for (const HandedSession& session : hand_over.sessions) numbers.insert(session.socket);
  if (numbers.size() != hand_over.listeners.size() + hand_over.sessions.size()) return std::nullopt;
  std::vector<int> sockets;
  for (const uint64_t number : numbers) {
    const int fd = static_cast<int>(std::min<uint64_t>(number, INT32_MAX));
    if (fd <= STDERR_FILENO || !IsSocket(fd)) return std::nullopt;
    sockets.push_back(fd);
  }
  return sockets;
}

std::optional<std::string> ReadWhole(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::string text(static_cast<size_t>(status.st_size), '\0');
  for (size_t at = 0; at < text.size();) {
    const ssize_t got = ::pread(file, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    at += static_cast<size_t>(got);
  }
  return text;
}

// The arguments with which this process was started, but for that by which it took over from
// another one.
std::vector<std::string> Arguments() {
  std::vector<std::string> arguments;
  const UniqueFd file(::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t got = file.valid() ? ::read(file.get(), part, sizeof(part)) : 0;
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(part, static_cast<size_t>(got));
  }
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\0', at), text.size());
    std::string argument = text.substr(at, end - at);
    if (argument != "--take-over") arguments.push_back(std::move(argument));
    at = end + 1;
  }
  if (arguments.empty()) arguments.emplace_back("gemel");
  return arguments;
}

}  // namespace

UniqueFd MakeHandOverFile(std::string* error) {
  UniqueFd file(::memfd_create("gemel-hand-over", MFD_CLOEXEC));
  if (!file.valid()) *error = std::strerror(errno);
  return file;
}

bool FillHandOverFile(int file, const HandOver& hand_over, std::string* error) {
  const std::string text = WriteHandOver(hand_over);
  if (::ftruncate(file, 0) != 0) {
    *error = std::strerror(errno);
    return false;
  }
  for (size_t at = 0; at < text.size();) {
    const ssize_t put = ::pwrite(file, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      *error = std::strerror(put < 0 ? errno : ENOSPC);
      return false;
    }
    at += static_cast<size_t>(put);
  }
  return true;
}

Inheritance TakeInheritance() {
  Inheritance inheritance;
  const char* number = std::getenv(kVariable);
  if (number == nullptr) return inheritance;
  inheritance.any = true;
  if (const char* failure = std::getenv(kFailure)) inheritance.failure = failure;
  int fd = -1;
  const char* end = number + std::strlen(number);
  const bool whole = std::from_chars(number, end, fd).ptr == end;
  ::unsetenv(kVariable);
  ::unsetenv(kFailure);
  const UniqueFd file(whole && fd > STDERR_FILENO && !IsSocket(fd) ? fd : -1);
  std::optional<std::string> text;
  if (file.valid()) text = ReadWhole(file.get());
  inheritance.error = "there is nothing to read";
  if (text) inheritance.hand_over = ReadHandOver(*text, &inheritance.error);
  std::optional<std::vector<int>> sockets;
  if (inheritance.hand_over) sockets = SocketsIn(*inheritance.hand_over);
  if (inheritance.hand_over && !sockets) {
    inheritance.error = "its sockets are not there";
    inheritance.hand_over.reset();
  }
  for (const int open : OpenDescriptors()) {
    if (open == fd || !IsSocket(open)) continue;
    const bool known =
        sockets && std::find(sockets->begin(), sockets->end(), open) != sockets->end();
    if (known) {
      SetInherited(open, false);
    } else {
      ::close(open);
    }
  }
  return inheritance;
}

std::string CarryOut(const std::string& binary, int file, const HandOver& hand_over,
                     const std::string& failure) {
  std::vector<std::string> arguments = Arguments();
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  for (const int open : OpenDescriptors()) SetInherited(open, false);
  bool good = SetInherited(file, true);
  for (const HandedListener& listener : hand_over.listeners) {
    good &= SetInherited(static_cast<int>(listener.socket), true);
  }
  for (const HandedSession& session : hand_over.sessions) {
    good &= SetInherited(static_cast<int>(session.socket), true);
  }
  if (!good) return std::strerror(errno);
  ::setenv(kVariable, std::to_string(file).c_str(), 1);
  if (failure.empty()) {
    ::unsetenv(kFailure);
  } else {
    ::setenv(kFailure, failure.c_str(), 1);
  }
  ::execv(binary.c_str(), argv.data());
  return std::strerror(errno);
}

std::string OwnBinary() {
  constexpr std::string_view kGone = " (deleted)";
  char path[4096];
  const ssize_t size = ::readlink(kOwnImage, path, sizeof(path));
  std::string_view text(path, size < 0 ? 0 : static_cast<size_t>(size));
  if (text.ends_with(kGone)) text.remove_suffix(kGone.size());
  return std::string(text);
}

}  // namespace gemel
