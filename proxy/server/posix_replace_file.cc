#include "proxy/server/posix_replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "backend/files/posix_regular_file.h"
#include "config/errno_text.h"

namespace gemel {

namespace {

bool Fail(const std::string& what, std::string* error) {
  *error = what + ": " + ErrnoText(errno);
  return false;
}

}  // namespace

bool ReplaceFile(const std::string& path, std::string_view text, std::string* error) {
  std::error_code code;
  const std::filesystem::path target = std::filesystem::canonical(path, code);
  if (code) {
    *error = path + ": " + code.message();
    return false;
  }
  std::string why;
  const UniqueFd old = OpenRegular(AT_FDCWD, target.c_str(), O_RDONLY, &why);
  if (!old.valid()) {
    *error = target.string() + ": " + why;
    return false;
  }
  std::string temporary = target.string() + ".XXXXXX";
  const UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));  // for its owner alone
  if (!file.valid()) return Fail("a file beside " + target.string(), error);
  // Text first: what is in it is not for the new owner before all of it is.
  bool written = WriteAll(file.get(), text);
  if (!written) {
    Fail(temporary, error);
  } else if (!KeepTraits(file.get(), old.get(), &why)) {
    *error = target.string() + ": " + why;
    written = false;
  } else if (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), target.c_str()) != 0) {
    written = Fail(temporary, error);
  }
  if (!written) {
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
