// How long a client may wait for a reply while there is one fault, in virtual time.

#include <algorithm>

#include "tests/sim/sim_world.h"

namespace gemel::sim {

namespace {

// What the network of a simulated run may take of it: see Node::Delay.
constexpr uint64_t kSlackUs = 20000;

}  // namespace

void World::ExpectStall(const char* fault, FaultKind kind) {
  if (mode_ != Mode::kOneFault || disk_.crash_at > 0) return;
  stall_.fault = fault;
  if (kind == FaultKind::kReset) {
    stall_.write_us = stall_.read_us = 50000;
    return;
  }
  // A copy leaves durably, maybe behind a write of something else that is under way.
  const uint64_t durable_us = 2 * disk_.max_write_us;
  stall_.write_us = stall_.read_us = 100000 + durable_us;
  if (kind != FaultKind::kSilent) return;
  const uint64_t timeout_us = std::max(options_.hang.least_ms, options_.hang.most_ms) * 1000;
  stall_.write_us += timeout_us;
  stall_.read_us += timeout_us;
  // It may be held behind a write of its session while the copy that hangs leaves.
  if (options_.hedge_ms > 0) {
    stall_.hedged_us = options_.hedge_ms * 1000 + kSlackUs + durable_us;
  }
}

void World::CheckStall(const SimOp& op) {
  if (stall_.fault.empty()) return;
  const uint64_t waited_us = op.ended_us - op.invoked_us;
  const bool read = op.is_read && !op.may_wait;
  uint64_t bound_us = read ? stall_.read_us : stall_.write_us;
  Stall& longest = stalls_[stall_.fault];
  uint64_t* most_us = read ? &longest.read_us : &longest.write_us;
  if (read && stall_.hedged_us > 0 && waited_us > longest.hedged_us) {
    most_us = &longest.hedged_us;
    bound_us = stall_.hedged_us;
  }
  *most_us = std::max(*most_us, waited_us);
  if (waited_us <= bound_us) return;
  Problem("waited for " + std::to_string(waited_us) + " us, and one fault (" + stall_.fault +
          ") may cost " + std::to_string(bound_us) + ": " + sim::Describe(op));
}

void World::CrashAt(uint64_t write, bool before) {
  disk_.crash_at = write;
  disk_.crash_before = before;
  // What only one copy has acknowledged may be lost by a crash and the fault beside it.
  if (!check_.all_acks) check_.data_lost = true;
}

}  // namespace gemel::sim
