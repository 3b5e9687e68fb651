#include "proxy/session/read_fence.h"

#include <algorithm>

#include "backend/ring/ring.h"

namespace gemel {

ReadFence::Mark ReadFence::MarkOf(std::string_view key) {
  const Mark mark = static_cast<Mark>(HashKey(key)) & ~kFirst;
  return mark <= kAnyKey ? mark + 2 : mark;
}

void ReadFence::PushRead(std::span<const Mark> keys) {
  if (keys.empty()) {
    PushOther();
    return;
  }
  Mark first = kFirst;
  for (const Mark key : keys) {
    Push(key | first, key);
    first = 0;
  }
}

void ReadFence::Push(Mark entry, Mark key) {
  if (count_ == capacity_) Grow();
  marks()[(head_ + count_++) & (capacity_ - 1)] = entry;
  if (key == 0) return;
  ++reads_;
  any_ += key == kAnyKey ? 1 : 0;
  maybe_ |= BitOf(key);
}

void ReadFence::Pop() {
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
  auto grown = std::make_unique<Mark[]>(size_t{capacity_} * 4);
  const Mark* line = marks();
  for (uint32_t i = 0; i < count_; ++i) grown[i] = line[(head_ + i) & (capacity_ - 1)];
  heap_ = std::move(grown);
  capacity_ *= 4;
  head_ = 0;
}

void ReadFence::ReleaseMemory() {
  if (count_ > 0 || heap_ == nullptr) return;
  heap_.reset();
  capacity_ = kInline;
  head_ = 0;
}

}  // namespace gemel
