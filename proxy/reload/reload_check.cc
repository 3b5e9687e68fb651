#include "proxy/reload/reload_check.h"

#include <algorithm>
#include <unordered_map>

#include "backend/shard/op.h"

namespace gemel {

namespace {

bool Has(const ShardConfig& shard, std::string_view node) {
  const std::vector<Address> nodes = shard.Nodes();
  return std::any_of(nodes.begin(), nodes.end(),
                     [&](const Address& address) { return address.ToString() == node; });
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

std::string WhyRefused(const PoolConfig& next, const Topology& topology,
                       const std::vector<std::string>& leaving, bool force) {
  std::unordered_map<std::string_view, const ShardInfo*> infos;
  for (const ShardInfo& info : topology.shards) infos.emplace(info.name, &info);
  for (const ShardConfig& shard : next.shards) {
    if (std::find(leaving.begin(), leaving.end(), shard.name) != leaving.end()) {
      return "shard '" + shard.name +
             "' was removed a moment ago and still answers its last requests: try again";
    }
    if (const auto known = infos.find(shard.name); known != infos.end()) {
      const std::string why = WhyMembersRefused(shard, *known->second, force);
      if (!why.empty()) return why;
      continue;
    }
    for (const Address& address : shard.Nodes()) {
      const std::string node = address.ToString();
      for (const ShardInfo& other : topology.shards) {
        if (other.IndexOf(node) < 0) continue;
        return "node " + node + " of the new shard '" + shard.name + "' still belongs to shard '" +
               other.name + "': remove it there first, with a reload of its own";
      }
    }
  }
  return {};
}

}  // namespace gemel
