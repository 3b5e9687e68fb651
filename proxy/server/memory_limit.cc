#include "proxy/server/memory_limit.h"

#include <algorithm>

#include "config/config_text.h"

namespace gemel {

namespace {

// For threads, and for what is not counted.
constexpr uint64_t kApart = 64ull << 20;
constexpr uint64_t kLeast = 8ull << 20;

}  // namespace

uint64_t BufferedLimit(uint64_t buffered, uint64_t space_left, uint64_t held,
                       std::string* warning) {
  warning->clear();
  if (space_left == ~uint64_t{0}) return buffered;
  // Of the rest a quarter is for the holes between buffers.
  const uint64_t room = space_left > kApart ? (space_left - kApart) / 4 * 3 : 0;
  const uint64_t most = std::max(kLeast, room + held);
  if (most >= buffered) return buffered;
  *warning = "[limits] buffered is " + FormatSize(buffered) +
             ", but the limit on address space (ulimit -v) leaves room for about " +
             std::to_string(most >> 20) + "mb: that counts";
  return most;
}

}  // namespace gemel
