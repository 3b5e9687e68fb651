// The libraries of functions that the nodes are to have.

#ifndef GEMEL_BACKEND_SHARD_LIBRARY_SOURCE_H_
#define GEMEL_BACKEND_SHARD_LIBRARY_SOURCE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gemel {

// Any thread.
class LibrarySource {
 public:
  virtual ~LibrarySource() = default;
  // Grows with each change; 0: there never was a library.
  virtual uint64_t version() const = 0;
  // Appends the commands that bring a node from that version to the present one, whole frames in
  // their order; 0: from whatever it has. Returns the present version.
  virtual uint64_t Since(uint64_t version, std::vector<std::string>* frames) const = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_LIBRARY_SOURCE_H_
