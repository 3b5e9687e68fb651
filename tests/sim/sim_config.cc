#include "tests/sim/sim_config.h"

#include <algorithm>
#include <utility>

#include "config/config.h"
#include "proxy/reload/reload_check.h"

namespace gemel::sim {

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

ShardOptions OptionsOf(const ProxyOptions& config, const ShardSetup& shard) {
  ShardOptions options;
  options.name = shard.name;
  options.ack = config.ack;
  options.read_from = config.read_from;
  options.probe_failures = config.probe_failures;
  options.hang = config.hang;
  options.hedge_ms = config.hedge_ms;
  options.held_limit = config.held_limit;
  options.repair_keys_per_s = config.repair_keys_per_s;
  options.on_data_loss = config.on_data_loss;
  options.grace_ms = config.grace_ms;
  options.journal_keys = config.journal_keys;
  options.wait_ms = 500;
  options.start_ms = 100;
  options.pause_ms = 100;
  options.home = shard.nodes[0]->address();
  options.failback = config.failback;
  options.failback_after_ms = 50;
  for (const Node* node : shard.nodes) {
    LinkOptions link;
    link.name = node->address();
    link.connect_timeout_ms = 100;
    link.request_timeout_ms = 500;
    link.reconnect_min_ms = 4;
    link.reconnect_max_ms = 100;
    if (shard.name == ShardName(1)) link.password = "secret";
    options.nodes.push_back(std::move(link));
  }
  return options;
}

namespace {

PoolConfig PoolOf(const ProxyOptions& config) {
  PoolConfig pool;
  pool.ring.points = config.points;
  pool.ring.hash_tag = config.hash_tag;
  for (const ShardSetup& setup : config.shards) {
    ShardConfig& shard = pool.shards.emplace_back();
    shard.name = setup.name;
    shard.weight = setup.weight;
    std::string error;
    for (size_t i = 0; i < setup.nodes.size(); ++i) {
      const Address address = *ParseAddress(setup.nodes[i]->address(), &error);
      if (i == 0) {
        shard.primary = address;
      } else {
        shard.replicas.push_back(address);
      }
    }
  }
  return pool;
}

}  // namespace

std::string WhyReloadIsRefused(const ProxyOptions& now, const ProxyOptions& next,
                               const Topology& topology, const std::vector<std::string>& leaving,
                               bool force) {
  return WhyRefused(PoolOf(now), PoolOf(next), topology, leaving, force);
}

}  // namespace gemel::sim
