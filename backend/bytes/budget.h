// What the process holds for clients and nodes: every buffer of their bytes, wherever it is, and
// what is needed to keep account of their requests. [limits] buffered bounds it.
//
// Each thread counts for itself and tells the others of what has changed in steps, so that a buffer
// may be made on one thread and freed on another, and counting costs an addition.

#ifndef GEMEL_BACKEND_BYTES_BUDGET_H_
#define GEMEL_BACKEND_BYTES_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gemel {

class Budget {
 public:
  // So many bytes were allocated, or freed.
  static void Take(size_t bytes) { Add(static_cast<int64_t>(bytes)); }
  static void Give(size_t bytes) { Add(-static_cast<int64_t>(bytes)); }

  // All threads together; what others have not told yet is missing (kStep of each).
  static uint64_t Held() {
    const int64_t held = told_.load(std::memory_order_relaxed) + own_;
    return held > 0 ? static_cast<uint64_t>(held) : 0;
  }
  static uint64_t limit() { return limit_.load(std::memory_order_relaxed); }
  static void set_limit(uint64_t bytes) {
    limit_.store(bytes, std::memory_order_relaxed);
    half_.store(static_cast<int64_t>(bytes / 2), std::memory_order_relaxed);
  }
  // Above half of the limit: who asks for more waits, one request at a time.
  static bool Tight() {
    return told_.load(std::memory_order_relaxed) + own_ > half_.load(std::memory_order_relaxed);
  }
  // Above the limit, or the system has no more memory: who holds the most has to go.
  static bool Over() { return Held() > limit() || spent_.load(std::memory_order_relaxed); }

  // One of the two.
  static bool TightOrOver() { return Tight() || spent_.load(std::memory_order_relaxed); }

  // Memory that is put aside, so that small allocations succeed for a while after the system has
  // refused one. KeepReserve makes it, once more if it was spent; false if that is refused.
  static bool KeepReserve();
  // Frees it, for another try; false if that was done before.
  static bool SpendReserve();

 private:
  static constexpr int64_t kStep = 64 * 1024;

  static void Add(int64_t bytes) {
    own_ += bytes;
    if (own_ > kStep || own_ < -kStep) Tell();
  }
  static void Tell() {
    told_.fetch_add(own_, std::memory_order_relaxed);
    own_ = 0;
  }

  static inline thread_local constinit int64_t own_ = 0;
  static inline std::atomic<int64_t> told_{0};
  static inline std::atomic<uint64_t> limit_{~uint64_t{0}};
  static inline std::atomic<int64_t> half_{INT64_MAX};
  static inline std::atomic<void*> reserve_{nullptr};
  static inline std::atomic<bool> spent_{false};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_BUDGET_H_
