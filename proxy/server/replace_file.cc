#include "proxy/server/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "backend/topology/unique_fd.h"

namespace gemel {

namespace {

bool Fail(const std::string& what, std::string* error) {
  *error = what + ": " + std::generic_category().message(errno);
  return false;
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return ::fsync(fd) == 0;
}

}  // namespace

bool ReplaceFile(const std::string& path, std::string_view text, std::string* error) {
  std::error_code code;
  const std::filesystem::path target = std::filesystem::canonical(path, code);
  if (code) {
    *error = path + ": " + code.message();
    return false;
  }
  struct stat old {};
  if (::stat(target.c_str(), &old) != 0) return Fail(target.string(), error);
  std::string temporary = target.string() + ".XXXXXX";
  const UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.valid()) return Fail("a file beside " + target.string(), error);
  if (::fchmod(file.get(), old.st_mode & 07777) != 0 || !WriteAll(file.get(), text) ||
      ::rename(temporary.c_str(), target.c_str()) != 0) {
    Fail(temporary, error);
    ::unlink(temporary.c_str());
    return false;
  }
  // The name must last, too.
  const UniqueFd folder(::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) {
    return Fail("the folder of " + target.string(), error);
  }
  return true;
}

}  // namespace gemel
