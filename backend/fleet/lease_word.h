// Until when a process holds its leases, for threads that ask before whatever they do.

#ifndef GEMEL_BACKEND_FLEET_LEASE_WORD_H_
#define GEMEL_BACKEND_FLEET_LEASE_WORD_H_

#include <atomic>
#include <cstdint>

namespace gemel {

// The coordinator's thread sets it, any thread asks.
//
// A thread that has stood still may find leases that hold, but are those of a later life than what
// it serves: others had its shards meanwhile. So who asks says how many losses it knows of.
class LeaseWord {
 public:
  // `until_ms`: as by OwnLife::until_ms; 0: nothing is held.
  void Set(uint64_t until_ms) {
    if (until_ms == 0 && until_ms_.load(std::memory_order_relaxed) != 0) {
      lost_.fetch_add(1, std::memory_order_release);
    }
    until_ms_.store(until_ms, std::memory_order_release);
  }
  // How often all was lost.
  uint64_t lost() const { return lost_.load(std::memory_order_acquire); }
  uint64_t until_ms() const { return until_ms_.load(std::memory_order_acquire); }
  // Of what was held before any loss that came after so many; 0: it is lost.
  uint64_t UntilMs(uint64_t known_lost) const {
    const uint64_t until_ms = this->until_ms();  // before the other: that was counted before it
    return lost() == known_lost ? until_ms : 0;
  }

 private:
  std::atomic<uint64_t> lost_{0};
  std::atomic<uint64_t> until_ms_{0};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_LEASE_WORD_H_
