// Keeps a session from reading what it writes later: a write waits for the reads that the same
// session sent before it and that are of its keys, until they are answered.
//
// A read whose node dies is sent to another copy, and one whose node is silent is sent to another
// copy too. Those have the session's later writes already, since a write goes to all copies at
// once. So no such write may be on its way. Reads and writes of different keys pass each other
// unseen: nothing waits for them.
//
// Plain logic; one thread. No allocation while at most kInline keys are under way.

#ifndef GEMEL_PROXY_SESSION_READ_FENCE_H_
#define GEMEL_PROXY_SESSION_READ_FENCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace gemel {

class ReadFence {
 public:
  // A key, as the fence knows it. Equal keys have equal marks; others seldom do, and then a write
  // waits without need.
  using Mark = uint32_t;
  static Mark MarkOf(std::string_view key);
  // For a request whose keys are not known, or too many: it meets every other.
  static constexpr Mark kAnyKey = 1;
  // Of a request more keys than this count as any.
  static constexpr size_t kMostKeys = 16;

  // --- the line of requests that are not answered yet, oldest first ---
  // One was sent that reads these keys (as marks); none for one that reads nothing.
  void PushRead(std::span<const Mark> keys);
  void PushRead(Mark key) { Push(key | kFirst, key); }
  void PushOther() { Push(kFirst, 0); }
  // The oldest is answered.
  void Pop();

  // Must a write of that key wait?
  bool Blocks(Mark key) const { return reads_ > 0 && BlocksAmong(key); }
  bool empty() const { return count_ == 0; }
  // Gives back what an idle session need not hold.
  void ReleaseMemory();

 private:
  static constexpr Mark kFirst = 0x80000000u;  // the first of its request
  static constexpr size_t kInline = 4;

  void Push(Mark entry, Mark key);
  bool BlocksAmong(Mark key) const;
  void Grow();
  const Mark* marks() const { return heap_ != nullptr ? heap_.get() : inline_; }
  Mark* marks() { return heap_ != nullptr ? heap_.get() : inline_; }
  static uint64_t BitOf(Mark key) { return uint64_t{1} << (key & 63); }

  Mark inline_[kInline] = {};
  std::unique_ptr<Mark[]> heap_;
  uint32_t capacity_ = kInline;  // a power of two
  uint32_t head_ = 0;
  uint32_t count_ = 0;
  uint32_t reads_ = 0;  // keys among them
  uint32_t any_ = 0;    // of them kAnyKey
  uint64_t maybe_ = 0;  // a bit for each key that was pushed since there were none
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_READ_FENCE_H_
