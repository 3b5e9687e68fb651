#include "backend/bytes/chunk.h"

#include <cstdlib>
#include <new>

namespace gemel {

namespace {

void Destroy(Chunk* chunk) {
  if (!chunk->pooled) std::free(chunk->data);
  chunk->~Chunk();
  std::free(chunk);
}

}  // namespace

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) Destroy(std::exchange(free_, free_->next_free));
}

Chunk* ChunkPool::New(size_t capacity) {
  if (capacity <= kStandard && free_ != nullptr) {
    Chunk* chunk = std::exchange(free_, free_->next_free);
    --free_count_;
    chunk->size = 0;
    bytes_in_use_ += chunk->capacity;
    return chunk;
  }
  if (capacity > kStandard) {
    ByteBuffer buffer;
    buffer.Grow(capacity, /*exact=*/true);
    Chunk* chunk = Adopt(std::move(buffer));
    return chunk;
  }
  void* memory = std::malloc(sizeof(Chunk) + kStandard);
  if (memory == nullptr) throw std::bad_alloc();
  Chunk* chunk = new (memory) Chunk;
  chunk->pool = this;
  chunk->pooled = true;
  chunk->capacity = kStandard;
  chunk->data = static_cast<char*>(memory) + sizeof(Chunk);
  bytes_in_use_ += chunk->capacity;
  return chunk;
}

Chunk* ChunkPool::Adopt(ByteBuffer&& buffer) {
  void* memory = std::malloc(sizeof(Chunk));
  if (memory == nullptr) throw std::bad_alloc();
  Chunk* chunk = new (memory) Chunk;
  chunk->pool = this;
  chunk->size = buffer.size();
  chunk->capacity = buffer.capacity();
  chunk->data = buffer.Release().release();
  bytes_in_use_ += chunk->capacity;
  return chunk;
}

void ChunkPool::Free(Chunk* chunk) {
  bytes_in_use_ -= chunk->capacity;
  if (!chunk->pooled || free_count_ >= kMaxFree) {
    Destroy(chunk);
    return;
  }
  chunk->next_free = free_;
  free_ = chunk;
  ++free_count_;
}

}  // namespace gemel
