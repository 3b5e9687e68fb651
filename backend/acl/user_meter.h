// How much a user has of what [[user]] limits: clients, requests and bytes a second, over all
// workers. It stays the same while the user's rules and limits change.

#ifndef GEMEL_BACKEND_ACL_USER_METER_H_
#define GEMEL_BACKEND_ACL_USER_METER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "config/config.h"

namespace gemel {

// Any thread.
class UserMeter {
 public:
  // One client more, if there are not `most` already; 0: however many.
  bool Enter(uint32_t most) {
    if (clients_.fetch_add(1, std::memory_order_relaxed) < most || most == 0) return true;
    Leave();
    return false;
  }
  void Leave() { clients_.fetch_sub(1, std::memory_order_relaxed); }
  uint32_t clients() const { return clients_.load(std::memory_order_relaxed); }

  // A request of so many bytes. For how many milliseconds it waits, and is to ask again then; 0: it
  // is counted. A user that has been still may have a second's worth at once. What it takes beyond
  // what is there it waits for afterwards.
  uint64_t Take(const UserLimits& limits, uint64_t bytes, uint64_t now_ms) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const uint64_t wait_ms = std::max(requests_.WaitMs(limits.requests_per_s, now_ms),
                                      bytes_.WaitMs(limits.bytes_per_s, now_ms));
    if (wait_ms > 0) return wait_ms;
    requests_.left -= 1;
    bytes_.left -= static_cast<double>(bytes);
    return 0;
  }
  // It was answered so much.
  void Spend(uint64_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    bytes_.left -= static_cast<double>(bytes);
  }

 private:
  struct Bucket {
    double left = 0;
    uint64_t then_ms = 0;
    bool begun = false;

    uint64_t WaitMs(uint64_t per_s, uint64_t now_ms) {
      if (per_s == 0) {
        left = 0;
        begun = false;
        return 0;
      }
      const double rate = static_cast<double>(per_s);
      if (!begun) {
        left = rate;
        then_ms = now_ms;
        begun = true;
      }
      if (now_ms > then_ms) {
        left = std::min(rate, left + static_cast<double>(now_ms - then_ms) * rate / 1000);
        then_ms = now_ms;
      }
      const double least = std::min(1.0, rate);
      return left >= least ? 0 : static_cast<uint64_t>((least - left) * 1000 / rate) + 1;
    }
  };

  std::atomic<uint32_t> clients_{0};
  std::mutex mutex_;  // guards what follows
  Bucket requests_;
  Bucket bytes_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_USER_METER_H_
