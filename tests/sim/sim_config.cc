#include "tests/sim/sim_config.h"

#include <algorithm>
#include <utility>

#include "proxy/reload/reload_check.h"
#include "tests/module_command.h"

namespace gemel::sim {

const CommandTable& Table() {
  static const CommandTable table(ModuleCommands());
  return table;
}

std::string ShardName(size_t shard) { return "s" + std::to_string(shard); }

bool ShardSetup::Has(const Node* node) const {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

const ShardSetup* ProxyOptions::Find(const std::string& name) const {
  for (const ShardSetup& shard : shards) {
    if (shard.name == name) return &shard;
  }
  return nullptr;
}

RingSpec ProxyOptions::ring() const {
  RingSpec spec;
  spec.points = points;
  spec.hash_tag = hash_tag;
  for (const ShardSetup& shard : shards) spec.shards.push_back({shard.name, shard.weight});
  return spec;
}

std::vector<ShardMembers> ProxyOptions::members() const {
  std::vector<ShardMembers> members;
  for (const ShardSetup& shard : shards) {
    members.push_back({shard.name, {}});
    for (const Node* node : shard.nodes) members.back().nodes.push_back(node->address());
  }
  return members;
}

ShardConfig ShardOf(const ShardSetup& setup, uint32_t password) {
  ShardConfig shard;
  shard.name = setup.name;
  shard.weight = setup.weight;
  if (setup.name == ShardName(1)) shard.password = "secret" + std::to_string(password);
  std::string error;
  for (size_t i = 0; i < setup.nodes.size(); ++i) {
    const Address address = *ParseAddress(setup.nodes[i]->address(), &error);
    if (i == 0) {
      shard.primary = address;
    } else {
      shard.replicas.push_back(address);
    }
  }
  return shard;
}

PoolConfig PoolOf(const ProxyOptions& config) {
  PoolConfig pool;
  pool.databases = config.databases;
  pool.ring.points = config.points;
  pool.ring.hash_tag = config.hash_tag;
  pool.ring.forget_keys_per_s = config.forget_keys_per_s;
  pool.write.ack = config.ack;
  pool.write.on_data_loss = config.on_data_loss;
  pool.read.from = config.read_from;
  pool.read.hedge_ms = config.hedge_ms;
  pool.health.failures = config.probe_failures;
  pool.health.min_timeout_ms = config.hang.least_ms;
  pool.health.timeout_ms = config.hang.most_ms;
  pool.health.failback = config.failback ? Failback::kWhenInSync : Failback::kNever;
  pool.limits.shard_held = config.held_limit;
  pool.timeouts.connect_ms = 100;
  pool.timeouts.request_ms = 500;
  pool.timeouts.reconnect_min_ms = 4;
  pool.timeouts.reconnect_max_ms = 100;
  pool.resync.pause_ms = 100;
  pool.resync.timeout_s = 2;
  pool.resync.retry_ms = config.resync_retry_ms;
  pool.resync.journal_keys = config.journal_keys;
  pool.resync.repair_keys_per_s = config.repair_keys_per_s;
  pool.audit.interval_s = config.audit_interval_s;
  pool.audit.keys_per_s = config.audit_keys_per_s;
  for (const ShardSetup& setup : config.shards) {
    pool.shards.push_back(ShardOf(setup, config.password));
  }
  return pool;
}

std::string WhyReloadIsRefused(const ProxyOptions& now, const ProxyOptions& next,
                               const Topology& topology, const std::vector<std::string>& leaving,
                               bool force) {
  return WhyRefused(PoolOf(now), PoolOf(next), topology, leaving, force);
}

}  // namespace gemel::sim
