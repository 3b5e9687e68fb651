// The sessions whose client is gone while some of their requests are still under way: nobody waits
// for those. Asked where a request would be sent again or has waited, never on the short way.

#ifndef GEMEL_PROXY_DISPATCH_GONE_SESSIONS_H_
#define GEMEL_PROXY_DISPATCH_GONE_SESSIONS_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_set>

namespace gemel {

// Of the whole process; any thread.
class GoneSessions {
 public:
  // `session` as in Request::session.
  void Add(uint32_t session) {
    const std::lock_guard lock(mutex_);
    sessions_.insert(session);
    count_.store(sessions_.size(), std::memory_order_relaxed);
  }
  void Remove(uint32_t session) {
    if (count_.load(std::memory_order_relaxed) == 0) return;
    const std::lock_guard lock(mutex_);
    sessions_.erase(session);
    count_.store(sessions_.size(), std::memory_order_relaxed);
  }
  bool Has(uint32_t session) const {
    if (count_.load(std::memory_order_relaxed) == 0) return false;
    const std::lock_guard lock(mutex_);
    return sessions_.contains(session);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_set<uint32_t> sessions_;
  std::atomic<size_t> count_{0};
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_GONE_SESSIONS_H_
