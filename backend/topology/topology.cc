#include "backend/topology/topology.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/topology/not_clean.h"

namespace gemel {
namespace {

constexpr std::string_view kUnknownData = "its data is not known yet";
constexpr std::string_view kNewCopy = "it is new to the shard";
constexpr std::string_view kDrained = "it was drained";

std::string Quoted(std::string_view name) { return '"' + std::string(name) + '"'; }

std::string OfShard(const ShardInfo& shard, std::string_view node) {
  return std::string(node) + " of shard " + Quoted(shard.name);
}

void MakeStale(CopyInfo* copy, std::string_view reason) {
  copy->state = CopyState::kStale;
  copy->reason = reason;
}

// The new primary must be in sync. `old_reason` is why the old one is stale from then on; empty: it
// is not.
void MakePrimary(ShardInfo* shard, uint32_t index, std::string_view old_reason) {
  if (!old_reason.empty()) MakeStale(&shard->copies[shard->primary], old_reason);
  shard->primary = index;
  ++shard->epoch;
}

// The operator says that this copy's data is right, whatever the states say.
void ForcePrimary(ShardInfo* shard, uint32_t index, const Edit& edit) {
  CopyInfo& chosen = shard->copies[index];
  bool changed = shard->primary != index || chosen.state == CopyState::kStale;
  if (chosen.state == CopyState::kStale) shard->swept = 0;
  chosen.state = CopyState::kInSync;
  chosen.reason.clear();
  chosen.drained = false;
  chosen.run_id = edit.run_id;
  for (uint32_t i = 0; i < shard->copies.size(); ++i) {
    CopyInfo& other = shard->copies[i];
    if (i == index || other.state == CopyState::kStale) continue;
    MakeStale(&other,
              edit.reason.empty() ? "another copy was promoted" : std::string_view(edit.reason));
    changed = true;
  }
  shard->primary = index;
  if (changed) ++shard->epoch;
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
      } else if (copy.drained && copy.state == CopyState::kInSync) {
        *error = OfShard(shard, copy.node) + " is drained but in sync";
      } else if (shard.adopted && i != shard.primary && copy.state == CopyState::kInSync) {
        *error =
            OfShard(shard, copy.node) + " is in sync though the data of the shard is not known";
      } else {
        continue;
      }
      return false;
    }
    return true;
  }
  return false;
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
  if (!shard.copies.empty()) {
    shard.copies[0].state = CopyState::kInSync;
    shard.copies[0].reason.clear();
  }
  return shard;
}

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
      copy.node = node;
      MakeStale(&copy, kNewCopy);
      changed = true;
      continue;
    }
    copy = stored.copies[static_cast<size_t>(known)];
    if (copy.state == CopyState::kStale && copy.reason == kNotClean) copy.reason = kNotCleanBefore;
    if (copy.drained && copy.reason == kLeavesShard) {
      copy.drained = false;
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
      if (i != shard.primary && copy.state == CopyState::kInSync) MakeStale(&copy, kNotClean);
    }
  }
  if (changed) ++shard.epoch;
  return shard;
}

// Applies an edit of a copy to `shard`. False and *error if it is illegal.
bool EditCopy(ShardInfo* shard, const Edit& edit, std::string* error) {
  const int found = shard->IndexOf(edit.node);
  if (found < 0) {
    *error = "shard " + Quoted(shard->name) + " has no node " + Quoted(edit.node);
    return false;
  }
  const auto index = static_cast<uint32_t>(found);
  CopyInfo& copy = shard->copies[index];
  const bool is_primary = index == shard->primary;
  const bool stale = copy.state == CopyState::kStale;

  switch (edit.kind) {
    case EditKind::kMarkStale:
      if (is_primary) {
        *error = OfShard(*shard, edit.node) + " is the primary, which cannot be stale";
        return false;
      }
      if (stale) return true;
      MakeStale(&copy, edit.reason.empty() ? "no reason was given" : std::string_view(edit.reason));
      ++shard->epoch;
      return true;

    case EditKind::kPromote:
    case EditKind::kHandOver:
      if (is_primary) return true;
      if (stale) {
        *error = OfShard(*shard, edit.node) + " is stale and cannot be primary: " + copy.reason;
        return false;
      }
      if (edit.kind == EditKind::kHandOver) {
        MakePrimary(shard, index, "");
      } else {
        MakePrimary(
            shard, index,
            edit.reason.empty() ? "another copy was promoted" : std::string_view(edit.reason));
      }
      return true;

    case EditKind::kMarkInSync:
      if (edit.run_id.empty()) {
        *error = OfShard(*shard, edit.node) + " cannot be in sync without a run_id";
        return false;
      }
      if (copy.drained) {
        *error = OfShard(*shard, edit.node) + " is drained and cannot be in sync";
        return false;
      }
      copy.run_id = edit.run_id;
      if (!stale) return true;
      copy.state = CopyState::kInSync;
      copy.reason.clear();
      shard->adopted = false;
      ++shard->epoch;
      return true;

    case EditKind::kSetRunId:
      if (edit.run_id.empty()) {
        *error = "the run_id of " + OfShard(*shard, edit.node) + " cannot become empty";
        return false;
      }
      if (stale) {
        *error = OfShard(*shard, edit.node) + " is stale and has no run_id to keep: " + copy.reason;
        return false;
      }
      // A process that restarted may have brought back what had been deleted.
      if (!copy.run_id.empty() && copy.run_id != edit.run_id) shard->swept = 0;
      copy.run_id = edit.run_id;
      return true;

    case EditKind::kForcePromote:
      if (edit.run_id.empty()) {
        *error = OfShard(*shard, edit.node) + " cannot be primary without a run_id";
        return false;
      }
      ForcePrimary(shard, index, edit);
      return true;

    case EditKind::kDrain:
      if (is_primary) {
        *error = OfShard(*shard, edit.node) + " is the primary, which cannot be drained";
        return false;
      }
      if (copy.drained) return true;
      copy.drained = true;
      if (!stale) MakeStale(&copy, edit.reason.empty() ? kDrained : std::string_view(edit.reason));
      ++shard->epoch;
      return true;

    case EditKind::kUndrain:
      if (!copy.drained) return true;
      copy.drained = false;
      ++shard->epoch;
      return true;

    case EditKind::kRemoveCopy:
      if (is_primary) {
        *error = OfShard(*shard, edit.node) + " is the primary, which cannot be removed";
        return false;
      }
      shard->copies.erase(shard->copies.begin() + found);
      if (shard->primary > index) --shard->primary;
      ++shard->epoch;
      return true;

    case EditKind::kAddCopy:
    case EditKind::kAddShard:
    case EditKind::kRemoveShard:
    case EditKind::kOpen:
    case EditKind::kClose:
    case EditKind::kSetRing:
    case EditKind::kSwept:
      break;
  }
  *error = "this edit is not one of a copy";
  return false;
}

// True if no shard but `but` has the node; else *error says which.
bool IsFree(const Topology& topology, std::string_view node, std::string_view but,
            std::string* error) {
  for (const ShardInfo& shard : topology.shards) {
    if (shard.name == but || shard.IndexOf(node) < 0) continue;
    *error = "node " + std::string(node) + " still belongs to shard " + Quoted(shard.name) +
             "; remove it there first";
    return false;
  }
  return true;
}

// Edits of the members. False and *error if one is illegal.
bool EditMembers(Topology* next, const Edit& edit, std::string* error) {
  const int found = next->IndexOf(edit.shard);
  if (edit.kind == EditKind::kRemoveShard) {
    if (!next->rings.empty() && next->rings.back().IndexOf(edit.shard) >= 0) {
      *error = "shard " + Quoted(edit.shard) + " is in the ring and cannot be removed";
      return false;
    }
    if (found >= 0) next->shards.erase(next->shards.begin() + found);
    return true;
  }
  if (edit.kind == EditKind::kAddShard) {
    if (found >= 0) return true;
    for (const std::string& node : edit.nodes) {
      if (!IsFree(*next, node, edit.shard, error)) return false;
    }
    ShardInfo added = NewShard({edit.shard, edit.nodes});
    if (!CheckShard(added, error)) return false;
    next->shards.push_back(std::move(added));
    return true;
  }
  if (found < 0) {
    *error = "there is no shard " + Quoted(edit.shard);
    return false;
  }
  ShardInfo& shard = next->shards[static_cast<size_t>(found)];
  if (edit.kind == EditKind::kRemoveCopy) {
    return shard.IndexOf(edit.node) < 0 || EditCopy(&shard, edit, error);
  }
  if (shard.IndexOf(edit.node) >= 0) return true;
  if (!IsFree(*next, edit.node, edit.shard, error)) return false;
  CopyInfo& copy = shard.copies.emplace_back();
  copy.node = edit.node;
  MakeStale(&copy, kNewCopy);
  ++shard.epoch;
  return true;
}

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

// Drops the rings before the first that a shard of the last one needs.
void DropRings(Topology* topology) {
  std::vector<RingSpec>& rings = topology->rings;
  uint64_t needed = rings.back().id;
  for (const ShardInfo& shard : topology->shards) {
    // The names last: most often one shard that needs all is soon found.
    if (shard.swept >= needed || rings.back().IndexOf(shard.name) < 0) continue;
    needed = shard.swept;
    if (needed <= rings.front().id) return;
  }
  std::erase_if(rings, [needed](const RingSpec& ring) { return ring.id < needed; });
}

bool SetSwept(Topology* topology, size_t index, uint64_t id, std::string* error) {
  ShardInfo& shard = topology->shards[index];
  if (std::none_of(topology->rings.begin(), topology->rings.end(),
                   [id](const RingSpec& ring) { return ring.id == id; })) {
    *error = "shard " + Quoted(shard.name) + " cannot be swept for ring " + std::to_string(id) +
             ", which is not kept";
    return false;
  }
  if (shard.swept >= id) return true;
  shard.swept = id;
  DropRings(topology);
  return true;
}

}  // namespace

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
    if (!CheckShard(shard, error)) return false;
    if (topology.IndexOf(shard.name) != static_cast<int>(i)) {
      *error = "there are two shards " + Quoted(shard.name);
      return false;
    }
  }
  return CheckRings(topology, error);
}

std::string_view EditKindName(EditKind kind) {
  switch (kind) {
    case EditKind::kMarkStale:
      return "mark stale";
    case EditKind::kPromote:
      return "promote";
    case EditKind::kHandOver:
      return "hand over";
    case EditKind::kMarkInSync:
      return "mark in sync";
    case EditKind::kSetRunId:
      return "set run_id";
    case EditKind::kForcePromote:
      return "force the promotion of";
    case EditKind::kDrain:
      return "drain";
    case EditKind::kUndrain:
      return "undrain";
    case EditKind::kAddCopy:
      return "add";
    case EditKind::kRemoveCopy:
      return "remove";
    case EditKind::kAddShard:
      return "add shard";
    case EditKind::kRemoveShard:
      return "remove shard";
    case EditKind::kOpen:
      return "open";
    case EditKind::kClose:
      return "close";
    case EditKind::kSetRing:
      return "set ring";
    case EditKind::kSwept:
      return "mark swept";
  }
  return "?";
}

std::optional<Topology> Apply(const Topology& from, const Edit& edit, std::string* error) {
  Topology next = from;
  if (!ApplyTo(&next, edit, error)) return std::nullopt;
  return next;
}

bool ApplyTo(Topology* topology, const Edit& edit, std::string* error) {
  switch (edit.kind) {
    case EditKind::kOpen:
    case EditKind::kClose: {
      const bool clean = edit.kind == EditKind::kClose;
      if (topology->clean != clean) ++topology->epoch;
      topology->clean = clean;
      return true;
    }
    case EditKind::kSetRing: {
      const size_t rings = topology->rings.size();
      if (!SetRing(topology, edit.spec, error)) return false;
      if (topology->rings.size() != rings) ++topology->epoch;
      return true;
    }
    case EditKind::kAddShard:
    case EditKind::kRemoveShard: {
      const size_t shards = topology->shards.size();
      if (!EditMembers(topology, edit, error)) return false;
      if (topology->shards.size() != shards) ++topology->epoch;
      return true;
    }
    default:
      break;
  }
  const int found = topology->IndexOf(edit.shard);
  if (found < 0) {
    *error = "there is no shard " + Quoted(edit.shard);
    return false;
  }
  const auto index = static_cast<size_t>(found);
  const ShardInfo before = topology->shards[index];
  bool done = false;
  if (edit.kind == EditKind::kSwept) {
    done = SetSwept(topology, index, edit.ring, error);
  } else if (edit.kind == EditKind::kAddCopy || edit.kind == EditKind::kRemoveCopy) {
    done = EditMembers(topology, edit, error);
  } else {
    done = EditCopy(&topology->shards[index], edit, error);
  }
  if (done && topology->shards[index] != before) ++topology->epoch;
  return done;
}

namespace {

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

std::optional<Topology> InitialTopology(const std::vector<ShardMembers>& members,
                                        const RingSpec& ring, const Topology* stored,
                                        std::string* error) {
  return Initial(members, &ring, stored, error);
}

std::optional<Topology> InitialTopology(const std::vector<ShardMembers>& members,
                                        const Topology* stored, std::string* error) {
  return Initial(members, nullptr, stored, error);
}

}  // namespace gemel
