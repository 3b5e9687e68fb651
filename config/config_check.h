// The checks of a whole config: what no single value can tell. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_CHECK_H_
#define GEMEL_CONFIG_CONFIG_CHECK_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "config/config.h"
#include "config/config_mistakes.h"

namespace gemel {

// Where the values of a pool are written, in the order of the pool's own lists.
struct ShardPlaces {
  Place head;
  Place name;
  Place primary;
  std::vector<Place> replicas;
  std::optional<Place> weight;  // nothing: the default
};

struct PoolPlaces {
  std::vector<Place> listen;    // empty: the default
  std::optional<Place> points;  // nothing: the default
  std::vector<ShardPlaces> shards;
  std::vector<Place> commands;  // of their names
  Place coordinator;            // of a fleet
};

// All points of all shards: above it a ring takes too much memory and time to build.
inline constexpr uint64_t kMaxTotalPoints = 4 * 1024 * 1024;

// Adds a mistake for each: no shard; a name, node, listen address or command that comes twice; a
// node that is also a listen address; too many points in all.
void CheckPool(const PoolConfig& pool, const PoolPlaces& places, Mistakes* mistakes);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_CHECK_H_
