// What was sent on a link and is not answered yet, in the order of sending: a ring.

#ifndef GEMEL_BACKEND_LINK_LINK_LINE_H_
#define GEMEL_BACKEND_LINK_LINK_LINE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/bytes/chunk.h"
#include "backend/link/link_item.h"

namespace gemel {

// Logic only, the link's thread. Pushing and popping is done for each request: all of it is inline.
class LinkLine {
 public:
  // One request in line.
  struct Entry {
    // Null: a question of the link's own (its handshake, SELECT); if its size is 0, the command of
    // that number (`offset`) in the block that stands behind it.
    LinkItem* item = nullptr;
    ChunkRef chunk;
    size_t offset = 0;
    size_t size = 0;
    // Valid as long as the entry.
    std::string_view frame() const { return {chunk->data + offset, size}; }
  };

  LinkLine() : ring_(4) {}
  LinkLine(const LinkLine&) = delete;
  LinkLine& operator=(const LinkLine&) = delete;

  void Push(LinkItem* item, Chunk* chunk, size_t offset, size_t size) {
    if (tail_ - head_ == ring_.size()) [[unlikely]]
      Grow();
    Entry& entry = ring_[tail_++ & (ring_.size() - 1)];
    entry.item = item;
    entry.chunk = ChunkRef(chunk);
    entry.offset = offset;
    entry.size = size;
    bytes_ += size;
  }
  void PushParts(Chunk* chunk, size_t count) {
    for (size_t i = 0; i < count; ++i) Push(nullptr, chunk, i, 0);
  }
  // The oldest, which there must be.
  Entry Pop() {
    const size_t mask = ring_.size() - 1;
    Entry entry = std::move(ring_[head_++ & mask]);
    // What its successors will need is long out of the cache when thousands are in line.
    __builtin_prefetch(ring_[(head_ + 3) & mask].item, 1);
    bytes_ -= entry.size;
    ++popped_;
    return entry;
  }
  // All of it, the oldest first. They count as answered.
  std::vector<Entry> TakeAll();
  // Gives memory back that a long line took, if nothing is in it.
  void Trim();

  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }
  size_t bytes() const { return bytes_; }
  // The next one that is to be answered, which there must be.
  const Entry& oldest() const { return ring_[head_ & (ring_.size() - 1)]; }
  // The bytes of the first in line that has any: of a block's commands, those of all of it.
  size_t oldest_bytes() const {
    size_t at = head_;
    while (at + 1 != tail_ && ring_[at & (ring_.size() - 1)].size == 0) ++at;
    return ring_[at & (ring_.size() - 1)].size;
  }
  // Places in line, counted over all connections: of the last that was answered (or lost), and of
  // the last that was sent.
  uint64_t answered_place() const { return popped_; }
  uint64_t last_place() const { return popped_ + size(); }

  // Calls visit(item, frame) for what is in line (not the handshake), the oldest first, until it
  // returns false, at most `limit` times. It may send on other links.
  template <typename Visit>
  void ForEach(size_t limit, Visit visit) const {
    for (size_t i = head_; i != tail_ && limit > 0; ++i, --limit) {
      const Entry& entry = ring_[i & (ring_.size() - 1)];
      if (entry.item != nullptr && !visit(entry.item, entry.frame())) return;
    }
  }
  // Calls replace(item, frame) for all of it; what it returns takes the item's place in line.
  template <typename Replace>
  void ReplaceEach(Replace replace) {
    for (size_t i = head_; i != tail_; ++i) {
      Entry& entry = ring_[i & (ring_.size() - 1)];
      if (entry.item != nullptr) entry.item = replace(entry.item, entry.frame());
    }
  }

 private:
  void Grow();

  uint64_t popped_ = 0;      // not beside bytes_: changed as one vector, they cost more
  std::vector<Entry> ring_;  // a power of two; [head_, tail_) modulo its size
  size_t head_ = 0;
  size_t tail_ = 0;
  size_t bytes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_LINE_H_
