// The audit's way to the copies: the same reads to several copies at one point of the order.

#include <bit>
#include <utility>

#include "backend/shard/shard.h"

namespace gemel {

bool Shard::CanCompare() const {
  return !stopped_ && !paused_ && !editing_ && !losing_ && readable_ != 0 && in_sync_ == readable_;
}

bool Shard::Compare(std::span<const std::string> frames, CopyMask copies, CompareSink* sink) {
  if (compare_.left > 0 || frames.empty() || !CanCompare() || copies == 0 ||
      (copies & ~in_sync_) != 0) {
    return false;
  }
  compare_ = {sink, frames.size(), false};
  for (uint32_t index = 0; index < frames.size(); ++index) {
    Op* op = ops_.New();
    op->item_kind = LinkItem::Kind::kCompare;
    op->pending = copies;
    op->repair_job = index;
    for (CopyMask rest = copies; rest != 0; rest &= rest - 1) {
      copies_[static_cast<uint32_t>(std::countr_zero(rest))]->link->Send(op, frames[index]);
    }
  }
  return true;
}

void Shard::OnCompareReply(uint32_t copy, Op* op, std::string_view reply) {
  op->pending &= ~Bit(copy);
  if (compare_.sink != nullptr) compare_.sink->OnCompareReply(op->repair_job, copy, reply);
  EndCompareOp(op);
}

void Shard::OnCompareLost(uint32_t copy, Op* op) {
  op->pending &= ~Bit(copy);
  compare_.lost = true;
  EndCompareOp(op);
}

void Shard::EndCompareOp(Op* op) {
  if (op->pending != 0) return;
  ops_.Free(op);
  if (--compare_.left > 0) return;
  if (CompareSink* sink = std::exchange(compare_.sink, nullptr); sink != nullptr) {
    sink->OnCompareEnd(!compare_.lost);
  }
}

bool Shard::RepairKey(std::string_view key, CopyMask copies) {
  if (!CanCompare()) return false;
  const bool begun = repair_.Begin(key, primary_, copies & in_sync_ & ~Bit(primary_));
  UpdateOpen();
  return begun;
}

}  // namespace gemel
