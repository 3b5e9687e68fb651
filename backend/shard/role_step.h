// Who must leave a shard and who is promoted: what is next, from what is known now. A pure step: a
// view goes in, an edit and what else is to be done come out, or nothing.

#ifndef GEMEL_BACKEND_SHARD_ROLE_STEP_H_
#define GEMEL_BACKEND_SHARD_ROLE_STEP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/copy_mask.h"
#include "backend/shard/copy_stages.h"
#include "backend/shard/shard_options.h"
#include "backend/topology/edit.h"
#include "backend/topology/topology.h"

namespace gemel {

// How a copy in sync is missed whose connection was lost.
enum class Absence : uint8_t {
  kNone,      // it is there, or never was
  kGrace,     // it may come back until `grace_until_ms`: what was in flight is repaired then
  kHopeless,  // nothing listens there, it is known to hang, or it cannot be repaired in place
};

// What the roles go by, of one copy. The texts must live as long as the view.
struct CopyView {
  static constexpr uint64_t kNotEmpty = ~uint64_t{0};

  CopyStage stage = CopyStage::kUnknown;
  Absence absence = Absence::kNone;
  uint64_t grace_until_ms = 0;
  bool link_up = false;
  bool up = false;           // and it is the process that it should be
  bool hopeful = false;      // no attempt to connect has failed yet
  bool is_down = false;      // by its probes
  bool drained = false;      // by the operator, or because it leaves the shard
  bool forgotten = false;    // it is not known what it has wrong
  bool was_equal = false;    // in sync when the proxy was killed, and not marked for anything else
  bool is_replica = false;   // of another server, as it said itself
  bool whole = false;        // kReplaced, and came back with all that it had
  uint64_t replaced_ms = 0;  // when that was seen
  uint64_t empty_at = kNotEmpty;  // the writes sent when it connected, if it was empty then
  uint64_t keys = 0;              // that it had when it connected
  std::string_view name;          // of the node
  std::string_view run_id;        // of the process that answers there
  std::string_view known_run_id;  // of the one whose data the topology speaks of
  std::string_view leave_reason;
};

struct RoleView {
  uint64_t now_ms = 0;
  std::vector<CopyView> copies;
  uint32_t primary = 0;
  uint32_t members = 0;
  Ack ack = Ack::kAll;
  OnDataLoss on_data_loss = OnDataLoss::kRefuse;
  uint32_t wait_ms = 0;
  uint64_t start_until_ms = 0;  // so long the shard waits for all nodes to be heard from
  bool adopted = false;
  bool paused = false;
  bool editing = false;
  bool stopped = false;
  bool edit_failed = false;  // the state cannot be saved just now
  uint64_t writes_sent = 0;
  uint64_t writes_in_flight = 0;
  std::string_view accepted_run_id;  // of a kReplaced process that counts all the same

  bool InSync(uint32_t copy) const { return IsInSync(copies[copy].stage); }
  // That copy is the only one in sync.
  bool IsAlone(uint32_t copy) const;
};

// An edit to propose.
struct RoleEdit {
  EditKind kind = EditKind::kPromote;
  uint32_t copy = 0;
  std::string run_id = {};
  std::string reason = {};
};

struct RoleStep {
  std::optional<RoleEdit> edit;
  // Somebody else may still turn up: nothing else is to be done now.
  bool awaits = false;
  // Nobody in sync has to leave.
  bool all_well = false;
  // All copies in sync restarted: what this one has is what there is, also once it is alone. -1:
  // nothing of the kind.
  int accept = -1;
  // The only copy in sync is right in whatever was doubtful of it.
  int alone = -1;
  // It holds data that may be old, and is not taken.
  bool old_data = false;
};

RoleStep NextRoleStep(const RoleView& view);

// A copy in sync cannot stay so.
bool MustLeave(const RoleView& view, uint32_t copy);
// Another copy than this is in sync, up and in no doubt.
bool OthersAreGood(const RoleView& view, uint32_t copy);
// The only copy in sync of several is up, but another process than the one whose data counts, and
// not empty: what it holds may be old. It serves once the operator accepts that, or (on_data_loss =
// "miss") once it is empty.
bool HoldsOldData(const RoleView& view);
// The only copy in sync is the primary, and it is away.
bool PrimaryIsLost(const RoleView& view);
// Until the nodes are heard from, writes wait: two empty copies can still begin as equals.
bool IsStarting(const RoleView& view);
// Is there reason to think that what waits can be sent soon?
bool IsHopeful(const RoleView& view);
// The proxy was killed, and the primary is gone, or came back without its data, before anything was
// written through this life of the proxy: then a copy that was in sync, and is the same process
// still, has all that was ever acknowledged, unless a resync has begun to overwrite it. Where less
// than "all" had to acknowledge it may lack the last writes, and so comes only before a primary
// that has nothing. Returns that copy, or -1; *awaited: one that may be it can still be heard from.
int EqualOfPrimary(const RoleView& view, bool* awaited);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_ROLE_STEP_H_
