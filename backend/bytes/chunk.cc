#include "backend/bytes/chunk.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace gemel {

namespace {

void Destroy(Chunk* chunk) {
  if (!chunk->pooled) std::free(chunk->data);
  chunk->~Chunk();
  std::free(chunk);
}

void* Allocate(size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr && Budget::SpendReserve()) memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) Destroy(std::exchange(free_, free_->next_free));
}

void ChunkPool::Count(size_t bytes) {
  bytes_in_use_ += bytes;
  Budget::Take(bytes);
}

void ChunkPool::Trim() {
  for (; least_free_ > 0; --least_free_) {
    Destroy(std::exchange(free_, free_->next_free));
    --free_count_;
  }
  least_free_ = free_count_;
}

Chunk* ChunkPool::New(size_t capacity) {
  if (capacity <= kStandard && free_ != nullptr) {
    Chunk* chunk = std::exchange(free_, free_->next_free);
    least_free_ = std::min(least_free_, --free_count_);
    chunk->size = 0;
    Count(chunk->capacity);
    return chunk;
  }
  if (capacity > kStandard) {
    ByteBuffer buffer;
    buffer.Grow(capacity, /*exact=*/true);
    Chunk* chunk = Adopt(std::move(buffer));
    return chunk;
  }
  void* memory = Allocate(sizeof(Chunk) + kStandard);
  Chunk* chunk = new (memory) Chunk;
  chunk->pool = this;
  chunk->pooled = true;
  chunk->capacity = kStandard;
  chunk->data = static_cast<char*>(memory) + sizeof(Chunk);
  Count(chunk->capacity);
  return chunk;
}

Chunk* ChunkPool::Adopt(ByteBuffer&& buffer) {
  void* memory = Allocate(sizeof(Chunk));
  Chunk* chunk = new (memory) Chunk;
  chunk->pool = this;
  chunk->size = buffer.size();
  chunk->capacity = buffer.capacity();
  chunk->data = buffer.Release().release();
  Count(chunk->capacity);
  return chunk;
}

void ChunkPool::Free(Chunk* chunk) {
  bytes_in_use_ -= chunk->capacity;
  Budget::Give(chunk->capacity);
  if (!chunk->pooled || free_count_ >= kMaxFree) {
    Destroy(chunk);
    return;
  }
  chunk->next_free = free_;
  free_ = chunk;
  ++free_count_;
}

}  // namespace gemel
