#include "proxy/fleet/planned_config.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "config/address.h"
#include "config/config_registers.h"
#include "proxy/dispatch/pool.h"

namespace gemel {

WantedPlan WantedOf(const PoolConfig& pool) {
  WantedPlan wanted;
  wanted.members = MembersOf(pool);
  wanted.ring = RingOf(pool);
  for (const ShardConfig& shard : pool.shards) wanted.databases.push_back(shard.database);
  return wanted;
}

bool SetPlan(const FleetPlan& plan, Config* config, std::string* error) {
  PoolConfig& pool = config->pool();
  if (FingerprintOf(plan) == FingerprintOf(WantedOf(pool))) return true;
  std::vector<ShardConfig> shards;
  const RingSpec& ring = plan.topology.rings.back();
  for (size_t i = 0; i < plan.topology.shards.size(); ++i) {
    const ShardInfo& info = plan.topology.shards[i];
    const auto known = std::find_if(pool.shards.begin(), pool.shards.end(),
                                    [&](const ShardConfig& s) { return s.name == info.name; });
    ShardConfig shard = known != pool.shards.end() ? *known : pool.shards.front();
    shard.name = info.name;
    shard.database = plan.DatabaseOf(i);
    shard.replicas.clear();
    for (size_t j = 0; j < info.copies.size(); ++j) {
      std::string why;
      const std::optional<Address> node = ParseAddress(info.copies[j].node, &why);
      if (!node) {
        *error = "the node " + info.copies[j].node + " of the fleet's shard '" + info.name +
                 "' makes no sense here: " + why;
        return false;
      }
      if (j == 0) {
        shard.primary = *node;
      } else {
        shard.replicas.push_back(*node);
      }
    }
    const int place = ring.IndexOf(info.name);
    if (place >= 0) shard.weight = ring.shards[static_cast<size_t>(place)].weight;
    shards.push_back(std::move(shard));
  }
  pool.shards = std::move(shards);
  pool.ring.points = ring.points;
  pool.ring.hash_tag = ring.hash_tag;
  PlaceRegisters(config->fleet, &pool);
  return true;
}

}  // namespace gemel
