#include "backend/forget/key_marks.h"

namespace gemel {

namespace {

// What a key costs in memory besides its bytes.
constexpr size_t kMarkBytes = 64;

}  // namespace

const KeyMark* KeyMarks::Find(std::string_view key) const {
  const auto mark = marks_.find(key);
  return mark == marks_.end() ? nullptr : &mark->second;
}

void KeyMarks::Clear() {
  marks_.clear();
  bytes_ = 0;
}

uint64_t KeyMarks::Sent() {
  in_flight_.insert(next_number_);
  return next_number_++;
}

void KeyMarks::Set(std::string_view key, uint64_t ring, uint64_t number) {
  const bool added = marks_.insert_or_assign(std::string(key), KeyMark{ring, number}).second;
  if (added) bytes_ += key.size() + kMarkBytes;
}

void KeyMarks::Answered(uint64_t number, const std::vector<std::string>& keys, bool ok) {
  in_flight_.erase(number);
  for (const std::string& key : keys) {
    const auto mark = marks_.find(key);
    if (mark == marks_.end() || mark->second.pending != number) continue;
    if (ok) {
      mark->second.pending = 0;
    } else {
      bytes_ -= key.size() + kMarkBytes;
      marks_.erase(mark);
    }
  }
}

}  // namespace gemel
