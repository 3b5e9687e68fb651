// The snapshot of a start: what is stored, joined with what the config says.

#include <string_view>
#include <utility>

#include "backend/topology/topology.h"
#include "backend/topology/topology_parts.h"

namespace gemel {
namespace topology_parts {
namespace {

constexpr std::string_view kNotClean = "the proxy did not stop in order";
constexpr std::string_view kNotCleanBefore =
    "the proxy did not stop in order, and it was not made equal since";

// The stored shard with the members of the config, in the config's order.
std::optional<ShardInfo> KnownShard(const ShardMembers& members, const ShardInfo& stored,
                                    bool clean, std::string* error) {
  ShardInfo shard;
  shard.name = members.name;
  shard.epoch = stored.epoch;
  shard.adopted = stored.adopted;
  shard.swept = stored.swept;
  bool changed = members.nodes.size() != stored.copies.size();
  int primary = -1;
  int first_in_sync = -1;
  for (const std::string& node : members.nodes) {
    const int index = static_cast<int>(shard.copies.size());
    const int known = stored.IndexOf(node);
    CopyInfo& copy = shard.copies.emplace_back();
    if (known < 0) {
      copy = NewCopy(node);
      changed = true;
      continue;
    }
    copy = stored.copies[static_cast<size_t>(known)];
    if (copy.cause == StaleCause::kNotClean) {
      MakeStale(&copy, kNotCleanBefore, StaleCause::kNotCleanBefore);
    }
    if (copy.drained_by == DrainedBy::kConfig) {
      copy.drained_by = DrainedBy::kNobody;
      changed = true;
    }
    if (static_cast<uint32_t>(known) == stored.primary) primary = index;
    if (copy.state == CopyState::kInSync && first_in_sync < 0) first_in_sync = index;
  }
  if (primary < 0) {
    changed = true;
    primary = first_in_sync;
  }
  if (primary < 0) {
    *error =
        "the config no longer has " + stored.copies[stored.primary].node +
        ", the primary of shard " + Quoted(stored.name) +
        ", and no other copy of it is in sync: put that node back until a replica is in sync, or"
        " remove the state file to have the primaries of the config believed";
    return std::nullopt;
  }
  shard.primary = static_cast<uint32_t>(primary);
  if (!clean) {
    changed = true;
    for (uint32_t i = 0; i < shard.copies.size(); ++i) {
      CopyInfo& copy = shard.copies[i];
      if (i != shard.primary && copy.state == CopyState::kInSync) {
        MakeStale(&copy, kNotClean, StaleCause::kNotClean);
      }
    }
  }
  if (changed) ++shard.epoch;
  return shard;
}

// What gemel changed on a node is known of it in whichever shard it is now.
void TakeSettings(const Topology& stored, ShardInfo* shard) {
  const int known = stored.IndexOf(shard->name);
  for (CopyInfo& copy : shard->copies) {
    if (known >= 0 && stored.shards[static_cast<size_t>(known)].IndexOf(copy.node) >= 0) continue;
    for (const ShardInfo& other : stored.shards) {
      const int at = other.IndexOf(copy.node);
      if (at >= 0) copy.settings = other.copies[static_cast<size_t>(at)].settings;
    }
  }
}

// Without a ring, rings are neither taken over nor kept.
std::optional<Topology> Initial(const std::vector<ShardMembers>& members, const RingSpec* ring,
                                const Topology* stored, std::string* error) {
  Topology topology;
  for (const ShardMembers& shard : members) {
    const int known = stored == nullptr ? -1 : stored->IndexOf(shard.name);
    if (known < 0) {
      topology.shards.push_back(NewShard(shard));
      continue;
    }
    std::optional<ShardInfo> kept =
        KnownShard(shard, stored->shards[static_cast<size_t>(known)], stored->clean, error);
    if (!kept) return std::nullopt;
    topology.shards.push_back(*std::move(kept));
  }
  for (ShardInfo& shard : topology.shards) {
    if (stored != nullptr) TakeSettings(*stored, &shard);
  }
  if (ring != nullptr) {
    if (stored != nullptr) topology.rings = stored->rings;
    if (!SetRing(&topology, *ring, error)) return std::nullopt;
  } else {
    for (ShardInfo& shard : topology.shards) shard.swept = 0;
  }
  if (!CheckTopology(topology, error)) return std::nullopt;
  if (stored != nullptr) {
    topology.epoch = stored->epoch;
    if (topology != *stored) ++topology.epoch;
  }
  return topology;
}

}  // namespace
}  // namespace topology_parts

std::optional<Topology> InitialTopology(const std::vector<ShardMembers>& members,
                                        const RingSpec& ring, const Topology* stored,
                                        std::string* error) {
  return topology_parts::Initial(members, &ring, stored, error);
}

std::optional<Topology> InitialTopology(const std::vector<ShardMembers>& members,
                                        const Topology* stored, std::string* error) {
  return topology_parts::Initial(members, nullptr, stored, error);
}

}  // namespace gemel
