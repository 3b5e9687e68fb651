// How many lines a second clients and nodes can cause.

#ifndef GEMEL_PROXY_LOG_LINE_LIMIT_H_
#define GEMEL_PROXY_LOG_LINE_LIMIT_H_

#include <cstdint>

namespace gemel {

// Not for several threads at a time.
class LineLimit {
 public:
  static constexpr uint32_t kLinesPerSecond = 200;

  // May a line be written now? If so, *suppressed is how many were not since the last that was.
  bool Allow(uint64_t now_ms, uint64_t* suppressed) {
    if (now_ms >= began_ms_ + 1000) {
      began_ms_ = now_ms;
      lines_ = 0;
    }
    if (lines_ >= kLinesPerSecond) {
      ++suppressed_;
      return false;
    }
    ++lines_;
    *suppressed = suppressed_;
    suppressed_ = 0;
    return true;
  }

 private:
  uint64_t began_ms_ = 0;
  uint32_t lines_ = 0;
  uint64_t suppressed_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_LINE_LIMIT_H_
