#include "proxy/worker/posix_socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <utility>

namespace gemel {

namespace {

using Identity = std::pair<dev_t, ino_t>;

struct Kept {
  std::mutex mutex;
  std::map<std::string, Identity> files;
};

Kept& OfProcess() {
  static Kept kept;
  return kept;
}

void Remove(const std::string& path, const Identity& own) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0 && Identity(found.st_dev, found.st_ino) == own) {
    ::unlink(path.c_str());
  }
}

}  // namespace

void KeepSocketFile(const std::string& path) {
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0 || !S_ISSOCK(made.st_mode)) return;
  Kept& kept = OfProcess();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  kept.files[path] = {made.st_dev, made.st_ino};
}

void RemoveSocketFile(const std::string& path) {
  Kept& kept = OfProcess();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  const auto found = kept.files.find(path);
  if (found == kept.files.end()) return;
  Remove(path, found->second);
  kept.files.erase(found);
}

void RemoveSocketFiles() {
  Kept& kept = OfProcess();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  for (const auto& [path, own] : kept.files) Remove(path, own);
  kept.files.clear();
}

}  // namespace gemel
