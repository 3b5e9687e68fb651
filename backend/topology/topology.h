// Who belongs to which shard, who is its primary, and which copies are in sync: an immutable
// snapshot, changed only by edits (edit.h).
//
// Invariants of every snapshot (CheckTopology):
//   - a shard has one primary;
//   - the primary is in sync, so there is always an authoritative copy, even if its node is down;
//   - a stale copy says why, a copy in sync has nothing to say and no cause;
//   - a drained copy is stale;
//   - the settings of a copy that are kept have names, each once, at most kMaxNodeSettings of them;
//   - in an adopted shard only the primary is in sync;
//   - names of shards are unique, and so are the nodes of a shard; none is empty;
//   - the ids of the rings ascend, and there are at most kMaxRings;
//   - the shards of the last ring are there;
//   - no shard was swept for a ring that is still to come.

#ifndef GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_H_
#define GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ring/ring_spec.h"

namespace gemel {

enum class CopyState : uint8_t {
  kInSync,
  kStale,  // may lack writes: neither read nor promoted until repaired
};

// Why a copy is stale, as far as anything depends on it. Saved: the first cause stands, as the
// first reason does.
enum class StaleCause : uint8_t {
  kOther,  // it may lack writes; also that of a copy in sync
  // It was in sync when the proxy was killed before this start: until the shard has sent a write,
  // it is as good as the primary, for all that was acknowledged is on both.
  kNotClean,
  kNotCleanBefore,  // the same, but before an earlier start: it may have missed writes since
};

// Who says that a copy is not to be made equal.
enum class DrainedBy : uint8_t {
  kNobody,
  kOperator,  // it stays drained until it is undrained
  kConfig,    // it leaves the shard: drained until it is removed, or the config has it again
};

// A setting of a node that gemel changes there, and what is needed to take that back.
struct NodeSetting {
  std::string name;    // Redis's
  std::string own;     // what the node has without gemel
  std::string set;     // what it is told to have
  std::string before;  // what it was told before, and may have still; empty: nothing

  bool operator==(const NodeSetting&) const = default;
};

// More settings of a node are not changed.
constexpr size_t kMaxNodeSettings = 8;

struct CopyInfo {
  std::string node;  // Address::ToString()
  CopyState state = CopyState::kStale;
  // The id of the process whose data this state speaks of (see node_identity.h, but here any text);
  // empty: not seen yet.
  std::string run_id;
  std::string reason = {};  // why it is stale, for people; empty when in sync
  StaleCause cause = StaleCause::kOther;
  DrainedBy drained_by = DrainedBy::kNobody;
  std::vector<NodeSetting> settings = {};  // those that gemel changes there

  // It stays stale, and is not made equal, until it is undrained.
  bool drained() const { return drained_by != DrainedBy::kNobody; }

  bool operator==(const CopyInfo&) const = default;
};

struct ShardInfo {
  std::string name;
  uint64_t epoch = 1;    // grows with each change of roles, states or members; from 1
  uint32_t primary = 0;  // index into copies
  // No state was known for this shard when it was made: what its nodes hold must be looked at
  // before a replica may count as in sync. Ends with the first replica that is marked in sync.
  bool adopted = false;
  // Which keys its nodes may hold. s > 0: none that ring s does not give to this shard, but for
  // those written since through rings after s. 0: they may hold anything, which is believed as far
  // as the first of the rings kept says that it is this shard's.
  uint64_t swept = 0;
  std::vector<CopyInfo> copies;  // in the order of the config

  // The copy on `node`, or -1.
  int IndexOf(std::string_view node) const;

  bool operator==(const ShardInfo&) const = default;
};

struct Topology {
  // Grows with each edit that changes anything, so equal epochs of one history are equal snapshots.
  uint64_t epoch = 0;
  // False while a proxy serves: if it is found false at a start, the last proxy did not stop in
  // order, and writes in flight may have reached one copy only.
  bool clean = true;
  std::vector<ShardInfo> shards;
  // Oldest first; the last is in effect. Those before it are kept as long as a shard needs them to
  // know which of its keys may be old. Empty: none is known (an older state file).
  std::vector<RingSpec> rings;

  // The shard of that name, or -1.
  int IndexOf(std::string_view shard) const;

  bool operator==(const Topology&) const = default;
};

// More rings than this cannot wait for the deletion of what they left behind.
constexpr size_t kMaxRings = 32;

// Whether the invariants hold. If not, *error is a sentence that names the shard and the node.
bool CheckTopology(const Topology& topology, std::string* error);

// Why `spec` cannot be the next ring for as long as kMaxRings are kept, a sentence; empty if it
// can.
std::string WhyNoRoomForRing(const Topology& topology, const RingSpec& spec);

// What the config says of a shard.
struct ShardMembers {
  std::string name;
  std::vector<std::string> nodes;  // the configured primary first
};

// The snapshot to begin with: what `stored` (from the state file, or null at the first start) knows
// of the configured shards. Shards and nodes that the config no longer has are dropped; a shard
// that is new is `adopted`, its replicas stale ("its data is not known yet"); a replica that is new
// to a known shard is stale. A known primary stays the primary, wherever the config lists it. A
// known primary that the config dropped: the first in-sync copy left is promoted (epoch + 1), and
// if there is none, that is an error (nothing is returned; *error says which shard and what the
// operator can do). If `stored` is not clean, every replica becomes stale ("the proxy did not stop
// in order"; one that was stale keeps its reason), epochs + 1. A copy that was on its way out and
// is in the config is not drained any more. The settings of a node are kept in whichever shard the
// config has it.
//
// The result is clean, whatever `stored` was: nothing was written through it yet. It need not be
// made durable by itself; the kOpen edit with which a proxy begins to serve does that.
//
// `ring`: that of the config. It becomes the first ring if none is stored, and the last if it
// differs from the stored last one; if kMaxRings are stored already, that is an error.
std::optional<Topology> InitialTopology(const std::vector<ShardMembers>& members,
                                        const RingSpec& ring, const Topology* stored,
                                        std::string* error);

// The same of a pool whose ring never changes: rings are neither taken over nor kept.
std::optional<Topology> InitialTopology(const std::vector<ShardMembers>& members,
                                        const Topology* stored, std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_H_
