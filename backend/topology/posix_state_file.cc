#include "backend/topology/posix_state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "backend/files/posix_regular_file.h"
#include "backend/topology/topology_text.h"
#include "config/errno_text.h"

namespace gemel {
namespace {

constexpr char kFileName[] = "topology.toml";
constexpr char kTempEnd[] = ".tmp";
constexpr char kLockName[] = "lock";

// Thousands of shards fit; a larger file is not ours.
constexpr size_t kMaxBytes = size_t{64} << 20;
constexpr int kMaxLinks = 8;

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

int StateFile::Rename(int folder, const char* from, const char* to) {
  return ::renameat(folder, from, folder, to);
}

StateFile::Place StateFile::Find() const {
  Place place{false, {}, folder_fd_.get(), kFileName};
  for (int links = 0; links < kMaxLinks; ++links) {
    char target[4096];
    const ssize_t length =
        ::readlinkat(place.folder, place.name.c_str(), target, sizeof(target) - 1);
    if (length <= 0) break;
    place.linked = true;
    const std::string path(target, static_cast<size_t>(length));
    const size_t slash = path.rfind('/');
    if (slash != std::string::npos) {
      const std::string folder = path.substr(0, slash + 1);
      UniqueFd next(::openat(place.folder, folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!next.valid()) break;  // the link itself is what cannot be read
      place.own = std::move(next);
      place.folder = place.own.get();
    }
    place.name = path.substr(slash + 1);
  }
  return place;
}

std::string StateFile::Failure(std::string_view what, const std::string& why) const {
  return "the state in " + folder_ + " cannot be kept: " + std::string(what) + ": " + why;
}

std::string StateFile::Failure(std::string_view what, int code) const {
  return Failure(what, ErrnoText(code));
}

bool StateFile::Open(const std::string& folder, std::string* error) {
  folder_ = folder;
  path_ = folder + "/" + kFileName;

  if (const std::error_code code = MakeFolders(folder)) {
    *error = Failure("cannot make the folder", code.value()) +
             "; make it by hand, or set state_dir to a folder that this user can write";
    return false;
  }
  folder_fd_ = UniqueFd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_fd_.valid()) {
    *error = Failure("cannot open the folder", errno) + "; state_dir must be a folder";
    return false;
  }
  if (::faccessat(folder_fd_.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    *error = Failure("cannot write to the folder", errno) +
             "; give this user the right to, or set state_dir to another folder";
    return false;
  }
  if (!Lock(error)) return false;
  // What a process left that was killed while it wrote.
  const Place place = Find();
  ::unlinkat(place.folder, (place.name + kTempEnd).c_str(), 0);
  return true;
}

bool StateFile::Lock(std::string* error) {
  std::string why;
  lock_fd_ = OpenRegular(folder_fd_.get(), kLockName, O_RDWR | O_CREAT, &why);
  if (!lock_fd_.valid()) {
    *error = Failure("cannot open " + folder_ + "/" + kLockName, why) +
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
  const Place place = Find();
  std::string why;
  const UniqueFd fd = OpenRegular(place.folder, place.name.c_str(), O_RDONLY, &why);
  *missing = !fd.valid() && errno == ENOENT && !place.linked;
  std::string text;
  if (fd.valid()) {
    if (ReadAll(fd.get(), &text)) return text;
    why = ErrnoText(errno);
  }
  *error = "the state file " + path_ + " cannot be read: " + why;
  return std::nullopt;
}

StateFile::ReadResult StateFile::Read(Topology* topology, std::string* error) {
  bool missing;
  const std::optional<std::string> text = ReadText(error, &missing);
  if (!text) {
    if (missing) return ReadResult::kNone;
    *error += "; it must be a regular file that this user can read";
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

// A file that takes the place of the old one, with the new text in it.
bool StateFile::MakeNext(const Place& place, std::string_view text, std::string* error) {
  std::string why;
  const UniqueFd old = OpenRegular(place.folder, place.name.c_str(), O_RDONLY, &why);
  // (A link that leads nowhere: most likely what it leads to is not mounted.)
  if (!old.valid() && (errno != ENOENT || place.linked)) {
    *error = Failure("cannot open " + path_, why);
    return false;
  }
  const std::string next = place.name + kTempEnd;
  const std::string shown = path_ + kTempEnd;
  // Whatever has this name, it is neither waited for nor followed.
  ::unlinkat(place.folder, next.c_str(), 0);
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const UniqueFd fd(
      ::openat(place.folder, next.c_str(), flags, old.valid() ? S_IRUSR | S_IWUSR : kFileMode));
  if (!fd.valid()) {
    *error = Failure("cannot make " + shown, errno);
    return false;
  }
  struct stat made {};
  if (old.valid()) {
    if (!KeepTraits(fd.get(), old.get(), &why)) *error = Failure(shown, why);
  } else if (::fstat(fd.get(), &made) != 0 ||
             ::fchmod(fd.get(), (made.st_mode & 0777) | 0600) != 0) {
    *error = Failure("cannot make " + shown, errno);  // whatever the umask, the owner reads it
  }
  if (error->empty() && !WriteAll(fd.get(), text)) {
    *error = Failure("cannot write " + shown, errno);
  } else if (error->empty() && Sync(fd.get()) != 0) {
    *error = Failure("cannot sync " + shown, errno);
  }
  if (error->empty()) return true;
  ::unlinkat(place.folder, next.c_str(), 0);
  return false;
}

bool StateFile::Replace(std::string_view text, bool* replaced, std::string* error) {
  *replaced = false;
  error->clear();
  const Place place = Find();
  if (!MakeNext(place, text, error)) return false;
  const std::string next = place.name + kTempEnd;
  if (Rename(place.folder, next.c_str(), place.name.c_str()) != 0) {
    *error = Failure("cannot rename " + path_ + kTempEnd, errno);
    ::unlinkat(place.folder, next.c_str(), 0);
    return false;
  }
  *replaced = true;
  if (Sync(place.folder) != 0) {
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
