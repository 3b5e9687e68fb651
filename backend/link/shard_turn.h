// Which turn of a shard's ownership a connection belongs to. In a fleet one member after the other
// owns a shard, and each has a higher owner epoch than the one before.

#ifndef GEMEL_BACKEND_LINK_SHARD_TURN_H_
#define GEMEL_BACKEND_LINK_SHARD_TURN_H_

#include <cstdint>
#include <string>

namespace gemel {

struct ShardTurn {
  // Empty: there is no fleet, and the rest means nothing. At most 100 printable characters without
  // spaces and semicolons: it stands in names of connections.
  std::string fleet_id;
  uint64_t owner_epoch = 0;  // 0: of a connection that looks and never writes
  std::string member;

  bool operator==(const ShardTurn&) const = default;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_SHARD_TURN_H_
