#include "proxy/reload/posix_file_sighting.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <system_error>

#include "backend/files/unique_fd.h"
#include "config/errno_text.h"

namespace gemel {

namespace {

constexpr int kMaxLinks = 40;           // as the kernel's
constexpr size_t kMaxFile = 17u << 20;  // more is no config: no more than this is read and compared

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1000000000 + int64_t{time.tv_nsec};
}

FileIdentity IdentityOf(const struct stat& found) {
  return {true,
          found.st_dev,
          found.st_ino,
          static_cast<uint64_t>(found.st_size),
          Nanoseconds(found.st_mtim),
          Nanoseconds(found.st_ctim)};
}

// Puts the parts of a path in front of those that are left to go.
void PushParts(std::string_view path, std::deque<std::string>* parts) {
  size_t end = path.size();
  while (end > 0) {
    const size_t slash = path.rfind('/', end - 1);
    const size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
    if (begin < end) parts->emplace_front(path.substr(begin, end - begin));
    if (begin == 0) return;
    end = begin - 1;
  }
}

std::string Below(const std::string& folder, const std::string& name) {
  return folder == "/" ? folder + name : folder + "/" + name;
}

void FindFolders(const std::string& path, std::map<std::string, FolderSighting>* folders) {
  std::deque<std::string> parts;
  PushParts(path, &parts);
  std::string folder = "/";
  const auto add = [&](const std::string& name) {
    struct stat found = {};
    if (::stat(folder.c_str(), &found) != 0) return;  // it is just going
    FolderSighting& sighting = (*folders)[folder];
    sighting.device = found.st_dev;
    sighting.inode = found.st_ino;
    sighting.names.insert(name);
  };
  int links = 0;
  while (!parts.empty()) {
    const std::string name = std::move(parts.front());
    parts.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      folder.resize(std::max<size_t>(folder.rfind('/'), 1));
      continue;
    }
    const std::string full = Below(folder, name);
    struct stat found = {};
    if (::lstat(full.c_str(), &found) != 0) return add(name);
    if (S_ISLNK(found.st_mode)) {
      add(name);
      char target[PATH_MAX];
      const ssize_t length = ::readlink(full.c_str(), target, sizeof target);
      if (length <= 0 || ++links > kMaxLinks) return;
      if (target[0] == '/') folder = "/";
      PushParts({target, static_cast<size_t>(length)}, &parts);
    } else if (parts.empty()) {
      return add(name);
    } else {
      folder = full;
    }
  }
}

// Reads the file. False if it changed meanwhile, or, with *error, if it cannot be read.
bool Read(const std::string& path, std::string* content, std::string* error) {
  // Not to wait for the writer of a pipe.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    *error = ErrnoText(errno);
    return false;
  }
  struct stat found = {};
  if (::fstat(file.get(), &found) != 0) return false;
  const FileIdentity identity = IdentityOf(found);
  if (!S_ISREG(found.st_mode)) {
    *error = "not a regular file";
    return false;
  }
  std::string chunk(64 << 10, '\0');
  while (content->size() < kMaxFile) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      *error = ErrnoText(errno);
      return false;
    }
    if (got == 0) break;
    content->append(chunk, 0, static_cast<size_t>(got));
  }
  return ::fstat(file.get(), &found) == 0 && IdentityOf(found) == identity;
}

}  // namespace

FileSighting LookAtFile(const std::string& path, bool read) {
  FileSighting sighting;
  FindFolders(path, &sighting.folders);
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0) {
    sighting.error = ErrnoText(errno);
    return sighting;
  }
  sighting.identity = IdentityOf(found);
  if (!read) return sighting;
  std::string content;
  if (Read(path, &content, &sighting.error)) {
    sighting.hash = HashContent(content);
  }
  return sighting;
}

uint64_t HashContent(std::string_view content) {
  return XXH3_64bits(content.data(), content.size());
}

}  // namespace gemel
