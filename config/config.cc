#include "config/config.h"

#include <algorithm>

namespace gemel {

std::vector<Address> ShardConfig::Nodes() const {
  std::vector<Address> nodes;
  nodes.reserve(1 + replicas.size());
  nodes.push_back(primary);
  nodes.insert(nodes.end(), replicas.begin(), replicas.end());
  return nodes;
}

bool HasSecrets(const Config& config) {
  const auto has_password = [](const ShardConfig& shard) { return !shard.password.empty(); };
  const auto in_clear = [](const UserConfig& user) {
    return std::any_of(user.rules.begin(), user.rules.end(),
                       [](const std::string& rule) { return rule.starts_with('>'); });
  };
  for (const std::string* secret :
       {&config.fleet.secret, &config.fleet.password, &config.metrics.password,
        &config.tls.key_password, &config.node_tls.key_password,
        &config.coordinator_tls.key_password}) {
    if (!secret->empty()) return true;
  }
  return std::any_of(config.pools.begin(), config.pools.end(), [&](const PoolConfig& pool) {
    return !pool.password.empty() ||
           std::any_of(pool.shards.begin(), pool.shards.end(), has_password) ||
           std::any_of(pool.users.begin(), pool.users.end(), in_clear);
  });
}

}  // namespace gemel
