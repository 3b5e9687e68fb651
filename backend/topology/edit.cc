#include "backend/topology/edit.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "backend/topology/edit_rows.h"
#include "backend/topology/topology_parts.h"

namespace gemel {
namespace topology_parts {
namespace {

constexpr std::string_view kPromoted = "another copy was promoted";

std::string_view ReasonOr(const Edit& edit, std::string_view other) {
  return edit.reason.empty() ? other : std::string_view(edit.reason);
}

// Names the copy of the edit.
bool Refuse(const EditTarget& target, const Edit& edit, std::string_view why, std::string* error) {
  *error = OfShard(*target.shard, edit.node) + " " + std::string(why);
  return false;
}

bool MarkStale(const EditTarget& target, const Edit& edit, std::string* error) {
  if (target.is_primary()) {
    return Refuse(target, edit, "is the primary, which cannot be stale", error);
  }
  if (target.stale()) return true;
  MakeStale(target.copy, ReasonOr(edit, "no reason was given"));
  ++target.shard->epoch;
  return true;
}

// `old_reason` is why the old primary is stale from then on; empty: it is not.
bool MakePrimary(const EditTarget& target, const Edit& edit, std::string_view old_reason,
                 std::string* error) {
  ShardInfo* shard = target.shard;
  if (target.is_primary()) return true;
  if (target.stale()) {
    return Refuse(target, edit, "is stale and cannot be primary: " + target.copy->reason, error);
  }
  if (!old_reason.empty()) MakeStale(&shard->copies[shard->primary], old_reason);
  shard->primary = target.index;
  ++shard->epoch;
  return true;
}

bool Promote(const EditTarget& target, const Edit& edit, std::string* error) {
  return MakePrimary(target, edit, ReasonOr(edit, kPromoted), error);
}

bool HandOver(const EditTarget& target, const Edit& edit, std::string* error) {
  return MakePrimary(target, edit, "", error);
}

bool MarkInSync(const EditTarget& target, const Edit& edit, std::string* error) {
  if (edit.run_id.empty()) return Refuse(target, edit, "cannot be in sync without a run_id", error);
  if (target.copy->drained()) {
    return Refuse(target, edit, "is drained and cannot be in sync", error);
  }
  target.copy->run_id = edit.run_id;
  if (!target.stale()) return true;
  MakeInSync(target.copy);
  target.shard->adopted = false;
  ++target.shard->epoch;
  return true;
}

bool SetRunId(const EditTarget& target, const Edit& edit, std::string* error) {
  CopyInfo* copy = target.copy;
  if (edit.run_id.empty()) {
    *error = "the run_id of " + OfShard(*target.shard, edit.node) + " cannot become empty";
    return false;
  }
  if (target.stale()) {
    return Refuse(target, edit, "is stale and has no run_id to keep: " + copy->reason, error);
  }
  // A process that restarted may have brought back what had been deleted.
  if (!copy->run_id.empty() && copy->run_id != edit.run_id) target.shard->swept = 0;
  copy->run_id = edit.run_id;
  return true;
}

// The operator says that this copy's data is right, whatever the states say.
bool ForcePromote(const EditTarget& target, const Edit& edit, std::string* error) {
  if (edit.run_id.empty()) return Refuse(target, edit, "cannot be primary without a run_id", error);
  ShardInfo* shard = target.shard;
  bool changed = !target.is_primary() || target.stale();
  if (target.stale()) shard->swept = 0;
  MakeInSync(target.copy);
  target.copy->drained_by = DrainedBy::kNobody;
  target.copy->run_id = edit.run_id;
  for (CopyInfo& other : shard->copies) {
    if (&other == target.copy || other.state == CopyState::kStale) continue;
    MakeStale(&other, ReasonOr(edit, kPromoted));
    changed = true;
  }
  shard->primary = target.index;
  if (changed) ++shard->epoch;
  return true;
}

bool Drain(const EditTarget& target, const Edit& edit, std::string* error) {
  if (edit.drained_by == DrainedBy::kNobody) {
    return Refuse(target, edit, "cannot be drained by nobody", error);
  }
  if (target.is_primary()) {
    return Refuse(target, edit, "is the primary, which cannot be drained", error);
  }
  if (target.copy->drained()) return true;
  target.copy->drained_by = edit.drained_by;
  if (!target.stale()) MakeStale(target.copy, ReasonOr(edit, "it was drained"));
  ++target.shard->epoch;
  return true;
}

bool Undrain(const EditTarget& target, const Edit&, std::string*) {
  if (!target.copy->drained()) return true;
  target.copy->drained_by = DrainedBy::kNobody;
  ++target.shard->epoch;
  return true;
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

bool AddCopy(const EditTarget& target, const Edit& edit, std::string* error) {
  if (target.shard->IndexOf(edit.node) >= 0) return true;
  if (!IsFree(*target.topology, edit.node, edit.shard, error)) return false;
  target.shard->copies.push_back(NewCopy(edit.node));
  ++target.shard->epoch;
  return true;
}

bool RemoveCopy(const EditTarget& target, const Edit& edit, std::string* error) {
  ShardInfo* shard = target.shard;
  const int found = shard->IndexOf(edit.node);
  if (found < 0) return true;
  const auto index = static_cast<uint32_t>(found);
  if (index == shard->primary) {
    return Refuse(target, edit, "is the primary, which cannot be removed", error);
  }
  shard->copies.erase(shard->copies.begin() + found);
  if (shard->primary > index) --shard->primary;
  ++shard->epoch;
  return true;
}

bool AddShard(const EditTarget& target, const Edit& edit, std::string* error) {
  Topology* topology = target.topology;
  if (topology->IndexOf(edit.shard) >= 0) return true;
  for (const std::string& node : edit.nodes) {
    if (!IsFree(*topology, node, edit.shard, error)) return false;
  }
  ShardInfo added = NewShard({edit.shard, edit.nodes});
  if (!CheckShard(added, error)) return false;
  topology->shards.push_back(std::move(added));
  return true;
}

bool RemoveShard(const EditTarget& target, const Edit& edit, std::string* error) {
  Topology* topology = target.topology;
  if (!topology->rings.empty() && topology->rings.back().IndexOf(edit.shard) >= 0) {
    *error = "shard " + Quoted(edit.shard) + " is in the ring and cannot be removed";
    return false;
  }
  const int found = topology->IndexOf(edit.shard);
  if (found >= 0) topology->shards.erase(topology->shards.begin() + found);
  return true;
}

bool Open(const EditTarget& target, const Edit&, std::string*) {
  target.topology->clean = false;
  return true;
}

bool Close(const EditTarget& target, const Edit&, std::string*) {
  target.topology->clean = true;
  return true;
}

bool ApplyRing(const EditTarget& target, const Edit& edit, std::string* error) {
  return SetRing(target.topology, edit.spec, error);
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

bool MarkSwept(const EditTarget& target, const Edit& edit, std::string* error) {
  const std::vector<RingSpec>& rings = target.topology->rings;
  if (std::none_of(rings.begin(), rings.end(),
                   [&](const RingSpec& ring) { return ring.id == edit.ring; })) {
    *error = "shard " + Quoted(edit.shard) + " cannot be swept for ring " +
             std::to_string(edit.ring) + ", which is not kept";
    return false;
  }
  if (target.shard->swept >= edit.ring) return true;
  target.shard->swept = edit.ring;
  DropRings(target.topology);
  return true;
}

bool KeepSettings(const EditTarget& target, const Edit& edit, std::string* error) {
  const std::string why = WhyNoSettings(edit.settings);
  if (!why.empty()) return Refuse(target, edit, why, error);
  target.copy->settings = edit.settings;
  return true;
}

using Of = EditRow::Of;

// In the order of the kinds.
constexpr EditRow kRows[] = {
    {EditKind::kMarkStale, "mark stale", "mark-stale", Of::kCopy, MarkStale},
    {EditKind::kPromote, "promote", "promote", Of::kCopy, Promote},
    {EditKind::kHandOver, "hand over", "hand-over", Of::kCopy, HandOver},
    {EditKind::kMarkInSync, "mark in sync", "mark-in-sync", Of::kCopy, MarkInSync},
    {EditKind::kSetRunId, "set run_id", "set-run-id", Of::kCopy, SetRunId},
    {EditKind::kForcePromote, "force the promotion of", "force-promote", Of::kCopy, ForcePromote},
    {EditKind::kDrain, "drain", "drain", Of::kCopy, Drain},
    {EditKind::kUndrain, "undrain", "undrain", Of::kCopy, Undrain},
    {EditKind::kAddCopy, "add", "add-copy", Of::kShard, AddCopy},
    {EditKind::kRemoveCopy, "remove", "remove-copy", Of::kShard, RemoveCopy},
    {EditKind::kAddShard, "add shard", "add-shard", Of::kTopology, AddShard},
    {EditKind::kRemoveShard, "remove shard", "remove-shard", Of::kTopology, RemoveShard},
    {EditKind::kOpen, "open", "open", Of::kTopology, Open},
    {EditKind::kClose, "close", "close", Of::kTopology, Close},
    {EditKind::kSetRing, "set ring", "set-ring", Of::kTopology, ApplyRing},
    {EditKind::kSwept, "mark swept", "mark-swept", Of::kShard, MarkSwept},
    {EditKind::kKeepSettings, "keep the settings of", "keep-settings", Of::kCopy, KeepSettings},
};

constexpr bool InOrder() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (static_cast<size_t>(kRows[i].kind) != i) return false;
  }
  return std::size(kRows) == kEditKinds;
}
static_assert(InOrder());

// False and *error if the edit was decided on another state of its shard (null: it has none).
bool CheckExpected(const Edit& edit, const ShardInfo* shard, std::string* error) {
  if (edit.expected == kAnyEpoch || (shard != nullptr && shard->epoch == edit.expected)) {
    return true;
  }
  *error = "it was decided on epoch " + std::to_string(edit.expected) + " of shard " +
           Quoted(edit.shard) +
           (shard == nullptr ? ", which is not there"
                             : ", which is at epoch " + std::to_string(shard->epoch) + " now");
  return false;
}

// What an edit of the topology as a whole may change without a look at all shards.
auto Outline(const Topology& topology) {
  return std::tuple(topology.clean, topology.rings.size(), topology.shards.size());
}

}  // namespace

const EditRow& RowOf(EditKind kind) { return kRows[static_cast<size_t>(kind)]; }

const EditRow* RowOfSaved(std::string_view saved) {
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const EditRow& r) { return r.saved == saved; });
  return row == std::end(kRows) ? nullptr : row;
}

}  // namespace topology_parts

std::string_view EditKindName(EditKind kind) { return topology_parts::RowOf(kind).name; }

std::optional<Topology> Apply(const Topology& from, const Edit& edit, std::string* error) {
  Topology next = from;
  if (!ApplyTo(&next, edit, error)) return std::nullopt;
  return next;
}

bool ApplyTo(Topology* topology, const Edit& edit, std::string* error) {
  using topology_parts::EditRow;
  const topology_parts::EditRow& row = topology_parts::RowOf(edit.kind);
  const int found = topology->IndexOf(edit.shard);
  topology_parts::EditTarget target{topology};
  if (found >= 0) target.shard = &topology->shards[static_cast<size_t>(found)];
  if (row.of != EditRow::Of::kTopology && target.shard == nullptr) {
    *error = "there is no shard " + topology_parts::Quoted(edit.shard);
    return false;
  }
  if (!topology_parts::CheckExpected(edit, target.shard, error)) return false;
  if (row.of == EditRow::Of::kTopology) {
    const auto before = topology_parts::Outline(*topology);
    if (!row.apply(target, edit, error)) return false;
    if (topology_parts::Outline(*topology) != before) ++topology->epoch;
    return true;
  }
  if (row.of == EditRow::Of::kCopy) {
    const int index = target.shard->IndexOf(edit.node);
    if (index < 0) {
      *error = "shard " + topology_parts::Quoted(edit.shard) + " has no node " +
               topology_parts::Quoted(edit.node);
      return false;
    }
    target.index = static_cast<uint32_t>(index);
    target.copy = &target.shard->copies[target.index];
  }
  const ShardInfo before = *target.shard;
  if (!row.apply(target, edit, error)) return false;
  if (*target.shard != before) ++topology->epoch;
  return true;
}

}  // namespace gemel
