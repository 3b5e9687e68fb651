#include "backend/ring/ring.h"

#include <algorithm>
#include <cassert>
#include <numeric>

// The library's code in this file: keys are short, and a call of the shared library would cost as
// much as the hash.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace gemel {

uint64_t HashKey(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

Ring::Ring(const std::vector<RingShard>& shards, uint32_t points,
           const std::vector<uint32_t>& labels) {
  assert(!shards.empty() && points > 0);

  // The rank of a shard's name decides collisions, so that the order of listing does not.
  std::vector<uint32_t> by_name(shards.size());
  std::iota(by_name.begin(), by_name.end(), 0U);
  std::sort(by_name.begin(), by_name.end(),
            [&](uint32_t a, uint32_t b) { return shards[a].name < shards[b].name; });

  std::string label;
  for (uint32_t shard : by_name) {
    const uint64_t count = uint64_t{shards[shard].weight} * points;
    label = shards[shard].name + "-";
    const size_t prefix = label.size();
    for (uint64_t i = 0; i < count; ++i) {
      label.resize(prefix);
      label += std::to_string(i);
      points_.push_back({HashKey(label), labels.empty() ? shard : labels[shard]});
    }
  }
  assert(!points_.empty() && points_.size() < (size_t{1} << 31));

  // Stable: points that collide stay in the order of the names, and the first of them is kept.
  std::stable_sort(points_.begin(), points_.end(),
                   [](const Point& a, const Point& b) { return a.position < b.position; });
  points_.erase(
      std::unique(points_.begin(), points_.end(),
                  [](const Point& a, const Point& b) { return a.position == b.position; }),
      points_.end());

  int bits = 1;
  while ((size_t{1} << bits) < points_.size()) ++bits;
  shift_ = 64 - bits;
  points_.push_back({UINT64_MAX, points_.front().shard});
  points_.shrink_to_fit();

  starts_.resize(size_t{1} << bits);
  uint32_t next = 0;
  for (uint64_t bucket = 0; bucket < starts_.size(); ++bucket) {
    while (points_[next].position < bucket << shift_) ++next;
    starts_[bucket] = next;
  }
}

double Ring::Share(uint32_t shard) const {
  const size_t count = point_count();
  if (count == 1) return points_.front().shard == shard ? 1.0 : 0.0;
  // A point owns what lies between the one before it and itself; for the first one the difference
  // wraps, as the circle does.
  uint64_t previous = points_[count - 1].position;
  double owned = 0;
  for (size_t i = 0; i < count; ++i) {
    if (points_[i].shard == shard) owned += static_cast<double>(points_[i].position - previous);
    previous = points_[i].position;
  }
  return owned / 18446744073709551616.0;  // 2^64
}

}  // namespace gemel
