// The last copy in sync is lost, or has come back with data that may be old, and copies are left
// that may lack writes (on_data_loss = "miss"): once the primary was away for a while, a stale copy
// takes its place. Every key that it may have wrong is deleted first, so that clients see misses,
// never old values. One that is back with data of its own is emptied at once.

#ifndef GEMEL_BACKEND_SHARD_LOSS_WATCH_H_
#define GEMEL_BACKEND_SHARD_LOSS_WATCH_H_

#include <cstdint>

#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class LossWatch {
 public:
  explicit LossWatch(ShardParts* parts) : parts_(parts) {}

  void Tick(uint64_t now_ms);
  // A deletion that it sent was answered, or lost (not `ok`).
  void OnDeleted(uint32_t copy, bool ok);

 private:
  int PickSubstitute() const;
  // A resync that was broken off may have left it a replica, which takes no deletions.
  void TakeInstead(uint32_t copy);
  void DeleteDoubtful(uint32_t copy);
  void OnEmptied(uint32_t copy);
  void NoteLoss(uint32_t copy, bool known) const;

  ShardParts* parts_;
  uint64_t lost_since_ms_ = 0;  // the primary, and nobody else is in sync; 0: it is not
  uint32_t pending_ = 0;        // deletions, and one for the sending of them
  bool failed_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_LOSS_WATCH_H_
