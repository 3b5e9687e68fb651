// A growing byte buffer that does not clear what it allocates, and whose memory can be handed on.

#ifndef GEMEL_BACKEND_BYTES_BYTE_BUFFER_H_
#define GEMEL_BACKEND_BYTES_BYTE_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

namespace gemel {

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};

// Memory from malloc, freed with free.
using MallocBytes = std::unique_ptr<char, FreeDeleter>;

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept { *this = std::move(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_.get(), size_}; }

  // Makes room for `more` bytes behind the content and returns where they go; Commit says how many
  // were put there. Exactly as much as asked for is allocated when `exact` is set (for large values
  // whose size is known), else at least the double.
  char* Grow(size_t more, bool exact = false) {
    if (capacity_ - size_ < more) Reserve(size_ + more, exact);
    return data_.get() + size_;
  }
  void Commit(size_t bytes) { size_ += bytes; }

  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Grow(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  // Drops the first `bytes` bytes.
  void Consume(size_t bytes) {
    size_ -= bytes;
    if (size_ > 0) std::memmove(data_.get(), data_.get() + bytes, size_);
  }

  // Empties it; memory above `keep` bytes is given back.
  void Clear(size_t keep = 0) {
    size_ = 0;
    if (capacity_ > keep) {
      data_.reset();
      capacity_ = 0;
    }
  }

  // Hands the memory on and is empty afterwards.
  MallocBytes Release() {
    size_ = capacity_ = 0;
    return std::move(data_);
  }

 private:
  void Reserve(size_t wanted, bool exact) {
    size_t target = exact ? wanted : wanted + wanted / 2 + 64;
    void* grown = std::realloc(data_.get(), target);
    if (grown == nullptr) throw std::bad_alloc();
    (void)data_.release();  // realloc took it
    data_.reset(static_cast<char*>(grown));
    capacity_ = target;
  }

  MallocBytes data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_BYTE_BUFFER_H_
