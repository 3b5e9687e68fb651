// The consistent-hash ring: which shard a key belongs to.
//
// Each shard owns `weight * points` points (virtual nodes) on a circle of 64-bit positions; a key
// belongs to the shard of the first point at or after its hash, past the end the first of all.
// See D. Karger et al., "Consistent Hashing and Random Trees", STOC 1997.
//
// Point i of a shard lies at the XXH3 (64 bits, seed 0) of "<name>-<i>", i in decimal from 0. This
// and HashKey say where every key of a running cache is: neither may ever change.

#ifndef GEMEL_BACKEND_RING_RING_H_
#define GEMEL_BACKEND_RING_RING_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// The position of a key on the ring: XXH3, 64 bits, seed 0.
uint64_t HashKey(std::string_view key);

// The part of `key` that is hashed. `tag` is two characters, opener and closer, or empty for none:
// the bytes between the first opener and the first closer after it, if there is at least one; else
// the whole key. (With "{}" this is Redis Cluster's rule, with any pair twemproxy's.)
inline std::string_view HashedPart(std::string_view key, std::string_view tag) {
  if (tag.size() != 2 || key.empty()) return key;
  const char* end = key.data() + key.size();
  const auto* opener = static_cast<const char*>(std::memchr(key.data(), tag[0], key.size()));
  if (opener == nullptr) return key;
  const char* begin = opener + 1;
  if (begin == end) return key;
  const auto* closer =
      static_cast<const char*>(std::memchr(begin, tag[1], static_cast<size_t>(end - begin)));
  if (closer == nullptr || closer == begin) return key;
  return {begin, static_cast<size_t>(closer - begin)};
}

struct RingShard {
  std::string name;     // unique; the points depend on it, and their number on weight
  uint32_t weight = 1;  // at least 1

  bool operator==(const RingShard&) const = default;
};

// Immutable once made; any thread may look keys up. Deterministic: the same shards give the same
// ring on every machine, in whatever order they are listed.
class Ring {
 public:
  struct Point {
    uint64_t position;
    uint32_t shard;  // its label
  };

  // `points` is that of a shard of weight 1, at least 1. At least one shard, and fewer than 2^31
  // points in all (a point takes 16 to 24 bytes; the config sets a far lower limit). Where two
  // points have the same position the shard whose name sorts first owns it. `labels` are what the
  // shards are called by below, one for each; empty: by their indices.
  Ring(const std::vector<RingShard>& shards, uint32_t points,
       const std::vector<uint32_t>& labels = {});

  // The label of a hash's shard: O(1) expected, no allocation.
  uint32_t Locate(uint64_t hash) const { return Scan(hash)->shard; }

  // The point that decides it.
  const Point& FindPoint(uint64_t hash) const {
    const Point* point = Scan(hash);
    return point == &points_.back() ? points_.front() : *point;
  }

  // Of the whole circle, the share that the shard of this label owns, in 0..1. Walks all points.
  double Share(uint32_t shard) const;

  // The points with a position of their own: of points that collide only one counts.
  size_t point_count() const { return points_.size() - 1; }

  // These points, ascending by position.
  std::span<const Point> points() const { return {points_.data(), point_count()}; }

 private:
  // The first point at or after `hash`, or the sentinel. There are at least as many buckets as
  // points, so the expected walk is at most one step.
  const Point* Scan(uint64_t hash) const {
    const Point* point = &points_[starts_[hash >> shift_]];
    while (point->position < hash) ++point;
    return point;
  }

  // Ascending by position. The last is a sentinel, which is not a point of any shard: it lies at
  // the largest position, so that a scan ends without a bounds check, and has the shard of the
  // first point, which is the answer for all that lies past the last.
  std::vector<Point> points_;
  std::vector<uint32_t> starts_;  // by a hash's top bits: the first point that may be its answer
  int shift_ = 63;                // 64 - the number of top bits
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RING_RING_H_
