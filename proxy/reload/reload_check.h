// What of a good config cannot take effect while the proxy serves, as the topology is now.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_CHECK_H_
#define GEMEL_PROXY_RELOAD_RELOAD_CHECK_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/topology/topology.h"
#include "config/config.h"

namespace gemel {

// Why `next` is refused, a sentence; empty if it is not:
//   - a shard would lose its only copy in sync (unless `force`);
//   - a new shard's node still belongs to another shard, or a shard of its name is `leaving` still;
//   - too many nodes of one shard at a time.
std::string WhyRefused(const PoolConfig& next, const Topology& topology,
                       const std::vector<std::string>& leaving, bool force);

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_CHECK_H_
