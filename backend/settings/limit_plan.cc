#include "backend/settings/limit_plan.h"

#include <algorithm>

namespace gemel {

namespace {

constexpr uint64_t kLeastMargin = uint64_t{1} << 20;
constexpr uint64_t kShare = 8;
constexpr uint64_t kLeastRoom = uint64_t{64} << 20;

}  // namespace

uint64_t LimitMargin(uint64_t limit, bool evicts) {
  return evicts ? std::max(limit / kShare, kLeastMargin) : std::max(limit / 2, kLeastRoom);
}

LimitPlan PlanLimits(const MemoryView& view) {
  LimitPlan plan;
  const NodeMemory& primary = view.copies[view.primary];
  if (!primary.known) return plan;
  plan.made = true;
  bool all_known = true;
  for (uint32_t i = 0; i < view.count; ++i) {
    const NodeMemory& node = view.copies[i];
    if (!node.counts) continue;
    all_known &= node.known;
    if (!node.known || node.asks == 0 || (node.evicts && !primary.evicts)) continue;
    if (plan.least >= 0 && node.asks >= plan.primary) continue;
    plan.primary = node.asks;
    plan.least = static_cast<int>(i);
  }
  // Of equal ones its own is not somebody else's.
  if (primary.own == plan.primary && primary.own != 0) plan.least = static_cast<int>(view.primary);
  if (!all_known && primary.now != 0 && (plan.primary == 0 || plan.primary > primary.now)) {
    plan.primary = primary.now;
    plan.least = -1;
  }
  const uint64_t follower = plan.primary + LimitMargin(plan.primary, primary.evicts);
  for (uint32_t i = 0; i < view.count; ++i) {
    const NodeMemory& node = view.copies[i];
    uint64_t& limit = plan.limits[i];
    limit = node.own;
    if (!node.counts || plan.primary == 0) continue;
    if (i == view.primary) {
      limit = plan.primary;
    } else if (node.own >= plan.primary) {
      limit = std::max(node.own, follower);
    }
  }
  return plan;
}

}  // namespace gemel
