// How often something took how long: a histogram of two significant digits, as Redis's
// (hdr_histogram), in microseconds. One writer, any reader.

#ifndef GEMEL_PROXY_SEEN_LATENCY_HISTOGRAM_H_
#define GEMEL_PROXY_SEEN_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gemel {

class LatencyHistogram {
 public:
  // More than a minute counts as this.
  static constexpr uint64_t kMost = (uint64_t{1} << 26) - 1;
  static constexpr size_t kPlaces = 18 * 128 + 256;

  static size_t PlaceOf(uint64_t us) {
    us = std::min(us, kMost);
    const auto shift = static_cast<uint64_t>(std::bit_width(us | 255)) - 8;
    return shift * 128 + (us >> shift);
  }
  // The largest value that is counted there.
  static uint64_t HighestAt(size_t place);

  void Add(uint64_t us) {
    std::atomic<uint64_t>& count = counts_[PlaceOf(us)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // The writer's.
  void Reset() {
    for (auto& count : counts_) count.store(0, std::memory_order_relaxed);
  }
  uint64_t At(size_t place) const { return counts_[place].load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> counts_[kPlaces] = {};
};

// The sum of several.
class LatencySum {
 public:
  void Add(const LatencyHistogram& histogram);
  uint64_t total() const { return total_; }
  // Not above so many microseconds were so many.
  uint64_t UpTo(uint64_t us) const;
  // The same of several, that grow.
  std::vector<uint64_t> UpToEach(std::span<const uint64_t> bounds_us) const;
  // As hdr_value_at_percentile.
  uint64_t At(double percentile) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_LATENCY_HISTOGRAM_H_
