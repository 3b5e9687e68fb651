// Writes that some copy missed: answered once all that are in sync have applied them.

#ifndef GEMEL_BACKEND_SHARD_WAITING_WRITES_H_
#define GEMEL_BACKEND_SHARD_WAITING_WRITES_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "backend/shard/copies.h"
#include "backend/shard/op.h"

namespace gemel {

// The records are their owner's (WritePath).
class WaitingWrites {
 public:
  void Add(Op* op, uint64_t now_ms) {
    op->waiting_since_ms = now_ms;
    ops_.push_back(op);
  }
  // It goes on waiting, since when it did.
  void AddAgain(Op* op) { ops_.push_back(op); }
  bool empty() const { return ops_.empty(); }
  size_t size() const { return ops_.size(); }
  // None waits any more.
  std::vector<Op*> TakeAll() { return std::exchange(ops_, {}); }
  // One has waited for so long.
  bool IsAnyDue(uint64_t now_ms, uint64_t wait_ms) const {
    for (const Op* op : ops_) {
      if (now_ms >= op->waiting_since_ms + wait_ms) return true;
    }
    return false;
  }
  // What that copy lost in flight is repaired in place.
  void OnMended(uint32_t copy) {
    for (Op* op : ops_) {
      if ((op->lost & Bit(copy)) == 0) continue;
      op->lost &= ~Bit(copy);
      op->applied |= Bit(copy);
    }
  }
  // What differed is equal by now, but for copies that could not be repaired.
  void OnAllRepaired(const Copies& copies) {
    for (Op* op : ops_) TakeForApplied(copies, op);
  }
  // The same of one.
  static void TakeForApplied(const Copies& copies, Op* op);

 private:
  std::vector<Op*> ops_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_WAITING_WRITES_H_
