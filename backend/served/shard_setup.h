// What the config says of a shard, in the words of those who serve it.

#ifndef GEMEL_BACKEND_SERVED_SHARD_SETUP_H_
#define GEMEL_BACKEND_SERVED_SHARD_SETUP_H_

#include "backend/link/other_proxies.h"
#include "backend/shard/shard_options.h"
#include "config/config.h"

namespace gemel {

// The shard's options; its nodes in the order of the config. `others`: see LinkOptions.
// `turn`: of the shard in a fleet, which has `others`.
ShardOptions ShardOptionsOf(const PoolConfig& pool, const ShardConfig& shard,
                            OtherProxies* others = nullptr, const ShardTurn& turn = {});
// What the connections to a shard's nodes are called.
std::string ClientNameOf(const std::string& shard, OtherProxies* others,
                         const ShardTurn& turn = {});

}  // namespace gemel

#endif  // GEMEL_BACKEND_SERVED_SHARD_SETUP_H_
