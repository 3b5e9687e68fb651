#include "backend/shard/comparison.h"

#include <utility>

#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hold.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

bool Comparison::CanBegin() const {
  const Copies& copies = *parts_->copies;
  return !parts_->roles->stopped() && !parts_->hold->paused() && !parts_->edits->editing() &&
         !copies.losing() && copies.readable() != 0 && copies.AllReadable();
}

bool Comparison::Begin(std::span<const CompareRead> reads, CopyMask copies, CompareSink* sink) {
  if (under_way() || reads.empty() || !CanBegin() || copies == 0 ||
      (copies & ~parts_->copies->in_sync()) != 0) {
    return false;
  }
  sink_ = sink;
  left_ = reads.size();
  lost_ = false;
  for (uint32_t index = 0; index < reads.size(); ++index) {
    Op* op = parts_->ops->New();
    op->item_kind = LinkItem::Kind::kCompare;
    op->pending = copies;
    op->repair_job = index;
    op->repair_step = reads[index].brief ? kBrief : 0;
    op->database = reads[index].database;
    ForEachCopy(copies,
                [&](uint32_t copy) { parts_->copies->link(copy).Send(op, reads[index].frame); });
  }
  return true;
}

bool Comparison::IsKeyLocked(std::string_view key) const {
  return parts_->way_back->repairs().IsLocked(key) || parts_->first->IsLocked(key) ||
         parts_->removals->doubts().Has(key);
}

bool Comparison::RepairKey(std::string_view key, CopyMask copies) {
  if (!CanBegin()) return false;
  const uint32_t primary = parts_->copies->primary();
  const bool begun =
      parts_->way_back->Repair(key, primary, copies & parts_->copies->in_sync() & ~Bit(primary));
  parts_->shard->Refresh();
  return begun;
}

void Comparison::OnReply(uint32_t copy, Op* op, std::string_view reply) {
  op->pending &= ~Bit(copy);
  if (sink_ != nullptr) sink_->OnCompareReply(op->repair_job, copy, reply);
  EndOp(op);
}

void Comparison::OnLost(uint32_t copy, Op* op) {
  op->pending &= ~Bit(copy);
  lost_ = true;
  EndOp(op);
}

void Comparison::EndOp(Op* op) {
  if (op->pending != 0) return;
  parts_->ops->Free(op);
  if (--left_ > 0) return;
  // A copy that refused a write before it, or lost one, is otherwise than the rest until it leaves.
  const bool sure = parts_->copies->AllReadable();
  if (CompareSink* sink = std::exchange(sink_, nullptr); sink != nullptr) {
    sink->OnCompareEnd(sure && !lost_);
  }
}

}  // namespace gemel
