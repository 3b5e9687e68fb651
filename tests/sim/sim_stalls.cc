#include "tests/sim/sim_stalls.h"

#include <algorithm>

namespace gemel::sim {

namespace {

// What the network of a simulated run may take of it: see Wire::Delay.
constexpr uint64_t kSlackUs = 20000;

}  // namespace

void Stalls::Expect(const char* fault, FaultKind kind) {
  if (!known()) return;
  bound_.fault = fault;
  if (kind == FaultKind::kReset) {
    bound_.write_us = bound_.read_us = 50000;
    return;
  }
  // A copy leaves durably, maybe behind a write of something else that is under way.
  const uint64_t durable_us = 2 * scene_->disk.max_write_us;
  bound_.write_us = bound_.read_us = 100000 + durable_us;
  if (kind != FaultKind::kSilent) return;
  const ProxyOptions& options = file_->in_effect();
  const uint64_t timeout_us = std::max(options.hang.least_ms, options.hang.most_ms) * 1000;
  bound_.write_us += timeout_us;
  bound_.read_us += timeout_us;
  // It may be held behind a write of its session while the copy that hangs leaves.
  if (options.hedge_ms > 0) bound_.hedged_us = options.hedge_ms * 1000 + kSlackUs + durable_us;
}

void Stalls::ExpectPeace(const std::string& what, uint64_t while_us) {
  bound_.fault = what;
  bound_.write_us = bound_.read_us = while_us + 100000 + scene_->disk.max_write_us;
}

void Stalls::Check(const SimOp& op) {
  if (bound_.fault.empty()) return;
  const uint64_t waited_us = op.ended_us - op.invoked_us;
  const bool read = op.is_read && !op.may_wait;
  uint64_t bound_us = read ? bound_.read_us : bound_.write_us;
  Stall& longest = longest_[bound_.fault];
  uint64_t* most_us = read ? &longest.read_us : &longest.write_us;
  if (read && bound_.hedged_us > 0 && waited_us > longest.hedged_us) {
    most_us = &longest.hedged_us;
    bound_us = bound_.hedged_us;
  }
  *most_us = std::max(*most_us, waited_us);
  if (waited_us <= bound_us) return;
  scene_->findings.Problem("waited for " + std::to_string(waited_us) + " us, and one fault (" +
                           bound_.fault + ") may cost " + std::to_string(bound_us) + ": " +
                           Describe(op));
}

}  // namespace gemel::sim
