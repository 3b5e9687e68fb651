// A growing byte buffer that does not clear what it allocates, and whose memory can be handed on.
// It counts what it has (budget.h).

#ifndef GEMEL_BACKEND_BYTES_BYTE_BUFFER_H_
#define GEMEL_BACKEND_BYTES_BYTE_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "backend/bytes/budget.h"

namespace gemel {

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};

// Memory from malloc, freed with free.
using MallocBytes = std::unique_ptr<char, FreeDeleter>;

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ~ByteBuffer() { Drop(); }
  ByteBuffer(ByteBuffer&& other) noexcept { *this = std::move(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    if (this == &other) return *this;
    Drop();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }

  // Makes room for `more` bytes behind the content and returns where they go; Commit says how many
  // were put there. Exactly as much as asked for is allocated when `exact` is set (for large values
  // whose size is known), else at least the double.
  char* Grow(size_t more, bool exact = false) {
    if (capacity_ - size_ < more) Reserve(size_ + more, exact);
    return data_ + size_;
  }
  void Commit(size_t bytes) { size_ += bytes; }

  // It is known that there will be `bytes` in all: makes room for them if they are not many.
  void Expect(size_t bytes) {
    if (bytes > capacity_ && bytes <= kLeastStep) Reserve(bytes, /*exact=*/true);
  }

  // Room for some of `more` bytes, *room of them: what is only announced is not allocated at once,
  // but as it comes.
  char* Extend(size_t more, size_t* room) {
    if (capacity_ == size_) {
      Reserve(size_ + std::min(more, std::clamp(size_ / 4, kLeastStep, kMostStep)), /*exact=*/true);
    }
    *room = std::min(more, capacity_ - size_);
    return data_ + size_;
  }

  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Grow(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  // Drops the first `bytes` bytes.
  void Consume(size_t bytes) {
    size_ -= bytes;
    if (size_ > 0) std::memmove(data_, data_ + bytes, size_);
  }

  // Empties it; memory above `keep` bytes is given back.
  void Clear(size_t keep = 0) {
    size_ = 0;
    if (capacity_ > keep) Drop();
  }

  // Hands the memory on, not counted any more, and is empty afterwards.
  MallocBytes Release() {
    Budget::Give(capacity_);
    size_ = capacity_ = 0;
    return MallocBytes(std::exchange(data_, nullptr));
  }

 private:
  static constexpr size_t kLeastStep = 256 * 1024;
  static constexpr size_t kMostStep = 8 * 1024 * 1024;

  void Reserve(size_t wanted, bool exact) {
    const size_t target = exact ? wanted : wanted + wanted / 2 + 64;
    void* grown = std::realloc(data_, target);
    if (grown == nullptr && Budget::SpendReserve()) grown = std::realloc(data_, target);
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(grown);
    Budget::Take(target - capacity_);
    capacity_ = target;
  }
  void Drop() {
    if (data_ == nullptr) return;
    Budget::Give(capacity_);
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  char* data_ = nullptr;  // from malloc
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_BYTE_BUFFER_H_
