// What a ring is made of: enough to make the same ring again, in another life of the proxy too.

#ifndef GEMEL_BACKEND_RING_RING_SPEC_H_
#define GEMEL_BACKEND_RING_RING_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/ring/ring.h"

namespace gemel {

struct RingSpec {
  uint64_t id = 0;  // in the order in which the rings of a pool were in effect, from 1; 0: none yet
  uint32_t points = 0;   // of a shard of weight 1
  std::string hash_tag;  // opener and closer, or empty: see HashedPart
  std::vector<RingShard> shards;

  // The index of that shard, or -1.
  int IndexOf(std::string_view shard) const;

  bool operator==(const RingSpec&) const = default;
};

// Whether both give every key to the shard of the same name: all is equal but the ids and the order
// of the shards.
bool SameRing(const RingSpec& a, const RingSpec& b);

// Whether a ring can be made of it: at least one shard, one point and less than 2^31 points in all;
// names neither empty nor twice, weights from 1; hash_tag of two characters or none. If not, *error
// is a sentence. The id is not looked at.
bool CheckRingSpec(const RingSpec& spec, std::string* error);

// The ring; its shards are indexes into spec.shards. A spec that CheckRingSpec accepts. Takes a
// fraction of a second for a million points: not for a thread that serves clients.
inline Ring MakeRing(const RingSpec& spec) { return Ring(spec.shards, spec.points); }

}  // namespace gemel

#endif  // GEMEL_BACKEND_RING_RING_SPEC_H_
