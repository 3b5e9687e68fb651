#include "proxy/session/read_fence.h"

#include <algorithm>

#include "backend/ring/ring.h"

namespace gemel {

ReadFence::Mark ReadFence::MarkOfLong(std::string_view key) {
  return static_cast<Mark>(HashKey(key)) & ~kFirst;
}

void ReadFence::PushRead(std::span<const Mark> keys) {
  if (keys.empty()) {
    PushOther();
    return;
  }
  Mark first = kFirst;
  for (const Mark key : keys) {
    Push(key | first);
    Note(key);
    first = 0;
  }
}

bool ReadFence::BlocksAmong(Mark key) const {
  if (key == kAnyKey || any_ > 0) return true;
  if ((maybe_ & BitOf(key)) == 0) return false;
  const Mark* line = marks();
  for (uint32_t i = 0; i < count_; ++i) {
    if ((line[(head_ + i) & (capacity_ - 1)] & ~kFirst) == key) return true;
  }
  return false;
}

void ReadFence::Grow() {
  const uint32_t capacity = std::max(capacity_ * 4, kLeastHeap);
  auto grown = std::make_unique_for_overwrite<Mark[]>(capacity);
  const Mark* line = marks();
  for (uint32_t i = 0; i < count_; ++i) grown[i] = line[(head_ + i) & (capacity_ - 1)];
  heap_ = std::move(grown);
  capacity_ = capacity;
  head_ = 0;
}

void ReadFence::ReleaseMemory() {
  if (count_ > 0 || heap_ == nullptr) return;
  heap_.reset();
  capacity_ = kInline;
  head_ = 0;
}

}  // namespace gemel
