// Reference-counted pieces of output. A link keeps what it sent until it is answered, two links may
// share one large request, and a session's replies wait for the socket: all in chunks.
//
// A pool and its chunks belong to one thread.

#ifndef GEMEL_BACKEND_BYTES_CHUNK_H_
#define GEMEL_BACKEND_BYTES_CHUNK_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "backend/bytes/byte_buffer.h"

namespace gemel {

class ChunkPool;

struct Chunk {
  ChunkPool* pool = nullptr;
  Chunk* next_free = nullptr;
  uint32_t refs = 0;
  bool pooled = false;  // of the standard size: goes back to the pool
  size_t size = 0;      // bytes written so far; only the owner of the tail appends
  size_t capacity = 0;
  char* data = nullptr;
};

// Makes chunks, counts those in use (budget.h), and keeps a bounded number of free ones.
class ChunkPool {
 public:
  static constexpr size_t kStandard = 16 * 1024;

  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // A chunk with room for at least `capacity` bytes and no references.
  Chunk* New(size_t capacity);
  // A chunk that takes the buffer's memory over, full, with no references.
  Chunk* Adopt(ByteBuffer&& buffer);
  void Free(Chunk* chunk);  // refs is 0

  size_t bytes_in_use() const { return bytes_in_use_; }

  // Frees the chunks that were not needed since the last call.
  void Trim();

 private:
  static constexpr size_t kMaxFree = 512;
  void Count(size_t bytes);
  Chunk* free_ = nullptr;
  size_t free_count_ = 0;
  size_t least_free_ = 0;  // since the last Trim
  size_t bytes_in_use_ = 0;
};

// A counted reference to a chunk.
class ChunkRef {
 public:
  ChunkRef() = default;
  explicit ChunkRef(Chunk* chunk) : chunk_(chunk) {
    if (chunk_ != nullptr) ++chunk_->refs;
  }
  ChunkRef(const ChunkRef& other) : ChunkRef(other.chunk_) {}
  ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
  ChunkRef& operator=(ChunkRef other) noexcept {
    std::swap(chunk_, other.chunk_);
    return *this;
  }
  // Inline always: most that are destroyed have been moved from, and cost nothing then.
  [[gnu::always_inline]] ~ChunkRef() {
    if (chunk_ != nullptr && --chunk_->refs == 0) chunk_->pool->Free(chunk_);
  }

  Chunk* get() const { return chunk_; }
  Chunk* operator->() const { return chunk_; }
  explicit operator bool() const { return chunk_ != nullptr; }

 private:
  Chunk* chunk_ = nullptr;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_CHUNK_H_
