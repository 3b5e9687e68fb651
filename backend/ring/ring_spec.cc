#include "backend/ring/ring_spec.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace gemel {

int RingSpec::IndexOf(std::string_view shard) const {
  for (size_t i = 0; i < shards.size(); ++i) {
    if (shards[i].name == shard) return static_cast<int>(i);
  }
  return -1;
}

bool SameRing(const RingSpec& a, const RingSpec& b) {
  if (a.points != b.points || a.hash_tag != b.hash_tag || a.shards.size() != b.shards.size()) {
    return false;
  }
  const auto by_name = [](const RingShard& x, const RingShard& y) { return x.name < y.name; };
  std::vector<RingShard> left = a.shards;
  std::vector<RingShard> right = b.shards;
  std::sort(left.begin(), left.end(), by_name);
  std::sort(right.begin(), right.end(), by_name);
  return left == right;
}

bool CheckRingSpec(const RingSpec& spec, std::string* error) {
  if (spec.shards.empty()) {
    *error = "a ring has no shards";
    return false;
  }
  if (spec.points == 0) {
    *error = "a ring has no points";
    return false;
  }
  if (!spec.hash_tag.empty() && spec.hash_tag.size() != 2) {
    *error = "the hash tag of a ring is neither two characters nor empty";
    return false;
  }
  uint64_t points = 0;
  std::unordered_set<std::string_view> names;
  for (const RingShard& shard : spec.shards) {
    if (shard.name.empty()) {
      *error = "a shard of a ring has no name";
      return false;
    }
    if (shard.weight == 0) {
      *error = "shard \"" + shard.name + "\" has no weight in a ring";
      return false;
    }
    if (!names.insert(shard.name).second) {
      *error = "a ring has shard \"" + shard.name + "\" twice";
      return false;
    }
    points += uint64_t{shard.weight} * spec.points;
    if (points >= uint64_t{1} << 31) {
      *error = "a ring has too many points";
      return false;
    }
  }
  return true;
}

}  // namespace gemel
