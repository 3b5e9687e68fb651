// The topology on disk: roles, epochs and stale marks survive a restart here.
//
// A text file (TOML) that ends with a checksum line, replaced whole by write, fsync, rename and
// fsync of the folder, so that a crash leaves the old one or the new one. The new one has the old
// one's owner, group and mode; the first can be read by its owner and group.

#ifndef GEMEL_BACKEND_TOPOLOGY_POSIX_STATE_FILE_H_
#define GEMEL_BACKEND_TOPOLOGY_POSIX_STATE_FILE_H_

#include <optional>
#include <string>
#include <string_view>

#include "backend/files/unique_fd.h"
#include "backend/topology/topology.h"

namespace gemel {

// A folder's state file, held by one process at a time (flock on a lock file beside it, let go when
// this object or the process goes). Blocking calls; any one thread at a time.
class StateFile {
 public:
  StateFile() = default;
  virtual ~StateFile() = default;
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Makes the folder if need be and takes its lock. False and *error (a sentence) if the folder
  // cannot be made or written, or if another process (or another StateFile) holds it. Called once,
  // first.
  bool Open(const std::string& folder, std::string* error);

  enum class ReadResult { kFound, kNone, kFailed };
  // kNone: there is no state yet. kFailed: unreadable or damaged; *error says so, and what to do.
  ReadResult Read(Topology* topology, std::string* error);

  // Makes `topology` durable. On failure the old state stands and *error says why.
  bool Write(const Topology& topology, std::string* error);

  const std::string& path() const { return path_; }
  const std::string& folder() const { return folder_; }

 protected:
  // fsync and rename in the folder; 0, or -1 and errno. Virtual for tests of failing disks.
  virtual int Sync(int fd);
  virtual int Rename(int folder, const char* from, const char* to);

 private:
  // Where the file is: in the folder, or where a symbolic link there leads, which stays.
  struct Place {
    bool linked;
    UniqueFd own;  // the folder, if it is another
    int folder;
    std::string name;
  };
  Place Find() const;
  bool Lock(std::string* error);
  bool MakeNext(const Place& place, std::string_view text, std::string* error);
  // Replaces the file's text. *replaced: whether the new text is in place, which it may be even if
  // it is not known to be durable.
  bool Replace(std::string_view text, bool* replaced, std::string* error);
  std::optional<std::string> ReadText(std::string* error, bool* missing);
  // `what` was tried, and failed with `code` (an errno).
  std::string Failure(std::string_view what, int code) const;
  std::string Failure(std::string_view what, const std::string& why) const;

  std::string folder_;  // for messages
  std::string path_;
  UniqueFd folder_fd_;  // all files are opened by it, so that no chdir or rename leads elsewhere
  UniqueFd lock_fd_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_POSIX_STATE_FILE_H_
