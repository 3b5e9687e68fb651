// What the nodes' counters had come to at the last CONFIG RESETSTAT: INFO shows what came since.
// (The nodes' own stay as they are: gemel compares them from one time to the next.)

#ifndef GEMEL_PROXY_LOCAL_NODE_BASELINE_H_
#define GEMEL_PROXY_LOCAL_NODE_BASELINE_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace gemel {

// Any thread.
class NodeBaseline {
 public:
  using Counters = std::map<std::string, int64_t, std::less<>>;

  // By the nodes' run_id: who has started since counts from its own beginning.
  void Set(std::map<std::string, Counters, std::less<>> nodes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    nodes_ = std::move(nodes);
  }
  // What there was of it then; 0 if nothing is known, or it is less by now.
  int64_t Of(std::string_view run_id, std::string_view counter, int64_t now) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto node = nodes_.find(run_id);
    if (node == nodes_.end()) return 0;
    const auto found = node->second.find(counter);
    return found == node->second.end() || found->second > now ? 0 : found->second;
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Counters, std::less<>> nodes_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_NODE_BASELINE_H_
