// Which shards two snapshots of one history differ in.

#ifndef GEMEL_BACKEND_TOPOLOGY_CHANGED_SHARDS_H_
#define GEMEL_BACKEND_TOPOLOGY_CHANGED_SHARDS_H_

#include "backend/topology/topology.h"

namespace gemel {

// Calls visit(shard) for each shard of `now` that was not there `before` with the same epoch. In
// proportion to the shards where none were added or removed in between.
template <typename Visit>
void ForEachChangedShard(const Topology& before, const Topology& now, Visit visit) {
  for (size_t i = 0; i < now.shards.size(); ++i) {
    const ShardInfo& shard = now.shards[i];
    const ShardInfo* known = i < before.shards.size() ? &before.shards[i] : nullptr;
    if (known == nullptr || known->name != shard.name) {
      const int at = before.IndexOf(shard.name);
      known = at >= 0 ? &before.shards[static_cast<size_t>(at)] : nullptr;
    }
    if (known == nullptr || known->epoch != shard.epoch) visit(shard);
  }
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_CHANGED_SHARDS_H_
