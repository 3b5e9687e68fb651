#include "backend/shard/big_keys.h"

#include <algorithm>

namespace gemel {

void BigKeys::Note(std::string_view key, uint8_t database, uint64_t hash, By by, uint64_t bytes,
                   uint64_t now_ms) {
  hash += database;
  const auto known =
      std::find_if(keys_.begin(), keys_.end(), [hash](const Key& one) { return one.hash == hash; });
  if (known != keys_.end()) {
    if (bytes < kFromBytes) {
      if (by == By::kMemory) keys_.erase(known);  // it has become small
      return;
    }
    // A part of it that passes by says nothing of the whole.
    if (known->by == By::kMemory && by != By::kMemory && bytes < known->bytes) return;
    if (by == By::kMemory || bytes >= known->bytes || known->by == by) {
      known->by = by;
      known->bytes = bytes;
      known->seen_ms = now_ms;
    }
    return;
  }
  if (bytes < kFromBytes) return;
  Key* place = nullptr;
  if (keys_.size() < kMost) {
    place = &keys_.emplace_back();
  } else {
    place = &*std::min_element(keys_.begin(), keys_.end(),
                               [](const Key& a, const Key& b) { return a.bytes < b.bytes; });
    if (place->bytes >= bytes) return;
  }
  place->head.assign(key.substr(0, kKeptBytes));
  place->name_bytes = key.size();
  place->database = database;
  place->by = by;
  place->bytes = bytes;
  place->seen_ms = now_ms;
  place->hash = hash;
}

void BigKeys::Forget(uint64_t now_ms) {
  std::erase_if(keys_, [now_ms](const Key& key) { return now_ms >= key.seen_ms + kKeepMs; });
}

}  // namespace gemel
