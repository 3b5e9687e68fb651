#include "proxy/seen/latency_histogram.h"

namespace gemel {

uint64_t LatencyHistogram::HighestAt(size_t place) {
  if (place < 256) return place;
  const size_t shift = place / 128 - 1;
  return ((place - shift * 128 + 1) << shift) - 1;
}

void LatencySum::Add(const LatencyHistogram& histogram) {
  if (counts_.empty()) counts_.resize(LatencyHistogram::kPlaces);
  for (size_t place = 0; place < LatencyHistogram::kPlaces; ++place) {
    const uint64_t count = histogram.At(place);
    counts_[place] += count;
    total_ += count;
  }
}

uint64_t LatencySum::UpTo(uint64_t us) const {
  uint64_t count = 0;
  const size_t last = LatencyHistogram::PlaceOf(us);
  for (size_t place = 0; place <= last && place < counts_.size(); ++place) count += counts_[place];
  return count;
}

std::vector<uint64_t> LatencySum::UpToEach(std::span<const uint64_t> bounds_us) const {
  std::vector<uint64_t> sums;
  uint64_t count = 0;
  size_t place = 0;
  for (const uint64_t bound : bounds_us) {
    const size_t last = LatencyHistogram::PlaceOf(bound);
    for (; place <= last && place < counts_.size(); ++place) count += counts_[place];
    sums.push_back(count);
  }
  return sums;
}

uint64_t LatencySum::At(double percentile) const {
  if (total_ == 0) return 0;
  const auto wanted = std::max<uint64_t>(
      static_cast<uint64_t>(percentile / 100 * static_cast<double>(total_) + 0.5), 1);
  uint64_t count = 0;
  for (size_t place = 0; place < counts_.size(); ++place) {
    count += counts_[place];
    if (count < wanted) continue;
    const uint64_t highest = LatencyHistogram::HighestAt(place);
    if (percentile > 0 || place == 0) return highest;
    return LatencyHistogram::HighestAt(place - 1) + 1;
  }
  return LatencyHistogram::kMost;
}

}  // namespace gemel
