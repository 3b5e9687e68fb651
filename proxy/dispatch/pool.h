// What every worker knows of a pool of shards, made once and shared read-only: the ring, the
// command table, the limits, and which worker owns which shard.

#ifndef GEMEL_PROXY_DISPATCH_POOL_H_
#define GEMEL_PROXY_DISPATCH_POOL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/resp/request_reader.h"
#include "backend/ring/ring.h"
#include "backend/ring/ring_spec.h"
#include "config/config.h"

namespace gemel {

struct PoolShard {
  std::string name;
  uint32_t owner = 0;   // the worker that writes to its links
  uint32_t copies = 1;  // nodes in the config
};

// What the config says of the ring. Shard i of it is shard i of the config.
RingSpec RingOf(const PoolConfig& config);

class Pool {
 public:
  // Shard i is owned by worker i % workers.
  Pool(const PoolConfig& config, uint32_t workers);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const PoolConfig& config() const { return config_; }
  const CommandTable& table() const { return table_; }
  const Ring& ring() const { return ring_; }
  const RequestLimits& request_limits() const { return request_limits_; }
  const std::vector<PoolShard>& shards() const { return shards_; }

  uint64_t Hash(std::string_view key) const {
    return HashKey(HashedPart(key, config_.ring.hash_tag));
  }
  // The index of the shard that a key belongs to.
  uint32_t ShardOf(std::string_view key) const {
    return shards_.size() == 1 ? 0 : ring_.Locate(Hash(key));
  }

 private:
  PoolConfig config_;
  CommandTable table_;
  Ring ring_;
  RequestLimits request_limits_;
  std::vector<PoolShard> shards_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_POOL_H_
