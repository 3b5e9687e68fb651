#include "backend/ring/ring_moves.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <unordered_map>

namespace gemel {

namespace {

constexpr double kCircle = 18446744073709551616.0;  // 2^64

// The last hash of the arc that begins at `hash` and has one owner.
uint64_t ArcEnd(const Ring::Point& owner, uint64_t hash) {
  return owner.position >= hash ? owner.position : UINT64_MAX;  // past the last point: the first's
}

}  // namespace

RingMoves CompareRings(const Ring& from, const std::vector<std::string>& from_names, const Ring& to,
                       const std::vector<std::string>& to_names) {
  // Of each shard of `to` its index in `from`, or one that no shard there has.
  std::unordered_map<std::string_view, uint32_t> index;
  for (uint32_t i = 0; i < from_names.size(); ++i) index.emplace(from_names[i], i);
  std::vector<uint32_t> before(to_names.size(), UINT32_MAX);
  for (uint32_t i = 0; i < to_names.size(); ++i) {
    if (const auto found = index.find(to_names[i]); found != index.end()) before[i] = found->second;
  }

  std::unordered_map<uint64_t, double> sums;  // by the pair of shards
  for (uint64_t hash = 0;;) {
    const Ring::Point& old_owner = from.FindPoint(hash);
    const Ring::Point& new_owner = to.FindPoint(hash);
    const uint64_t end = std::min(ArcEnd(old_owner, hash), ArcEnd(new_owner, hash));
    if (before[new_owner.shard] != old_owner.shard) {
      sums[uint64_t{old_owner.shard} << 32 | new_owner.shard] +=
          static_cast<double>(end - hash) + 1;
    }
    if (end == UINT64_MAX) break;
    hash = end + 1;
  }

  RingMoves result;
  for (const auto& [pair, sum] : sums) {
    result.moves.push_back({from_names[pair >> 32], to_names[pair & UINT32_MAX], sum / kCircle});
  }
  std::sort(result.moves.begin(), result.moves.end(), [](const RingMove& a, const RingMove& b) {
    return std::tie(b.share, a.from, a.to) < std::tie(a.share, b.from, b.to);
  });
  for (const RingMove& move : result.moves) result.share += move.share;
  return result;
}

}  // namespace gemel
