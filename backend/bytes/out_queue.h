// Bytes on their way to a socket: a queue of slices of chunks.

#ifndef GEMEL_BACKEND_BYTES_OUT_QUEUE_H_
#define GEMEL_BACKEND_BYTES_OUT_QUEUE_H_

#include <cstddef>
#include <cstring>
#include <string_view>
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
    tail_ = ChunkRef();  // nothing may be put behind it that was put before it
    Queue(chunk, 0, chunk->size);
  }

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // Calls visit(data, size) for the slices from the front until it returns false.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = head_; i < slices_.size(); ++i) {
      const Slice& slice = slices_[i];
      if (!visit(slice.chunk->data + slice.begin, slice.end - slice.begin)) return;
    }
  }

  // Drops the first `bytes` bytes: they were sent.
  void Consume(size_t bytes);
  void Clear();

  // Gives the memory of an empty queue back; for queues that rest.
  void ReleaseMemory();

 private:
  struct Slice {
    ChunkRef chunk;
    size_t begin;
    size_t end;
  };

  void Queue(Chunk* chunk, size_t begin, size_t end) {
    bytes_ += end - begin;
    if (slices_.size() > head_) {
      Slice& last = slices_.back();
      if (last.chunk.get() == chunk && last.end == begin) {
        last.end = end;
        return;
      }
    }
    slices_.push_back(Slice{ChunkRef(chunk), begin, end});
  }
  Chunk* NewTail(size_t bytes);

  ChunkPool* pool_;
  ChunkRef tail_;  // the chunk that appended bytes go to
  std::vector<Slice> slices_;
  size_t head_ = 0;
  size_t bytes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_OUT_QUEUE_H_
