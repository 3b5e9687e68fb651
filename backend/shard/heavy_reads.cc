#include "backend/shard/heavy_reads.h"

#include <algorithm>

#include "backend/ring/ring.h"

namespace gemel {

HeavyReads::Entry* HeavyReads::At(std::string_view what, uint64_t now_ms) {
  if (seen_.size() >= kMost) Forget(now_ms);
  const uint64_t hash = HashKey(what);
  if (seen_.size() >= kMost && !seen_.contains(hash)) seen_.erase(seen_.begin());
  Entry& entry = seen_[hash];
  entry.seen_ms = now_ms;
  return &entry;
}

void HeavyReads::NoteSize(std::string_view what, uint64_t bytes, uint64_t now_ms) {
  Entry* entry = At(what, now_ms);
  entry->known.bytes = std::max(entry->known.bytes, bytes);
}

void HeavyReads::NoteEnd(std::string_view what, uint64_t now_ms) {
  At(what, now_ms)->known.ends = true;
}

HeavyReads::Known HeavyReads::Find(std::string_view what, uint64_t now_ms) const {
  const auto found = seen_.find(HashKey(what));
  if (found == seen_.end() || now_ms > found->second.seen_ms + kKeepMs) return {};
  return found->second.known;
}

void HeavyReads::Forget(uint64_t now_ms) {
  if (seen_.empty() || now_ms < forgot_ms_ + kKeepMs / 8) return;
  forgot_ms_ = now_ms;
  std::erase_if(seen_,
                [now_ms](const auto& entry) { return now_ms > entry.second.seen_ms + kKeepMs; });
}

}  // namespace gemel
