// When what the C library keeps of freed memory is worth giving back to the system.

#ifndef GEMEL_PROXY_WORKER_MEMORY_EBB_H_
#define GEMEL_PROXY_WORKER_MEMORY_EBB_H_

#include <algorithm>
#include <cstdint>

namespace gemel {

class MemoryEbb {
 public:
  static constexpr uint64_t kMuch = 2 * 1024 * 1024;
  static constexpr uint32_t kTimes = 3;

  // So many bytes are held; to be called now and then.
  void OnHeld(uint64_t bytes) { most_ = std::max(most_, bytes); }
  // To be called once a second. True: give back now. That is so once much less is held than was,
  // and for as long as what is kept for a second or two still comes free.
  bool OnSecond(uint64_t held) {
    if (held + kMuch <= most_ && held <= most_ / 2) {
      left_ = kTimes;
      most_ = held;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  uint64_t most_ = 0;  // since memory was last given back
  uint32_t left_ = 0;  // so often still
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_MEMORY_EBB_H_
