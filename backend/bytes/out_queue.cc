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

void OutQueue::Consume(size_t bytes) {
  bytes_ -= bytes;
  while (bytes > 0) {
    Slice& front = slices_[head_];
    const size_t part = std::min(bytes, front.end - front.begin);
    front.begin += part;
    bytes -= part;
    if (front.begin < front.end) break;
    front.chunk = ChunkRef();
    ++head_;
  }
  if (head_ == slices_.size()) {
    slices_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= slices_.size()) {
    slices_.erase(slices_.begin(), slices_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

void OutQueue::Clear() {
  slices_.clear();
  head_ = 0;
  bytes_ = 0;
  tail_ = ChunkRef();
}

void OutQueue::ReleaseMemory() {
  tail_ = ChunkRef();
  if (slices_.empty() && slices_.capacity() > 0) std::vector<Slice>().swap(slices_);
}

}  // namespace gemel
