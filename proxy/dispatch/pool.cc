#include "proxy/dispatch/pool.h"

namespace gemel {

RingSpec RingOf(const PoolConfig& config) {
  RingSpec spec;
  spec.points = config.ring.points;
  spec.hash_tag = config.ring.hash_tag;
  for (const ShardConfig& shard : config.shards) spec.shards.push_back({shard.name, shard.weight});
  return spec;
}

Pool::Pool(const PoolConfig& config, uint32_t workers)
    : config_(config), table_(config.commands), ring_(MakeRing(RingOf(config))) {
  request_limits_.max_bulk = config.limits.max_bulk;
  request_limits_.max_args = config.limits.max_args;
  request_limits_.max_inline = config.limits.max_inline;
  request_limits_.max_request = config.limits.max_request;
  uint32_t next = 0;
  for (const ShardConfig& shard : config.shards) {
    PoolShard entry;
    entry.name = shard.name;
    entry.owner = next++ % workers;
    entry.copies = static_cast<uint32_t>(1 + shard.replicas.size());
    shards_.push_back(entry);
  }
}

}  // namespace gemel
