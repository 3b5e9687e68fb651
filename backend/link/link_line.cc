#include "backend/link/link_line.h"

namespace gemel {

namespace {

// A line that was longer than this is given back when nothing is in it.
constexpr size_t kKeepEntries = 16 * 1024;
constexpr size_t kTrimmed = 64;

}  // namespace

void LinkLine::Grow() {
  std::vector<Entry> grown(ring_.size() * 2);
  for (size_t i = head_; i < tail_; ++i) {
    grown[i - head_] = std::move(ring_[i & (ring_.size() - 1)]);
  }
  tail_ -= head_;
  head_ = 0;
  ring_ = std::move(grown);
}

std::vector<LinkLine::Entry> LinkLine::TakeAll() {
  std::vector<Entry> all;
  all.reserve(size());
  while (!empty()) all.push_back(Pop());
  head_ = tail_ = 0;
  return all;
}

void LinkLine::Trim() {
  if (empty() && ring_.size() > kKeepEntries) std::vector<Entry>(kTrimmed).swap(ring_);
}

}  // namespace gemel
