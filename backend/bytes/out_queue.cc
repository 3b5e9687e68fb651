#include "backend/bytes/out_queue.h"

#include <algorithm>

namespace gemel {

Chunk* OutQueue::NewTail(size_t bytes) {
  // The same chunk from its start, if nobody holds what is in it any more.
  if (tail_ && tail_->refs == 1 && tail_->capacity >= bytes) {
    tail_->size = 0;
    return tail_.get();
  }
  tail_ = ChunkRef(pool_->New(std::max(bytes, size_t{1})));
  return tail_.get();
}

void OutQueue::QueueMore(Chunk* chunk, size_t begin, size_t end) {
  if (more_ == nullptr) more_ = std::make_unique<More>();
  more_->slices.push_back(Slice{ChunkRef(chunk), begin, end});
}

// From the first slice at least all of it.
void OutQueue::ConsumeMore(size_t bytes) {
  while (true) {
    const size_t part = std::min(bytes, front_.end - front_.begin);
    front_.begin += part;
    bytes -= part;
    if (front_.begin < front_.end) break;
    if (more_ == nullptr || more_->slices.empty()) {
      front_ = Slice{};
      // A large one is not kept for what may come.
      if (tail_ && tail_->capacity > ChunkPool::kStandard) tail_ = ChunkRef();
      return;
    }
    front_ = std::move(more_->slices[more_->head++]);
    if (more_->head == more_->slices.size()) {
      more_->slices.clear();
      more_->head = 0;
    }
  }
  if (more_ == nullptr || more_->head < 64 || more_->head * 2 < more_->slices.size()) return;
  more_->slices.erase(more_->slices.begin(),
                      more_->slices.begin() + static_cast<ptrdiff_t>(more_->head));
  more_->head = 0;
}

void OutQueue::Clear() {
  front_ = Slice{};
  if (more_ != nullptr) *more_ = More{};
  bytes_ = 0;
  tail_ = ChunkRef();
}

void OutQueue::ReleaseMemory() {
  tail_ = ChunkRef();
  if (bytes_ == 0) more_.reset();
}

}  // namespace gemel
