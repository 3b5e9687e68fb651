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
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace gemel {

class ReadFence {
 public:
  // A key, as the fence knows it. Equal keys have equal marks; others seldom do, and then a write
  // waits without need.
  using Mark = uint32_t;
  static Mark MarkOf(std::string_view key) {
    const Mark mark = key.size() <= 16 ? MarkOfShort(key) : MarkOfLong(key);
    return mark <= kAnyKey ? mark + 2 : mark;
  }
  // For a request whose keys are not known, or too many: it meets every other.
  static constexpr Mark kAnyKey = 1;
  // Of a request more keys than this count as any.
  static constexpr size_t kMostKeys = 16;

  // --- the line of requests that are not answered yet, oldest first ---
  // One was sent that reads these keys (as marks); none for one that reads nothing.
  void PushRead(std::span<const Mark> keys);
  void PushRead(Mark key) {
    Push(key | kFirst);
    Note(key);
  }
  void PushOther() { Push(kFirst); }
  // The oldest is answered.
  void Pop() {
    const Mark* line = marks();
    do {
      const Mark key = line[head_] & ~kFirst;
      head_ = (head_ + 1) & (capacity_ - 1);
      --count_;
      if (key == 0) continue;
      any_ -= key == kAnyKey ? 1 : 0;
      if (--reads_ == 0) maybe_ = 0;
    } while (count_ > 0 && (line[head_] & kFirst) == 0);
  }

  // Must a write of that key wait?
  bool Blocks(Mark key) const { return reads_ > 0 && BlocksAmong(key); }
  bool empty() const { return count_ == 0; }
  // Gives back what an idle session need not hold.
  void ReleaseMemory();

 private:
  static constexpr Mark kFirst = 0x80000000u;  // the first of its request
  static constexpr uint32_t kInline = 4;
  static constexpr uint32_t kLeastHeap = 64;  // it grows by four: few steps to a deep pipeline

  static uint64_t Load(const char* bytes, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, size);
    return word;
  }
  // Up to 16 bytes fill two words with nothing left over; their loads overlap.
  static Mark MarkOfShort(std::string_view key) {
    const char* bytes = key.data();
    const size_t size = key.size();
    uint64_t head = size;
    uint64_t tail = size;
    if (size >= 8) {
      head = Load(bytes, 8);
      tail ^= Load(bytes + size - 8, 8);
    } else if (size >= 4) {
      head = Load(bytes, 4) | Load(bytes + size - 4, 4) << 32;
    } else if (size > 0) {
      head = Load(bytes, 1) | Load(bytes + size / 2, 1) << 8 | Load(bytes + size - 1, 1) << 16;
    }
    return static_cast<Mark>((head * 0x9e3779b97f4a7c15ull ^ tail * 0xc2b2ae3d27d4eb4full) >> 33);
  }
  static Mark MarkOfLong(std::string_view key);

  void Push(Mark entry) {
    if (count_ == capacity_) [[unlikely]]
      Grow();
    marks()[(head_ + count_++) & (capacity_ - 1)] = entry;
  }
  void Note(Mark key) {
    ++reads_;
    any_ += key == kAnyKey ? 1 : 0;
    maybe_ |= BitOf(key);
  }
  bool BlocksAmong(Mark key) const;
  [[gnu::noinline]] void Grow();
  const Mark* marks() const { return heap_ != nullptr ? heap_.get() : inline_; }
  Mark* marks() { return heap_ != nullptr ? heap_.get() : inline_; }
  static uint32_t BitOf(Mark key) { return 1u << (key >> 26); }

  Mark inline_[kInline] = {};
  std::unique_ptr<Mark[]> heap_;
  uint32_t capacity_ = kInline;  // a power of two
  uint32_t head_ = 0;
  uint32_t count_ = 0;
  uint32_t reads_ = 0;  // keys among them
  uint32_t any_ = 0;    // of them kAnyKey
  uint32_t maybe_ = 0;  // a bit for each key that was pushed since there were none
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_READ_FENCE_H_
