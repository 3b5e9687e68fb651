#include "backend/files/posix_regular_file.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "config/errno_text.h"

namespace gemel {

namespace {

constexpr char kFolder[] = "it is a folder, not a file";
constexpr char kAccessList[] = "system.posix_acl_access";

int Open(int folder, const char* name, int flags) {
  int fd;
  do {
    fd = ::openat(folder, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, kFileMode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

// A umask may take even the owner's rights.
void GiveOwner(int fd, mode_t rights) {
  struct stat made {};
  if (::fstat(fd, &made) == 0 && (made.st_mode & rights) != rights) {
    [[maybe_unused]] const int ignored = ::fchmod(fd, (made.st_mode & 07777) | rights);
  }
}

bool Fail(const std::string& what, std::string* why) {
  *why = what + " cannot be kept: " + ErrnoText(errno);
  return false;
}

// What the folder gave the new file of itself must not stay, either.
bool KeepAccessList(int fd, int old) {
  std::array<char, 4096> list;
  const ssize_t size = ::fgetxattr(old, kAccessList, list.data(), list.size());
  if (size > 0) return ::fsetxattr(fd, kAccessList, list.data(), static_cast<size_t>(size), 0) == 0;
  if (size < 0 && errno != ENODATA && errno != ENOTSUP) return false;
  return ::fremovexattr(fd, kAccessList) == 0 || errno == ENODATA || errno == ENOTSUP;
}

}  // namespace

UniqueFd OpenRegular(int folder, const char* name, int flags, std::string* why) {
  UniqueFd fd(Open(folder, name, flags & ~O_CREAT));
  if (!fd.valid() && errno == ENOENT && (flags & O_CREAT) != 0) {
    fd = UniqueFd(Open(folder, name, flags));
    if (fd.valid()) GiveOwner(fd.get(), S_IRUSR | S_IWUSR);
  }
  if (!fd.valid() && errno != ENXIO) {  // that: a pipe without a reader, or a socket
    const int code = errno;
    *why = code == EISDIR ? kFolder : ErrnoText(code);
    errno = code;
    return {};
  }
  struct stat found {};
  if (fd.valid() && ::fstat(fd.get(), &found) == 0 && S_ISREG(found.st_mode)) return fd;
  *why = S_ISDIR(found.st_mode) ? kFolder : "it is not a regular file";
  errno = EINVAL;
  return {};
}

std::error_code MakeFolders(const std::string& path) {
  std::filesystem::path folder;
  for (const auto& part : std::filesystem::path(path)) {
    folder /= part;
    if (::mkdir(folder.c_str(), kFolderMode) == 0) {
      const UniqueFd made(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
      struct stat now {};
      if (::fstat(made.get(), &now) == 0 && (now.st_mode & S_IRWXU) != S_IRWXU) {
        [[maybe_unused]] const int ignored =
            ::chmod(folder.c_str(), (now.st_mode & 07777) | S_IRWXU);
      }
    } else if (errno != EEXIST && errno != EISDIR) {
      const int code = errno;
      // Above it there may be what only others can look into, or what nobody can write.
      struct stat there {};
      if (::stat(folder.c_str(), &there) != 0) return {code, std::generic_category()};
    }
  }
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {errno, std::generic_category()};
  return {S_ISDIR(found.st_mode) ? 0 : ENOTDIR, std::generic_category()};
}

bool KeepTraits(int fd, int old, std::string* why) {
  struct stat was {};
  struct stat is {};
  if (::fstat(old, &was) != 0 || ::fstat(fd, &is) != 0) return Fail("its owner", why);
  const bool owned = was.st_uid == is.st_uid && was.st_gid == is.st_gid;
  if (!owned && ::fchown(fd, was.st_uid, was.st_gid) != 0) {
    return Fail("its owner (user " + std::to_string(was.st_uid) + ", group " +
                    std::to_string(was.st_gid) + ")",
                why);
  }
  if (!KeepAccessList(fd, old)) return Fail("its access list", why);
  if (::fchmod(fd, was.st_mode & 07777) != 0) return Fail("its mode", why);
  return true;
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

}  // namespace gemel
