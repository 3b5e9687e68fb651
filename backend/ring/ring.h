// The consistent-hash ring: which shard a key belongs to.
//
// Each shard owns `weight * points` points (virtual nodes) on a circle of 64-bit positions; a key
// belongs to the shard of the first point at or after its hash, past the end the first of all.
// See D. Karger et al., "Consistent Hashing and Random Trees", STOC 1997.

#ifndef GEMEL_BACKEND_RING_RING_H_
#define GEMEL_BACKEND_RING_RING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// The position of a key on the ring: XXH3, 64 bits.
uint64_t HashKey(std::string_view key);

// The part of `key` that is hashed. `tag` is two characters, opener and closer, or empty for none: the
// bytes between the first opener and the first closer after it, if there is at least one; else the
// whole key. (With "{}" this is Redis Cluster's rule, with any pair twemproxy's.)
std::string_view HashedPart(std::string_view key, std::string_view tag);

struct RingShard {
  std::string name;     // unique; the points depend on it and on nothing else of the shard
  uint32_t weight = 1;  // at least 1
};

// Immutable once made; any thread may look keys up. Deterministic: the same shards give the same
// ring on every machine, in whatever order they are listed.
class Ring {
 public:
  struct Point {
    uint64_t position;
    uint32_t shard;  // index into the shards given
  };

  // `points` is that of a shard of weight 1. At least one shard. Where two points have the same
  // position the shard whose name sorts first owns it.
  Ring(const std::vector<RingShard>& shards, uint32_t points);

  // The shard of a hash: O(1) expected, no allocation.
  uint32_t Locate(uint64_t hash) const { return FindPoint(hash).shard; }
  const Point& FindPoint(uint64_t hash) const;

  // Of the whole circle, the share that a shard owns, in 0..1.
  double Share(uint32_t shard) const;

  size_t point_count() const { return points_.size(); }

 private:
  std::vector<Point> points_;     // ascending by position
  std::vector<uint32_t> starts_;  // by a hash's top bits: the first point that may be its answer
  int shift_ = 63;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RING_RING_H_
