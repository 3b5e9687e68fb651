#include "backend/topology/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace gemel {
namespace {

constexpr char kFileName[] = "topology.toml";
constexpr char kTempName[] = "topology.toml.tmp";
constexpr char kLockName[] = "lock";

// Thousands of shards fit; a larger file is not ours.
constexpr size_t kMaxBytes = size_t{64} << 20;

int OpenAt(int folder, const char* name, int flags) {
  int fd;
  do {
    fd = ::openat(folder, name, flags | O_CLOEXEC, 0640);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (n == 0) {
      errno = ENOSPC;
      return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool ReadAll(int fd, std::string* bytes) {
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n == 0) return true;
    if (n > 0) {
      bytes->append(buffer, static_cast<size_t>(n));
      if (bytes->size() > kMaxBytes) {
        errno = EFBIG;
        return false;
      }
    } else if (errno != EINTR) {
      return false;
    }
  }
}

// What is in the lock file: the process that holds it, for the message to the others.
std::string Holder(int lock_fd) {
  char buffer[32];
  const ssize_t n = ::pread(lock_fd, buffer, sizeof(buffer), 0);
  std::string pid;
  for (ssize_t i = 0; i < n && buffer[i] >= '0' && buffer[i] <= '9'; ++i) pid += buffer[i];
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

int StateFile::Sync(int fd) {
  int result;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result;
}

int StateFile::Rename(const char* from, const char* to) {
  return ::renameat(folder_fd_.get(), from, folder_fd_.get(), to);
}

std::string StateFile::Failure(std::string_view what, int code) const {
  return "the state in " + folder_ + " cannot be kept: " + std::string(what) + ": " +
         std::generic_category().message(code);
}

bool StateFile::Open(const std::string& folder, std::string* error) {
  folder_ = folder;
  path_ = folder + "/" + kFileName;

  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) {
    *error = Failure("cannot make the folder", code.value()) +
             "; make it by hand, or set state_dir to a folder that this user can write";
    return false;
  }
  folder_fd_ = UniqueFd(OpenAt(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (!folder_fd_.valid()) {
    *error = Failure("cannot open the folder", errno) + "; state_dir must be a folder";
    return false;
  }
  if (::faccessat(folder_fd_.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    *error = Failure("cannot write to the folder", errno) +
             "; give this user the right to, or set state_dir to another folder";
    return false;
  }
  return Lock(error);
}

bool StateFile::Lock(std::string* error) {
  lock_fd_ = UniqueFd(OpenAt(folder_fd_.get(), kLockName, O_RDWR | O_CREAT));
  if (!lock_fd_.valid()) {
    *error = Failure("cannot open " + folder_ + "/" + kLockName, errno) +
             "; give this user the right to write it, or set state_dir to another folder";
    return false;
  }
  int result;
  do {
    result = ::flock(lock_fd_.get(), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    const int code = errno;
    *error = code == EWOULDBLOCK
                 ? "the state folder " + folder_ + " is in use by " + Holder(lock_fd_.get()) +
                       "; stop it, or set state_dir to another folder"
                 : Failure("cannot lock " + folder_ + "/" + kLockName, code);
    lock_fd_ = UniqueFd();
    return false;
  }
  // Best effort: the number is only for the message of the next who tries.
  if (::ftruncate(lock_fd_.get(), 0) == 0) {
    const std::string pid = std::to_string(::getpid()) + "\n";
    [[maybe_unused]] const ssize_t n = ::pwrite(lock_fd_.get(), pid.data(), pid.size(), 0);
  }
  return true;
}

std::optional<std::string> StateFile::ReadText(std::string* error, bool* missing) {
  *missing = false;
  const UniqueFd fd(OpenAt(folder_fd_.get(), kFileName, O_RDONLY));
  std::string text;
  if (fd.valid() && ReadAll(fd.get(), &text)) return text;
  const int code = errno;
  *missing = !fd.valid() && code == ENOENT;
  *error = "the state file " + path_ + " cannot be read: " + std::generic_category().message(code);
  return std::nullopt;
}

StateFile::ReadResult StateFile::Read(Topology* topology, std::string* error) {
  bool missing;
  const std::optional<std::string> text = ReadText(error, &missing);
  if (!text) {
    if (missing) return ReadResult::kNone;
    *error += "; give this user the right to read it";
    return ReadResult::kFailed;
  }
  std::string why;
  std::optional<Topology> decoded = DecodeTopology(*text, &why);
  if (!decoded) {
    *error = "the state file " + path_ + " cannot be used: " + why +
             "; restore it from a backup, or remove it to have the primaries of the config believed"
             " (see first that they have the right data)";
    return ReadResult::kFailed;
  }
  *topology = *std::move(decoded);
  return ReadResult::kFound;
}

bool StateFile::Replace(std::string_view text, bool* replaced, std::string* error) {
  *replaced = false;
  const int folder = folder_fd_.get();
  std::string failed;
  {
    const UniqueFd fd(OpenAt(folder, kTempName, O_WRONLY | O_CREAT | O_TRUNC));
    if (!fd.valid()) {
      *error = Failure("cannot make " + path_ + ".tmp", errno);
      return false;
    }
    if (!WriteAll(fd.get(), text)) {
      failed = Failure("cannot write " + path_ + ".tmp", errno);
    } else if (Sync(fd.get()) != 0) {
      failed = Failure("cannot sync " + path_ + ".tmp", errno);
    }
  }
  if (failed.empty() && Rename(kTempName, kFileName) != 0) {
    failed = Failure("cannot rename " + path_ + ".tmp", errno);
  }
  if (!failed.empty()) {
    ::unlinkat(folder, kTempName, 0);
    *error = failed;
    return false;
  }
  *replaced = true;
  if (Sync(folder) != 0) {
    *error = Failure("cannot sync the folder", errno);
    return false;
  }
  return true;
}

bool StateFile::Write(const Topology& topology, std::string* error) {
  if (!lock_fd_.valid()) {
    *error = "the state folder is not open";
    return false;
  }
  bool missing;
  std::string ignored;
  const std::optional<std::string> old = ReadText(&ignored, &missing);

  bool replaced;
  if (Replace(EncodeTopology(topology), &replaced, error)) return true;
  // The new text is in place but may not be durable. The caller goes on with the old state, so the
  // old text must be what a restart finds.
  if (replaced && old) {
    Replace(*old, &replaced, &ignored);
  } else if (replaced && missing) {
    ::unlinkat(folder_fd_.get(), kFileName, 0);
  }
  return false;
}

}  // namespace gemel
