// Bytes on their way to a socket: a queue of slices of chunks.

#ifndef GEMEL_BACKEND_BYTES_OUT_QUEUE_H_
#define GEMEL_BACKEND_BYTES_OUT_QUEUE_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/bytes/chunk.h"

namespace gemel {

class OutQueue {
 public:
  // Where appended bytes lie; they stay there as long as the chunk is referenced.
  struct Placement {
    Chunk* chunk;
    size_t offset;
  };

  explicit OutQueue(ChunkPool* pool) : pool_(pool) {}
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;

  // Copies the bytes, in one piece, behind what is queued.
  Placement Append(std::string_view bytes) {
    Chunk* tail = tail_.get();
    if (tail == nullptr || tail->capacity - tail->size < bytes.size()) tail = NewTail(bytes.size());
    const size_t offset = tail->size;
    std::memcpy(tail->data + offset, bytes.data(), bytes.size());
    tail->size += bytes.size();
    Queue(tail, offset, tail->size);
    return {tail, offset};
  }

  // Queues a whole chunk without copying it.
  void AppendChunk(Chunk* chunk) {
    const ChunkRef held(chunk);  // an empty one is not queued
    tail_ = ChunkRef();          // nothing may be put behind it that was put before it
    Queue(chunk, 0, chunk->size);
  }

  // Queues a part of a chunk that is held elsewhere meanwhile, without copying it.
  void AppendPart(Chunk* chunk, size_t begin, size_t end) {
    tail_ = ChunkRef();
    Queue(chunk, begin, end);
  }

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // Calls visit(data, size) for the slices from the front until it returns false.
  template <typename Visit>
  void ForEach(Visit visit) const {
    if (bytes_ == 0 || !Show(front_, visit) || more_ == nullptr) return;
    for (size_t i = more_->head; i < more_->slices.size(); ++i) {
      if (!Show(more_->slices[i], visit)) return;
    }
  }

  // Drops the first `bytes` bytes: they were sent.
  void Consume(size_t bytes) {
    bytes_ -= bytes;
    if (bytes < front_.end - front_.begin) {
      front_.begin += bytes;
    } else if (bytes > 0) {
      ConsumeMore(bytes);
    }
  }
  void Clear();

  // Gives the memory of an empty queue back; for queues that rest.
  void ReleaseMemory();

 private:
  struct Slice {
    ChunkRef chunk;
    size_t begin = 0;
    size_t end = 0;
  };
  // What is behind the first slice: [head, slices.size()). Both are 0 if that is nothing.
  struct More {
    std::vector<Slice> slices;
    size_t head = 0;
  };

  template <typename Visit>
  static bool Show(const Slice& slice, Visit& visit) {
    return visit(slice.chunk->data + slice.begin, slice.end - slice.begin);
  }
  void Queue(Chunk* chunk, size_t begin, size_t end) {
    bytes_ += end - begin;
    Slice& last = more_ == nullptr || more_->slices.empty() ? front_ : more_->slices.back();
    if (last.chunk.get() == chunk && last.end == begin) {
      last.end = end;
    } else if (begin != end) {
      if (bytes_ == end - begin) {
        front_ = Slice{ChunkRef(chunk), begin, end};  // nothing was queued
      } else {
        QueueMore(chunk, begin, end);
      }
    }
  }
  void QueueMore(Chunk* chunk, size_t begin, size_t end);
  void ConsumeMore(size_t bytes);
  Chunk* NewTail(size_t bytes);

  ChunkPool* pool_;
  ChunkRef tail_;  // the chunk that appended bytes go to
  // The first slice lies here, so that a session that answers one request at a time allocates
  // nothing.
  Slice front_;
  std::unique_ptr<More> more_;
  size_t bytes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_OUT_QUEUE_H_
