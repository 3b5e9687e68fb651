// What is next for an order to a shard, from the state alone: an edit, nothing more, or why it
// cannot be done.

#ifndef GEMEL_BACKEND_SHARD_ORDER_PLAN_H_
#define GEMEL_BACKEND_SHARD_ORDER_PLAN_H_

#include <cstdint>
#include <string>

#include "backend/shard/copy_mask.h"
#include "backend/shard/shard_order.h"
#include "backend/topology/edit.h"
#include "backend/topology/topology.h"

namespace gemel {

struct ShardParts;

struct OrderPlan {
  enum class Next : uint8_t { kEdit, kDone, kRefuse };
  Next next = Next::kDone;
  uint32_t copy = 0;  // that it is about: chosen, where none was named
  Edit edit = {};
  std::string why = {};          // it is refused, a sentence
  std::string consequence = {};  // of what is forced, for the answer
  bool forget_journal = false;   // all of the copy is to be copied, not only what it missed
};

// `copy`: -1 where any will do. `unwanted`: they are to leave the shard, and no role is handed over
// to one of them while there is another.
OrderPlan PlanOrder(const ShardParts& parts, ShardOrder::Verb verb, int copy, CopyMask unwanted);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_ORDER_PLAN_H_
