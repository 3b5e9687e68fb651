// What the config says of a shard, in the words of those who serve it.

#ifndef GEMEL_PROXY_WORKER_SHARD_SETUP_H_
#define GEMEL_PROXY_WORKER_SHARD_SETUP_H_

#include "backend/shard/shard.h"
#include "config/config.h"

namespace gemel {

// The shard's options; its nodes in the order of the config.
ShardOptions ShardOptionsOf(const PoolConfig& pool, const ShardConfig& shard);

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_SHARD_SETUP_H_
