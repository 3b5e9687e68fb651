// How often something took how long, in few places: for each shard and node of many. A place is up
// to twice as long as the one before.

#ifndef GEMEL_BACKEND_FIGURES_LATENCY_BUCKETS_H_
#define GEMEL_BACKEND_FIGURES_LATENCY_BUCKETS_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace gemel {

// One thread's; a copy of it is anybody's.
class LatencyBuckets {
 public:
  // The last place is for all that took longer than BoundUs(kBounds - 1), some four seconds.
  static constexpr size_t kBounds = 17;
  static constexpr size_t kPlaces = kBounds + 1;

  // What is counted in that place, or one before, took so long at most.
  static constexpr uint64_t BoundUs(size_t place) { return uint64_t{64} << place; }
  static size_t PlaceOf(uint64_t us) {
    const auto bits = static_cast<size_t>(std::bit_width((us - (us > 0 ? 1 : 0)) | 63));
    return std::min(bits - 6, kBounds);
  }

  // `times` of them took so long.
  void Add(uint64_t us, uint64_t times = 1) {
    counts_[PlaceOf(us)] += times;
    sum_us_ += us * times;
  }
  void Add(const LatencyBuckets& other) {
    for (size_t i = 0; i < kPlaces; ++i) counts_[i] += other.counts_[i];
    sum_us_ += other.sum_us_;
  }

  uint64_t at(size_t place) const { return counts_[place]; }
  uint64_t sum_us() const { return sum_us_; }
  uint64_t total() const {
    uint64_t total = 0;
    for (const uint64_t count : counts_) total += count;
    return total;
  }

 private:
  std::array<uint64_t, kPlaces> counts_ = {};
  uint64_t sum_us_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FIGURES_LATENCY_BUCKETS_H_
