// Which maxmemory each copy of a shard should have: the primary evicts by its own judgement, and
// the others, which hold the same keys, have a little more, so that they follow and do not decide.

#ifndef GEMEL_BACKEND_SETTINGS_LIMIT_PLAN_H_
#define GEMEL_BACKEND_SETTINGS_LIMIT_PLAN_H_

#include <array>
#include <cstdint>

#include "backend/shard/copy_mask.h"

namespace gemel {

// Bytes; 0: no limit.
struct NodeMemory {
  bool counts = false;  // it belongs to the shard, and is not to leave it
  bool known = false;   // what follows
  uint64_t own = 0;     // its limit without gemel
  uint64_t asks = 0;    // what of that counts for the primary
  uint64_t now = 0;     // the one in effect
  bool evicts = true;   // by its policy: else it refuses writes
};

struct MemoryView {
  std::array<NodeMemory, kMaxCopies> copies;
  uint32_t count = 0;
  uint32_t primary = 0;
};

struct LimitPlan {
  // What is known suffices; else all is to stay as it is.
  bool made = false;
  std::array<uint64_t, kMaxCopies> limits = {};  // of those that are known
  uint64_t primary = 0;                          // that of the primary
  int least = -1;  // the copy whose own limit that is; -1: none has one, or nobody knows
};

// How much more than the primary the others may use. Where it refuses writes when it is full they
// apply what it refuses, before that is undone, and are not to refuse what it takes.
uint64_t LimitMargin(uint64_t limit, bool evicts);

// - The primary gets the least own limit of all copies that count: whoever has less would evict, or
//   refuse writes, on its own. Not that of a copy which evicts where the primary does not: that
//   copy decides, for the primary was told to keep all.
// - The others get that and the margin, if their own is not higher; their own, if it is less.
// - A node without a limit gets none, unless it is the primary and another copy has one.
// - A primary that does not evict refuses writes when it is full. The others have room for what it
//   takes, and that is the shard's answer.
// - Copies that are stale or down count, if they were heard once: a limit that changed with each
//   loss of a copy would cost keys, and a copy that is being made equal must have room.
// - As long as a copy that counts was never heard, the primary's limit is not raised.
LimitPlan PlanLimits(const MemoryView& view);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_LIMIT_PLAN_H_
