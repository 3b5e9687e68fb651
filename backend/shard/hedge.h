// A read that stands in line on two links, because the copy that it was sent to first is silent.
// The first good answer is the client's.

#ifndef GEMEL_BACKEND_SHARD_HEDGE_H_
#define GEMEL_BACKEND_SHARD_HEDGE_H_

#include <algorithm>
#include <cstdint>

#include "backend/shard/op.h"
#include "backend/shard/request.h"

namespace gemel {

struct Hedge : LinkItem {
  Hedge() : LinkItem(LinkItem::Kind::kHedge) {}

  uint8_t first = 0;           // the copy that it was sent to first
  CopyMask pending = 0;        // where it stands in line
  Request* request = nullptr;  // null once answered
};

// How many reads of a shard may be sent twice: at once as many as clients may have in line on a
// node that begins to hang, and for long no more than a few percent. A node that is slow again and
// again must not cost the other one the same load once more.
class HedgeBudget {
 public:
  static constexpr uint64_t kMost = 16 * 1024;  // in flight, and saved up
  static constexpr uint64_t kReadsEach = 20;    // reads that earn one

  // `reads`: all that the shard was asked so far.
  void Earn(uint64_t reads) {
    const uint64_t earned = (reads - counted_) / kReadsEach;
    counted_ += earned * kReadsEach;
    left_ = std::min(kMost, left_ + earned);
  }
  // May another one be sent? `in_flight`: hedges that are not done with.
  bool Take(uint64_t in_flight) {
    if (left_ == 0 || in_flight >= kMost) return false;
    --left_;
    return true;
  }

 private:
  uint64_t left_ = kMost;
  uint64_t counted_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HEDGE_H_
