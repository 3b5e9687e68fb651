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

// A shard on its way to the members that are wanted, as Membership brings it there.
struct Moving {
  const ShardConfig* wanted = nullptr;
  std::vector<std::string> has;
  std::vector<std::string> drained;  // by the operator: never made equal

  bool HasNode(const std::string& node) const {
    return std::find(has.begin(), has.end(), node) != has.end();
  }
};

Moving MovingOf(const ShardConfig& wanted, const ShardInfo& info) {
  Moving moving{&wanted, {}, {}};
  for (const CopyInfo& copy : info.copies) {
    moving.has.push_back(copy.node);
    if (copy.drained_by == DrainedBy::kOperator) moving.drained.push_back(copy.node);
  }
  return moving;
}

const Moving* OwnerOf(const std::vector<Moving>& shards, const std::string& node) {
  for (const Moving& shard : shards) {
    if (shard.HasNode(node)) return &shard;
  }
  return nullptr;
}

// One step of any shard: a node that nobody has comes; once one that is to stay is there, those
// that are not to stay leave. False if there is none.
bool Step(std::vector<Moving>* shards) {
  for (Moving& shard : *shards) {
    bool stays = false;
    for (const Address& address : shard.wanted->Nodes()) {
      const std::string node = address.ToString();
      if (!shard.HasNode(node) && OwnerOf(*shards, node) == nullptr) {
        shard.has.push_back(node);
        return true;
      }
      stays |= shard.HasNode(node) &&
               std::find(shard.drained.begin(), shard.drained.end(), node) == shard.drained.end();
    }
    if (stays && std::erase_if(shard.has, [&](const std::string& node) {
                   return !Has(*shard.wanted, node);
                 }) > 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string WhyNeverDone(const PoolConfig& next, const Topology& topology) {
  std::vector<Moving> shards;
  for (const ShardConfig& wanted : next.shards) {
    const int index = topology.IndexOf(wanted.name);
    if (index >= 0) {
      shards.push_back(MovingOf(wanted, topology.shards[static_cast<size_t>(index)]));
    }
  }
  while (Step(&shards)) {
  }
  std::string waits;
  for (const Moving& shard : shards) {
    for (const Address& address : shard.wanted->Nodes()) {
      const std::string node = address.ToString();
      const Moving* owner = OwnerOf(shards, node);
      if (owner == nullptr || owner == &shard) continue;
      waits += (waits.empty() ? "shard '" : ", and shard '") + shard.wanted->name +
               "' would wait for node " + node + " of shard '" + owner->wanted->name + "'";
    }
  }
  if (waits.empty()) return {};
  return waits +
         ", none of which can let its data go before it has a node that is to stay: leave one of "
         "its present nodes in each, or lend one of them a further node, and make the change in "
         "two "
         "steps";
}

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
  if (std::string why = WhyNeverDone(next, topology); !why.empty()) return why;
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
