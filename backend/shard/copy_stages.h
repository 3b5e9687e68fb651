// What is known of the data of each copy of a shard: one stage a copy, a table of the moves that
// are allowed, and the masks that follow from the stages.

#ifndef GEMEL_BACKEND_SHARD_COPY_STAGES_H_
#define GEMEL_BACKEND_SHARD_COPY_STAGES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/copy_mask.h"

namespace gemel {

enum class CopyStage : uint8_t {
  kRemoved,  // no copy any more: its place is free for a new node
  // Not in sync, durably.
  kUnknown,  // stale, and what is wrong there is not known: it needs a whole copy
  kBehind,   // stale, and its journal names every key that may be wrong
  kScanned,  // sent all writes, and copied key by key: not all that may be wrong is known yet
  kJoining,  // sent all writes, and its journal, which is worked off, names what may be wrong
  // In sync, durably.
  kInSync,    // it has everything
  kRefused,   // refused a write that others may have applied: not read until that is clear
  kUnsure,    // lost writes in flight, or could not be repaired: not read, and it leaves if others
              // are good and what it lost cannot be repaired soon
  kReplaced,  // another process answers there than the one whose data counts
};
inline constexpr size_t kCopyStages = 9;

std::string_view CopyStageName(CopyStage stage);
// Is there an edge from one to the other? (Staying is none.)
bool MayMove(CopyStage from, CopyStage to);
constexpr bool IsInSync(CopyStage stage) { return stage >= CopyStage::kInSync; }

// Logic only, one thread.
class CopyStages {
 public:
  // A copy at the next index, or at that of one that was removed.
  void Add(CopyStage stage) {
    stages_.push_back(stage);
    Derive();
  }
  void Replace(uint32_t copy, CopyStage stage) {
    stages_[copy] = stage;
    Derive();
  }
  CopyStage of(uint32_t copy) const { return stages_[copy]; }
  // No-op if it is there already. A move without an edge is a fault of the caller: it is made all
  // the same, and broken() tells of the first one.
  void Move(uint32_t copy, CopyStage to);

  CopyMask in_sync() const { return in_sync_; }
  CopyMask joining() const { return joining_; }    // kScanned and kJoining
  CopyMask scanned() const { return scanned_; }    // kScanned
  CopyMask doubtful() const { return doubtful_; }  // in sync, but not kInSync
  CopyMask replaced() const { return replaced_; }
  // Where writes go.
  CopyMask targets() const { return targets_; }
  // Empty, or which move had no edge.
  const std::string& broken() const { return broken_; }

 private:
  void Derive();

  std::vector<CopyStage> stages_;
  CopyMask in_sync_ = 0;
  CopyMask joining_ = 0;
  CopyMask scanned_ = 0;
  CopyMask doubtful_ = 0;
  CopyMask replaced_ = 0;
  CopyMask targets_ = 0;
  std::string broken_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_COPY_STAGES_H_
