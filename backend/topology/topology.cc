#include "backend/topology/topology.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/topology/topology_parts.h"

namespace gemel {
namespace topology_parts {
namespace {

constexpr std::string_view kUnknownData = "its data is not known yet";
constexpr std::string_view kNewCopy = "it is new to the shard";

bool CheckRings(const Topology& topology, std::string* error) {
  const std::vector<RingSpec>& rings = topology.rings;
  for (size_t i = 0; i < rings.size(); ++i) {
    if (!CheckRingSpec(rings[i], error)) return false;
    if (rings[i].id <= (i == 0 ? 0 : rings[i - 1].id)) {
      *error = "the ids of the rings do not ascend";
      return false;
    }
  }
  if (rings.size() > kMaxRings) {
    *error = "there are more than " + std::to_string(kMaxRings) + " rings";
    return false;
  }
  if (!rings.empty()) {
    std::vector<std::string_view> names;
    for (const ShardInfo& shard : topology.shards) names.push_back(shard.name);
    std::sort(names.begin(), names.end());
    for (const RingShard& shard : rings.back().shards) {
      if (!std::binary_search(names.begin(), names.end(), shard.name)) {
        *error = "the ring has a shard " + Quoted(shard.name) + ", which is not there";
        return false;
      }
    }
  }
  for (const ShardInfo& shard : topology.shards) {
    if (shard.swept > (rings.empty() ? 0 : rings.back().id)) {
      *error = "shard " + Quoted(shard.name) + " was swept for a ring that is still to come";
      return false;
    }
  }
  return true;
}

}  // namespace

std::string Quoted(std::string_view name) { return '"' + std::string(name) + '"'; }

std::string OfShard(const ShardInfo& shard, std::string_view node) {
  return std::string(node) + " of shard " + Quoted(shard.name);
}

void MakeStale(CopyInfo* copy, std::string_view reason, StaleCause cause) {
  copy->state = CopyState::kStale;
  copy->reason = reason;
  copy->cause = cause;
}

void MakeInSync(CopyInfo* copy) {
  copy->state = CopyState::kInSync;
  copy->reason.clear();
  copy->cause = StaleCause::kOther;
}

CopyInfo NewCopy(std::string_view node) {
  CopyInfo copy;
  copy.node = node;
  MakeStale(&copy, kNewCopy);
  return copy;
}

ShardInfo NewShard(const ShardMembers& members) {
  ShardInfo shard;
  shard.name = members.name;
  shard.adopted = true;
  for (const std::string& node : members.nodes) {
    CopyInfo& copy = shard.copies.emplace_back();
    copy.node = node;
    MakeStale(&copy, kUnknownData);
  }
  if (!shard.copies.empty()) MakeInSync(&shard.copies[0]);
  return shard;
}

std::string WhyNoSettings(const std::vector<NodeSetting>& settings) {
  if (settings.size() > kMaxNodeSettings) return "has too many settings that are kept";
  for (size_t i = 0; i < settings.size(); ++i) {
    if (settings[i].name.empty()) return "has a setting without a name";
    for (size_t j = 0; j < i; ++j) {
      if (settings[j].name == settings[i].name) {
        return "has the setting " + Quoted(settings[i].name) + " twice";
      }
    }
  }
  return {};
}

bool CheckShard(const ShardInfo& shard, std::string* error) {
  const std::string where = "shard " + Quoted(shard.name);
  if (shard.name.empty()) {
    *error = "a shard has no name";
  } else if (shard.epoch == 0) {
    *error = where + " has no epoch";
  } else if (shard.primary >= shard.copies.size()) {
    *error = where + " has no primary";
  } else if (shard.copies[shard.primary].state != CopyState::kInSync) {
    *error = "the primary " + OfShard(shard, shard.copies[shard.primary].node) + " is stale";
  } else {
    for (uint32_t i = 0; i < shard.copies.size(); ++i) {
      const CopyInfo& copy = shard.copies[i];
      if (copy.node.empty()) {
        *error = where + " has a copy without a node";
      } else if (shard.IndexOf(copy.node) != static_cast<int>(i)) {
        *error = where + " has " + copy.node + " twice";
      } else if ((copy.state == CopyState::kStale) == copy.reason.empty()) {
        *error = OfShard(shard, copy.node) + (copy.reason.empty()
                                                  ? " is stale without a reason"
                                                  : " is in sync but has a reason to be stale");
      } else if (copy.state == CopyState::kInSync && copy.cause != StaleCause::kOther) {
        *error = OfShard(shard, copy.node) + " is in sync but has a cause to be stale";
      } else if (copy.drained() && copy.state == CopyState::kInSync) {
        *error = OfShard(shard, copy.node) + " is drained but in sync";
      } else if (shard.adopted && i != shard.primary && copy.state == CopyState::kInSync) {
        *error =
            OfShard(shard, copy.node) + " is in sync though the data of the shard is not known";
      } else if (const std::string why = WhyNoSettings(copy.settings); !why.empty()) {
        *error = OfShard(shard, copy.node) + " " + why;
      } else {
        continue;
      }
      return false;
    }
    return true;
  }
  return false;
}

bool SetRing(Topology* topology, const RingSpec& spec, std::string* error) {
  std::vector<RingSpec>& rings = topology->rings;
  if (!rings.empty() && SameRing(rings.back(), spec)) return true;
  *error = WhyNoRoomForRing(*topology, spec);
  if (!error->empty()) return false;
  rings.push_back(spec);
  rings.back().id = rings.size() == 1 ? 1 : rings[rings.size() - 2].id + 1;
  if (CheckRings(*topology, error)) return true;
  rings.pop_back();
  return false;
}

}  // namespace topology_parts

int ShardInfo::IndexOf(std::string_view node) const {
  for (size_t i = 0; i < copies.size(); ++i) {
    if (copies[i].node == node) return static_cast<int>(i);
  }
  return -1;
}

int Topology::IndexOf(std::string_view shard) const {
  for (size_t i = 0; i < shards.size(); ++i) {
    if (shards[i].name == shard) return static_cast<int>(i);
  }
  return -1;
}

std::string WhyNoRoomForRing(const Topology& topology, const RingSpec& spec) {
  const std::vector<RingSpec>& rings = topology.rings;
  if (rings.size() < kMaxRings || SameRing(rings.back(), spec)) return {};
  return "the ring cannot change: " + std::to_string(rings.size()) +
         " rings wait until the keys that moved are deleted from the shards that had them; wait "
         "until these deletions have come to their end (PROXY SHARDS shows them)";
}

bool CheckTopology(const Topology& topology, std::string* error) {
  for (size_t i = 0; i < topology.shards.size(); ++i) {
    const ShardInfo& shard = topology.shards[i];
    if (!topology_parts::CheckShard(shard, error)) return false;
    if (topology.IndexOf(shard.name) != static_cast<int>(i)) {
      *error = "there are two shards " + topology_parts::Quoted(shard.name);
      return false;
    }
  }
  return topology_parts::CheckRings(topology, error);
}

}  // namespace gemel
