// When commands of all workers' clients took long: LATENCY. As latency.c of Redis 7.0, whose events
// "command" and "fast-command" these are.

#ifndef GEMEL_PROXY_SEEN_LATENCY_EVENTS_H_
#define GEMEL_PROXY_SEEN_LATENCY_EVENTS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

struct LatencySample {
  int64_t unix_s = 0;
  uint64_t ms = 0;
};

// Of one event: the worst of each of the last 160 seconds in which there was one, oldest first.
struct LatencySeries {
  std::string event;
  std::vector<LatencySample> samples;
  uint64_t max_ms = 0;  // ever
};

// Any thread.
class LatencyEvents {
 public:
  static constexpr size_t kSamples = 160;

  void Add(std::string_view event, uint64_t ms, int64_t unix_s);
  std::vector<LatencySeries> All() const;
  std::optional<LatencySeries> Find(std::string_view event) const;
  // Forgets that event, whatever its letters' case, or all; how many there were.
  size_t Reset(std::string_view event);
  size_t ResetAll();

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, LatencySeries, std::less<>> events_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_LATENCY_EVENTS_H_
