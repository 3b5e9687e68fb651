// Keys that were read from one copy, told to the others: by how their keys are used servers decide
// which ones to evict, and of what clients read on another copy they would know nothing. A sample
// is enough; it goes out as TOUCH, batched, and nobody waits for its answer.

#ifndef GEMEL_BACKEND_SHARD_READ_SAMPLE_H_
#define GEMEL_BACKEND_SHARD_READ_SAMPLE_H_

#include <cstdint>
#include <string>

#include "backend/figures/figures.h"
#include "backend/shard/copies.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class ReadSample {
 public:
  explicit ReadSample(ShardParts* parts) : parts_(parts) {}

  // The copies that are told; none: nothing is looked at.
  void set_told(CopyMask copies);
  CopyMask told() const { return told_; }

  // A read goes to that copy. Of those from the primary few are taken: the others do not decide
  // before they are promoted. Of those from another copy many: the primary decides by them.
  void OnRead(const Request& request, bool from_primary) {
    left_ -= from_primary ? 1 : kOfOthers;
    if (left_ <= 0) [[unlikely]]
      Take(request);
  }
  // Sends what there is.
  void Tick();

  // Its item has come back.
  void OnReply(uint32_t copy, std::string_view reply);
  void OnLost(uint32_t copy) { waiting_ &= ~Bit(copy); }
  void Trim() { keys_of_.Trim(); }

 private:
  static constexpr int64_t kEvery = 8;
  static constexpr int64_t kOfOthers = 4;
  static constexpr int64_t kNever = INT64_MAX;

  void Take(const Request& request);
  void Flush();

  ShardParts* parts_;
  int64_t left_ = kNever;  // to the next one that is taken
  CopyMask told_ = 0;
  CopyMask read_from_ = 0;  // where the keys below were read
  CopyMask waiting_ = 0;    // for an answer: not told more meanwhile
  CopyMask refuses_ = 0;    // told no more, until others are to be told
  uint32_t random_ = 1;
  uint32_t count_ = 0;
  std::string keys_;                       // of TOUCH, as RESP
  std::string frame_;                      // scratch
  FrameKeys keys_of_{parts_->table};       // scratch
  LinkItem item_{LinkItem::Kind::kTouch};  // in as many lines as it is sent to
  Figure touched_{parts_->figures, "touched_keys",
                  "Keys read on one copy of which the others were told, for their evictions"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_READ_SAMPLE_H_
