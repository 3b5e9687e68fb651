#include "backend/shard/waiting_writes.h"

#include "backend/shard/shard_parts.h"

namespace gemel {

void WaitingWrites::TakeForApplied(const Copies& copies, Op* op) {
  ForEachCopy(op->differ & ~op->lost, [&](uint32_t copy) {
    const CopyStage stage = copies.stage(copy);
    if (stage != CopyStage::kUnsure && stage != CopyStage::kReplaced) op->applied |= Bit(copy);
  });
}

}  // namespace gemel
