// Which keys change their owner when one ring takes the place of another.

#ifndef GEMEL_BACKEND_RING_RING_MOVES_H_
#define GEMEL_BACKEND_RING_RING_MOVES_H_

#include <string>
#include <vector>

#include "backend/ring/ring.h"

namespace gemel {

// The keys that leave one shard for another.
struct RingMove {
  std::string from;
  std::string to;
  double share = 0;  // of all keys, in 0..1

  bool operator==(const RingMove&) const = default;
};

struct RingMoves {
  double share = 0;             // of all keys, those that change their owner
  std::vector<RingMove> moves;  // the largest first, each pair of shards once
};

// Walks the whole circle of both rings, so the shares are exact for hashes, and those of a great
// many keys come near them. The names are those of the rings' shards, in the order in which each
// was made of them; a shard is the same if its name is. Takes time in the number of points of both,
// about a tenth of a second for a million; any thread.
RingMoves CompareRings(const Ring& from, const std::vector<std::string>& from_names, const Ring& to,
                       const std::vector<std::string>& to_names);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RING_RING_MOVES_H_
