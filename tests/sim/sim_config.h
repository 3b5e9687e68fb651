// What the simulated proxy's config file says: shards, their nodes, the ring, options.

#ifndef GEMEL_TESTS_SIM_SIM_CONFIG_H_
#define GEMEL_TESTS_SIM_SIM_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/ring/ring_spec.h"
#include "backend/shard/shard_options.h"
#include "backend/topology/topology.h"
#include "config/config.h"
#include "tests/sim/sim_node.h"

namespace gemel::sim {

struct ShardSetup {
  std::string name;
  std::vector<Node*> nodes;  // the configured primary first
  uint32_t weight = 1;

  bool Has(const Node* node) const;
};

struct ProxyOptions {
  std::vector<ShardSetup> shards;
  Ack ack = Ack::kAll;
  ReadFrom read_from = ReadFrom::kPrimary;
  bool failback = false;
  HangLimits hang;
  uint32_t hedge_ms = 0;
  uint32_t repair_keys_per_s = 20000;
  OnDataLoss on_data_loss = OnDataLoss::kRefuse;
  uint32_t probe_failures = 3;
  uint32_t held_limit = 64 * 1024;
  uint32_t grace_ms = 40;
  uint64_t journal_keys = 1000000;
  uint32_t resync_retry_ms = 50;
  uint32_t audit_keys_per_s = 1000;
  uint32_t audit_interval_s = 1;
  uint32_t password = 0;  // a number of it
  uint32_t databases = 1;

  // Keys go by a ring, which may change; else by what their names begin with.
  bool routed = false;
  uint32_t points = 1;
  std::string hash_tag;
  uint32_t forget_keys_per_s = 0;
  size_t mark_keys = 1000000;  // that the proxy remembers: see ForgetOptions

  // The shard of that name, or null.
  const ShardSetup* Find(const std::string& name) const;
  RingSpec ring() const;
  std::vector<ShardMembers> members() const;
};

// The same in the words of the product.
PoolConfig PoolOf(const ProxyOptions& config);
ShardConfig ShardOf(const ShardSetup& shard, uint32_t password);
// As the product's own check of a reload has it (see proxy/reload/reload_check.h).
std::string WhyReloadIsRefused(const ProxyOptions& now, const ProxyOptions& next,
                               const Topology& topology, const std::vector<std::string>& leaving,
                               bool force);

std::string ShardName(size_t shard);
const CommandTable& Table();

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_CONFIG_H_
