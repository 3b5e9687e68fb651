#include "proxy/reload/reload_check.h"

#include <algorithm>
#include <unordered_map>

#include "backend/shard/op.h"
#include "proxy/dispatch/pool.h"

namespace gemel {

namespace {

bool Has(const ShardConfig& shard, std::string_view node) {
  const std::vector<Address> nodes = shard.Nodes();
  return std::any_of(nodes.begin(), nodes.end(),
                     [&](const Address& address) { return address.ToString() == node; });
}

// In whatever order, and whoever is first.
bool SameNodes(const ShardConfig& one, const ShardConfig& other) {
  const std::vector<Address> nodes = one.Nodes();
  return nodes.size() == other.Nodes().size() &&
         std::all_of(nodes.begin(), nodes.end(),
                     [&](const Address& node) { return Has(other, node.ToString()); });
}

// Of a shard that stays.
std::string WhyMembersRefused(const ShardConfig& shard, const ShardInfo& info, bool force) {
  std::string only;
  size_t in_sync = 0;
  size_t leave = 0;
  bool stays = false;
  for (const CopyInfo& copy : info.copies) {
    const bool wanted = Has(shard, copy.node);
    if (!wanted) ++leave;
    if (copy.state != CopyState::kInSync) continue;
    ++in_sync;
    stays |= wanted;
    if (!wanted) only += (only.empty() ? "" : ", ") + copy.node;
  }
  if (shard.Nodes().size() + leave > kMaxCopies) {
    return "shard '" + shard.name + "' would have " + std::to_string(shard.Nodes().size() + leave) +
           " nodes until the old ones have left, and " + std::to_string(kMaxCopies) +
           " are the most: change them in two steps";
  }
  if (stays || force) return {};
  return "shard '" + shard.name + "' would lose its only " +
         (in_sync == 1 ? "copy in sync, " : "copies in sync, ") + only +
         ": add the new nodes first and remove the old one once a new one is in sync (PROXY SHARDS "
         "tells), or say PROXY RELOAD FORCE, by which it stays until then if it can be reached and "
         "its data is given up if not";
}

}  // namespace

std::string WhyRefused(const PoolConfig& now, const PoolConfig& next, const Topology& topology,
                       const std::vector<std::string>& leaving, bool force) {
  std::unordered_map<std::string_view, const ShardConfig*> before;
  for (const ShardConfig& shard : now.shards) before.emplace(shard.name, &shard);
  std::unordered_map<std::string_view, const ShardInfo*> infos;
  std::unordered_map<std::string_view, const ShardInfo*> owners;
  for (const ShardInfo& info : topology.shards) {
    infos.emplace(info.name, &info);
    for (const CopyInfo& copy : info.copies) owners.emplace(copy.node, &info);
  }
  for (const ShardConfig& shard : next.shards) {
    if (std::find(leaving.begin(), leaving.end(), shard.name) != leaving.end()) {
      return "shard '" + shard.name +
             "' was removed a moment ago and still answers its last requests: try again";
    }
    if (const auto known = infos.find(shard.name); known != infos.end()) {
      // What was said of its nodes before stands, also while none of them has the data yet.
      const auto old = before.find(shard.name);
      if (old != before.end() && SameNodes(*old->second, shard)) continue;
      const std::string why = WhyMembersRefused(shard, *known->second, force);
      if (!why.empty()) return why;
      continue;
    }
    for (const Address& address : shard.Nodes()) {
      const std::string node = address.ToString();
      if (const auto owner = owners.find(node); owner != owners.end()) {
        return "node " + node + " of the new shard '" + shard.name + "' still belongs to shard '" +
               owner->second->name + "': remove it there first, with a reload of its own";
      }
    }
  }
  return WhyNoRoomForRing(topology, RingOf(next));
}

std::string OutstandingMembers(const PoolConfig& now, const Topology& topology) {
  std::string lines;
  for (const ShardConfig& shard : now.shards) {
    const int index = topology.IndexOf(shard.name);
    if (index < 0) continue;
    const ShardInfo& info = topology.shards[static_cast<size_t>(index)];
    for (const Address& address : shard.Nodes()) {
      const std::string node = address.ToString();
      if (info.IndexOf(node) < 0) lines += "shard " + shard.name + ": node " + node + " comes\n";
    }
    for (const CopyInfo& copy : info.copies) {
      if (!Has(shard, copy.node)) {
        lines += "shard " + shard.name + ": node " + copy.node + " leaves\n";
      }
    }
  }
  return lines;
}

}  // namespace gemel
