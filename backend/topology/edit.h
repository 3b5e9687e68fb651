// What changes a topology, one at a time.

#ifndef GEMEL_BACKEND_TOPOLOGY_EDIT_H_
#define GEMEL_BACKEND_TOPOLOGY_EDIT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ring/ring_spec.h"
#include "backend/topology/topology.h"

namespace gemel {

enum class EditKind : uint8_t {
  kMarkStale,   // node: a replica that missed or may have missed a write
  kPromote,     // node: an in-sync replica becomes primary; the old primary is stale from then on
  kHandOver,    // node: an in-sync replica becomes primary; the old primary stays in sync
  kMarkInSync,  // node: a stale copy was made equal; run_id is that of its process
  kSetRunId,    // node: the run_id of an in-sync copy whose state is kept
  // node: a stale copy becomes primary with the data that it has, because the operator says so; all
  // others are stale from then on. run_id is that of its process
  kForcePromote,
  kDrain,         // node: a replica is stale, and stays so until it is undrained; drained_by
  kUndrain,       // node: a drained copy is stale like any other
  kAddCopy,       // node: new to the shard, so stale
  kRemoveCopy,    // node: a replica belongs to the shard no more
  kAddShard,      // members: a shard that the config has now; its first node is primary
  kRemoveShard,   // a shard that the config has no more
  kOpen,          // this proxy serves now (clean = false); no shard, no node
  kClose,         // this proxy stopped in order (clean = true); no shard, no node
  kSetRing,       // spec is the ring in effect from now on; no shard, no node
  kSwept,         // ring (its id): `swept` of the shard; no node
  kKeepSettings,  // node: settings are those that gemel changes there, and no others
};
inline constexpr size_t kEditKinds = static_cast<size_t>(EditKind::kKeepSettings) + 1;

// "promote", "mark stale", ...: for logs.
std::string_view EditKindName(EditKind kind);

// The expected epoch of an edit that is right whatever happened meanwhile.
inline constexpr uint64_t kAnyEpoch = 0;

struct Edit {
  EditKind kind;
  std::string shard;                            // its name
  std::string node;                             // Address::ToString()
  std::string run_id;                           // for kMarkInSync, kSetRunId and kForcePromote
  std::string reason;                           // why, in a few words
  std::vector<std::string> nodes = {};          // for kAddShard: the configured primary first
  RingSpec spec = {};                           // for kSetRing; its id is not looked at
  uint64_t ring = 0;                            // for kSwept
  DrainedBy drained_by = DrainedBy::kOperator;  // for kDrain
  // The epoch of the shard in the snapshot that the edit was decided on: if it is another by now,
  // the edit is refused. Edits of no shard, and of one that is still to come, have none.
  uint64_t expected = kAnyEpoch;
  std::vector<NodeSetting> settings = {};  // for kKeepSettings

  // Appends its text: TOML with a checksum line, as the state file's.
  void EncodeTo(std::string* out) const;
  // The edit of such a text. Nothing and *error (a sentence) if it is damaged, of another version,
  // or has a kind or a field that is not known: an edit is understood as a whole or not at all.
  static std::optional<Edit> DecodeFrom(std::string_view text, std::string* error);

  bool operator==(const Edit&) const = default;
};

// Applies one edit. Returns the next snapshot, or nothing and *error (a sentence) where the edit
// would break an invariant: an unknown shard or node, marking the primary stale or drained,
// promoting or handing over to a stale copy, marking a drained copy in sync, a run_id for a stale
// copy, an empty run_id, removing the primary or a shard of the ring, a node that already belongs
// to another shard; a ring of no use or of unknown shards, one more than kMaxRings, sweeping for a
// ring that is not kept, settings without a name or too many; or where `expected` is not the epoch
// of its shard. An edit that changes nothing (marking a stale copy stale: the first reason stands;
// adding a copy or a shard that is there, removing one that is not, the ring that is in effect) is
// legal and keeps the epochs.
//
// A new ring gets the next id. When a shard was swept, the rings at the front that no shard of the
// last ring needs any more are dropped. Data that comes back with a forced promotion or a restarted
// process makes the shard unswept. Neither this nor kept settings change the epoch of a shard.
//
// Marking a copy in sync that is in sync sets its run_id. That nothing was missed between the
// repair and the edit is for the proposer to know.
std::optional<Topology> Apply(const Topology& from, const Edit& edit, std::string* error);

// The same without a copy: true, or false with *error and *topology as it was.
bool ApplyTo(Topology* topology, const Edit& edit, std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_EDIT_H_
