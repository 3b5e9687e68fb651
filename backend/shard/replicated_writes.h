// Writes that come to a stale copy by Redis's own replication, while that makes the copy equal
// again, and may come to something else there: BITFIELD with OVERFLOW FAIL that lengthens a string,
// SORT with BY, ALPHA and STORE, XREADGROUP of what was delivered before (kCmdLooseReplication).
// Their keys are kept, and are in doubt as soon as that copy is in sync: they are made equal by
// state, from the primary, before they are read (key_doubts.h). Whatever gemel was not told of,
// since it was not there yet, an audit finds.

#ifndef GEMEL_BACKEND_SHARD_REPLICATED_WRITES_H_
#define GEMEL_BACKEND_SHARD_REPLICATED_WRITES_H_

#include <cstdint>
#include <memory>

#include "backend/shard/dirty_keys.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class ReplicatedWrites {
 public:
  explicit ReplicatedWrites(ShardParts* parts) : parts_(parts) {}

  // Replication is about to overwrite that copy, or does so. Any number of times.
  void OnOverwriting(uint32_t copy);
  // The writes that are sent are to be told.
  bool watching() const { return copying_ != 0; }
  void OnWrite(const Request& request);
  // An edit is in effect.
  void OnRoles();
  void Trim() { frame_.Trim(); }

 private:
  ShardParts* parts_;
  CopyMask copying_ = 0;
  std::unique_ptr<DirtyKeys> keys_;  // null: none
  FrameKeys frame_{parts_->table};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REPLICATED_WRITES_H_
