#include "config/posix_config_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "config/errno_text.h"

namespace gemel {

namespace {

constexpr int kReadAttempts = 5;
// For what is no file: so often, and for so long each time, it is waited for.
constexpr int kMaxWaits = 50;
constexpr int kWaitMs = 100;

bool IsSame(const struct stat& before, const struct stat& after) {
  return before.st_size == after.st_size && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
         before.st_mtim.tv_nsec == after.st_mtim.tv_nsec &&
         before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
         before.st_ctim.tv_nsec == after.st_ctim.tv_nsec;
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// What is not a regular file (a pipe, a terminal) may have something later: true once it has, or is
// at its end, and false if that takes too long.
bool WaitForMore(int fd, int* waits) {
  for (; *waits < kMaxWaits; ++*waits) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, kWaitMs) > 0) return true;
  }
  return false;
}

// Appends all of it, up to the limit. False and errno.
bool ReadAll(int fd, bool regular, std::string* text) {
  std::unique_ptr<char[]> chunk(new char[64 << 10]);
  int waits = 0;
  bool begun = regular;  // before it nobody may have opened the other end of the pipe
  while (text->size() <= kMaxConfigBytes) {
    const ssize_t got = ::read(fd, chunk.get(), 64 << 10);
    if (got > 0) {
      begun = true;
      text->append(chunk.get(), static_cast<size_t>(got));
    } else if (got == 0 && begun) {
      return true;
    } else if (got == 0 || errno == EAGAIN) {
      if (!WaitForMore(fd, &waits)) {
        errno = ETIMEDOUT;
        return false;
      }
      begun = begun || got == 0;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

// The whole file, or nothing and *message. Reads no more than the limit, so that a device or pipe
// without an end does no harm, and waits for no more than some seconds for who writes into a pipe.
// *changed: a regular file changed under way, so that the text may be that of two files.
std::optional<std::string> ReadOnce(const std::string& path, bool* changed, std::string* message) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.fd < 0) {
    *message = "cannot open it: " + ErrnoText(errno) + ", expected a readable file";
    return std::nullopt;
  }
  struct stat before {};
  struct stat after {};
  const bool known = ::fstat(file.fd, &before) == 0 && S_ISREG(before.st_mode);
  std::string text;
  if (!ReadAll(file.fd, known, &text)) {
    const int code = errno;
    *message = code == EISDIR ? "is a folder, expected a file"
               : code == ETIMEDOUT
                   ? "is no file, and nobody writes into it, expected a file"
                   : "cannot read it: " + ErrnoText(code) + ", expected a readable file";
    return std::nullopt;
  }
  *changed = known && (::fstat(file.fd, &after) != 0 || !IsSame(before, after));
  return text;
}

std::optional<std::string> ReadFile(const std::string& path, std::string* message) {
  if (path.empty()) {
    *message = "no file name, expected that of a configuration file";
    return std::nullopt;
  }
  // One that is renamed over it while it is read changes it, too: the next attempt reads that.
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    bool changed = false;
    std::optional<std::string> text = ReadOnce(path, &changed, message);
    if (!changed) return text;
  }
  *message =
      "is being written: it changed each time that it was read, expected a file that is still";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ReadConfigFile(const std::string& path, ConfigError* error) {
  std::string message;
  std::optional<std::string> text = ReadFile(path, &message);
  if (text && text->size() > kMaxConfigBytes) {
    message = ConfigTooLarge();
    text.reset();
  }
  if (!text) *error = ConfigError{path, 0, 0, std::move(message)};
  return text;
}

std::optional<ConfigError> CheckSecretFile(const Config& config) {
  struct stat file {};
  if (config.allow_readable_secrets || !HasSecrets(config) ||
      ::stat(config.file.c_str(), &file) != 0 || !S_ISREG(file.st_mode) ||
      (file.st_mode & S_IROTH) == 0) {
    return std::nullopt;
  }
  return ConfigError{config.file, 0, 0,
                     "has a password and can be read by everybody on this machine: chmod o-r it, "
                     "or say allow_readable_secrets = true in [proxy]"};
}

std::optional<Config> LoadConfigFile(const std::string& path, ConfigError* error) {
  const std::optional<std::string> text = ReadConfigFile(path, error);
  return text ? LoadConfigText(*text, path, error) : std::nullopt;
}

}  // namespace gemel
