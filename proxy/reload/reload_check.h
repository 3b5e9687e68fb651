// What of a good config cannot take effect while the proxy serves, as the topology is now.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_CHECK_H_
#define GEMEL_PROXY_RELOAD_RELOAD_CHECK_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/topology/topology.h"
#include "config/config.h"

namespace gemel {

// Why `next` is refused in the place of `now`, a sentence; empty if it is not:
//   - a shard whose nodes change would lose its only copy in sync (unless `force`);
//   - a new shard's node still belongs to another shard, or a shard of its name is `leaving` still;
//   - too many nodes of one shard at a time;
//   - shards that would wait for each other's nodes for ever (WhyNeverDone);
//   - the ring changes, and as many are kept already as may be.
std::string WhyRefused(const PoolConfig& now, const PoolConfig& next, const Topology& topology,
                       const std::vector<std::string>& leaving, bool force);

// Why the members of the shards would never become those of `next`, whatever node answers, a
// sentence; empty if they would. Shards may exchange nodes, in a ring of any length, as long as one
// of each cycle has a node that is to stay; one that has none (which FORCE allows) keeps its data
// until a new node has it, and may wait for a shard that waits for it.
std::string WhyNeverDone(const PoolConfig& next, const Topology& topology);

// The nodes that are still to come to their shards or to leave them before the topology is what the
// config in effect says, in lines; empty if there are none.
std::string OutstandingMembers(const PoolConfig& now, const Topology& topology);

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_CHECK_H_
