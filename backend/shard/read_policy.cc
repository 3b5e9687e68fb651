#include "backend/shard/read_policy.h"

namespace gemel {

namespace {

constexpr const ReadPolicy* kPolicies[] = {&kReadPrimary, &kReadReplica, &kReadBalanced};

}  // namespace

const ReadPolicy& ReadPolicyOf(ReadFrom read_from) {
  for (const ReadPolicy* policy : kPolicies) {
    if (policy->read_from == read_from) return *policy;
  }
  return kReadPrimary;
}

uint32_t FewestPending(const ReadCandidates& candidates, CopyMask among) {
  const uint32_t count = candidates.copies->count();
  int best = -1;
  size_t best_pending = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t copy = (i + candidates.turn) % count;
    if ((among & Bit(copy)) == 0) continue;
    const size_t pending = candidates.copies->link(copy).line().size();
    if (best < 0 || pending < best_pending) {
      best = static_cast<int>(copy);
      best_pending = pending;
    }
  }
  return static_cast<uint32_t>(best);
}

}  // namespace gemel
