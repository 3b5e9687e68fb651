// How much is tracked in the whole process, for INFO and for the limit on the keys.

#ifndef GEMEL_BACKEND_SHARD_TRACKING_TOTALS_H_
#define GEMEL_BACKEND_SHARD_TRACKING_TOTALS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace gemel {

// Any thread.
class TrackingTotals {
 public:
  std::atomic<uint64_t> clients{0};
  std::atomic<uint64_t> keys{0};
  std::atomic<uint64_t> items{0};  // a key and a client each

  // A client tracks that prefix, or does not any more.
  void AddPrefix(const std::string& prefix) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++prefixes_[prefix];
  }
  void RemovePrefix(const std::string& prefix) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = prefixes_.find(prefix);
    if (found != prefixes_.end() && --found->second == 0) prefixes_.erase(found);
  }
  // Different ones.
  size_t prefixes() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return prefixes_.size();
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, uint64_t> prefixes_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_TRACKING_TOTALS_H_
