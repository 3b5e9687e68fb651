// Scripts that are known to change keys which they did not declare.

#ifndef GEMEL_BACKEND_SHARD_KNOWN_SCRIPTS_H_
#define GEMEL_BACKEND_SHARD_KNOWN_SCRIPTS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace gemel {

// By their text. Bounded: beyond it all are forgotten, and found out again.
class KnownScripts {
 public:
  static constexpr size_t kMaxBytes = size_t{8} << 20;

  bool empty() const { return texts_.empty(); }
  bool Has(std::string_view text) const { return texts_.find(text) != texts_.end(); }
  void Add(std::string_view text) {
    if (Has(text)) return;
    if (bytes_ + text.size() > kMaxBytes) {
      texts_.clear();
      bytes_ = 0;
    }
    texts_.emplace(text);
    bytes_ += text.size();
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::unordered_set<std::string, Hash, std::equal_to<>> texts_;
  size_t bytes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KNOWN_SCRIPTS_H_
