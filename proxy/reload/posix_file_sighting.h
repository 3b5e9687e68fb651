// What a file is at a moment: which one its path leads to, over which folders, and with what in it.

#ifndef GEMEL_PROXY_RELOAD_POSIX_FILE_SIGHTING_H_
#define GEMEL_PROXY_RELOAD_POSIX_FILE_SIGHTING_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace gemel {

// Of the file at the end of all symbolic links. While it stays the same the content most likely
// does.
struct FileIdentity {
  bool there = false;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;

  bool operator==(const FileIdentity&) const = default;
};

// A folder in which a change of one of these names can make the path lead elsewhere.
struct FolderSighting {
  uint64_t device = 0;
  uint64_t inode = 0;
  std::set<std::string> names;
};

struct FileSighting {
  // By their paths, which contain no links: that of each link on the way, that of the file itself,
  // or, where the way ends early, that of the first name that is missing.
  std::map<std::string, FolderSighting> folders;
  FileIdentity identity;
  std::optional<uint64_t>
      hash;           // of the content, if it was to be read and did not change meanwhile
  std::string error;  // why the file is not there or cannot be read, else empty
};

// Looks at the file; `path` is absolute. Blocks as long as the file system does. Any thread.
FileSighting LookAtFile(const std::string& path, bool read);

// As in FileSighting.
uint64_t HashContent(std::string_view content);

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_POSIX_FILE_SIGHTING_H_
