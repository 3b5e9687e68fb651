// The options of the nodes that clients have set on all of them, by CONFIG SET. They are kept on
// disk as well.

#ifndef GEMEL_PROXY_OPTIONS_KEPT_OPTIONS_H_
#define GEMEL_PROXY_OPTIONS_KEPT_OPTIONS_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/settings/option_source.h"
#include "proxy/scripts/text_store.h"

namespace gemel {

// Any thread.
class KeptOptions : public OptionSource, public TextStore {
 public:
  using Option = std::pair<std::string, std::string>;

  // All nodes have these now, which were up. Names count whatever their letters' case.
  void Put(const std::vector<Option>& options);

  // A client's order is on its way to the nodes, until End.
  void BeginChange() { changing_.fetch_add(1, std::memory_order_relaxed); }
  void EndChange() { changing_.fetch_sub(1, std::memory_order_relaxed); }

  bool changing() const override { return changing_.load(std::memory_order_relaxed) > 0; }
  uint64_t version() const override { return version_.load(std::memory_order_acquire); }
  std::vector<Option> Options() const override;
  std::vector<Text> All() const override;
  bool Restore(std::string_view text) override;

 private:
  mutable std::mutex mutex_;
  std::vector<Option> options_;
  std::atomic<uint64_t> version_{0};
  std::atomic<int> changing_{0};
};

}  // namespace gemel

#endif  // GEMEL_PROXY_OPTIONS_KEPT_OPTIONS_H_
