// The topology on disk: roles, epochs and stale marks survive a restart here.
//
// A text file (TOML) that ends with a checksum line, replaced whole by write, fsync, rename and fsync of
// the folder, so that a crash leaves the old one or the new one.

#ifndef GEMEL_BACKEND_TOPOLOGY_STATE_FILE_H_
#define GEMEL_BACKEND_TOPOLOGY_STATE_FILE_H_

#include <optional>
#include <string>
#include <string_view>

#include "backend/topology/topology.h"

namespace gemel {

// Topology <-> text. Decode checks the checksum, the format version and the invariants; on failure it
// returns nothing and sets *error to a sentence.
std::string EncodeTopology(const Topology& topology);
std::optional<Topology> DecodeTopology(std::string_view text, std::string* error);

// A folder's state file, held by one process at a time (flock on a lock file beside it).
// Blocking calls; any one thread at a time.
class StateFile {
 public:
  StateFile() = default;
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Makes the folder if need be and takes its lock. False and *error (a sentence) if the folder cannot
  // be made or written, or if another process holds it.
  bool Open(const std::string& folder, std::string* error);

  enum class ReadResult { kFound, kNone, kFailed };
  // kNone: there is no state yet. kFailed: unreadable or damaged; *error says so, and what to do.
  ReadResult Read(Topology* topology, std::string* error);

  // Makes `topology` durable. On failure the old state stands and *error says why.
  bool Write(const Topology& topology, std::string* error);

  const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
  int lock_fd_ = -1;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_STATE_FILE_H_
