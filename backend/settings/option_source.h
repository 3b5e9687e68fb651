// Options of the nodes that clients have set on all of them (CONFIG SET): what restarts, or is new,
// is to have them, too.

#ifndef GEMEL_BACKEND_SETTINGS_OPTION_SOURCE_H_
#define GEMEL_BACKEND_SETTINGS_OPTION_SOURCE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gemel {

// Any thread.
class OptionSource {
 public:
  virtual ~OptionSource() = default;
  // Grows with each change; 0: none was ever set.
  virtual uint64_t version() const = 0;
  // Somebody sets some just now: what a node has may be newer than what is told here.
  virtual bool changing() const { return false; }
  // Names, in lower case, and values, in the order in which they were set.
  virtual std::vector<std::pair<std::string, std::string>> Options() const = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_OPTION_SOURCE_H_
