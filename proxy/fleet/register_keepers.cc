#include "proxy/fleet/register_keepers.h"

#include <algorithm>
#include <utility>

#include "config/config_registers.h"

namespace gemel {

std::vector<std::string> KeepersOf(const FleetPlan& plan) {
  std::vector<std::pair<std::string, std::vector<std::string>>> shards;
  size_t most = 0;
  for (const ShardInfo& shard : plan.topology.shards) {
    std::vector<std::string> nodes;
    for (const CopyInfo& copy : shard.copies) nodes.push_back(copy.node);
    std::sort(nodes.begin(), nodes.end());
    most = std::max(most, nodes.size());
    shards.emplace_back(shard.name, std::move(nodes));
  }
  std::sort(shards.begin(), shards.end());
  std::vector<std::string> keepers;
  for (size_t i = 0; i < most; ++i) {
    for (const auto& [name, nodes] : shards) {
      if (i < nodes.size() && keepers.size() < kMostRegisterNodes) keepers.push_back(nodes[i]);
    }
  }
  return keepers;
}

void RegisterKeepers::Use(const Config& config) {
  const std::lock_guard lock(mutex_);
  fleet_ = config.fleet;
  shards_ = config.pool().shards;
}

std::optional<HiredisNode> RegisterKeepers::Find(const std::string& node) const {
  std::string error;
  const std::optional<Address> address = ParseAddress(node, &error);
  if (!address) return std::nullopt;
  const std::lock_guard lock(mutex_);
  HiredisNode found;
  found.address = *address;
  found.database = fleet_.database;
  const auto of = std::find_if(shards_.begin(), shards_.end(), [&](const ShardConfig& shard) {
    return shard.primary == *address || std::find(shard.replicas.begin(), shard.replicas.end(),
                                                  *address) != shard.replicas.end();
  });
  found.of_coordinator = of == shards_.end() && !fleet_.servers.empty();
  const bool fleets_own = fleet_.servers.empty() ? false : !fleet_.password.empty();
  if (fleets_own || found.of_coordinator || shards_.empty()) {
    found.user = fleet_.user;
    found.password = fleet_.password;
    return found;
  }
  const ShardConfig& shard = of != shards_.end() ? *of : shards_.front();
  found.user = shard.user;
  found.password = shard.password;
  return found;
}

}  // namespace gemel
