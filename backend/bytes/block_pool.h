// Objects of one type for one thread, made in blocks and reused. Memory that a burst of them took
// is given back.

#ifndef GEMEL_BACKEND_BYTES_BLOCK_POOL_H_
#define GEMEL_BACKEND_BYTES_BLOCK_POOL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "backend/bytes/budget.h"

namespace gemel {

// `Ahead`: how many objects ahead New fetches into the cache.
template <typename T, size_t Ahead>
class BlockPool {
 public:
  BlockPool() = default;
  ~BlockPool() {
    for (Block* block : blocks_) Destroy(block);
  }
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  T* New() {
    if (free_.empty()) [[unlikely]]
      Refill();
    T* object = free_.back();
    free_.pop_back();
    if (free_.size() >= Ahead) __builtin_prefetch(free_[free_.size() - Ahead], 1);
    return object;
  }
  // As it is to be when it is taken again.
  void Free(T* object) { free_.push_back(object); }

  size_t in_use() const { return blocks_.size() * kInBlock - free_.size(); }

  // Called now and then: blocks of which nothing is in use are freed, if that was so of most of
  // them the last time, too.
  void Trim() {
    const bool idle = free_.size() > kKeep + 4 * in_use();
    if (idle && was_idle_) Shrink();
    was_idle_ = idle;
  }

 private:
  static constexpr size_t kBlockBytes = 8192;
  static constexpr size_t kHeader = std::max(sizeof(T), size_t{64});
  static constexpr size_t kInBlock = (kBlockBytes - kHeader) / sizeof(T);
  static constexpr size_t kKeep = 4 * kInBlock;

  // At its start; the objects lie behind it.
  struct Block {
    size_t unused = 0;
    T* objects() { return reinterpret_cast<T*>(reinterpret_cast<char*>(this) + kHeader); }
  };
  // Blocks are aligned to their size.
  static Block* BlockOf(T* object) {
    return reinterpret_cast<Block*>(reinterpret_cast<uintptr_t>(object) &
                                    ~uintptr_t{kBlockBytes - 1});
  }

  void Refill() {
    // So that Free never allocates.
    const size_t all = (blocks_.size() + 1) * kInBlock;
    if (free_.capacity() < all) free_.reserve(std::max(all, 2 * free_.capacity()));
    if (blocks_.size() == blocks_.capacity()) blocks_.reserve(2 * blocks_.size() + 8);
    void* memory = ::operator new (kBlockBytes, std::align_val_t{kBlockBytes});
    Block* block = new (memory) Block;
    for (size_t i = kInBlock; i > 0; --i) free_.push_back(new (block->objects() + i - 1) T);
    blocks_.push_back(block);
    Budget::Take(kBlockBytes);
  }
  static void Destroy(Block* block) {
    for (size_t i = 0; i < kInBlock; ++i) block->objects()[i].~T();
    block->~Block();
    ::operator delete (block, std::align_val_t{kBlockBytes});
    Budget::Give(kBlockBytes);
  }
  void Shrink() {
    for (T* object : free_) ++BlockOf(object)->unused;
    std::erase_if(free_, [](T* object) { return BlockOf(object)->unused == kInBlock; });
    std::erase_if(blocks_, [](Block* block) {
      const bool whole = block->unused == kInBlock;
      block->unused = 0;
      if (whole) Destroy(block);
      return whole;
    });
    free_.shrink_to_fit();
    free_.reserve(blocks_.size() * kInBlock);
    blocks_.shrink_to_fit();
  }

  std::vector<Block*> blocks_;
  std::vector<T*> free_;
  bool was_idle_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_BLOCK_POOL_H_
