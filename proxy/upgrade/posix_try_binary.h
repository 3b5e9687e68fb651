// Whether another binary can take the place of this one: found out by asking it, in a process of
// its own.

#ifndef GEMEL_PROXY_UPGRADE_POSIX_TRY_BINARY_H_
#define GEMEL_PROXY_UPGRADE_POSIX_TRY_BINARY_H_

#include <cstdint>
#include <string>

namespace gemel {

struct TriedBinary {
  std::string version;  // "gemel 0.1.0"
  std::string error;    // why it cannot, a sentence; empty: it can
};

// What `gemel --hand-over` prints.
std::string HandOverWords(const std::string& version);

// Asks it whether it reads what this binary hands over, and then whether `config` is good for it.
// Either question is given up after `most_ms`. Blocks; any thread.
TriedBinary TryBinary(const std::string& binary, const std::string& config, uint64_t most_ms);

}  // namespace gemel

#endif  // GEMEL_PROXY_UPGRADE_POSIX_TRY_BINARY_H_
