// The largest keys that were seen: a table of few places. A key that is larger than the smallest
// there takes its place; one that was not seen for long is forgotten.

#ifndef GEMEL_BACKEND_SHARD_BIG_KEYS_H_
#define GEMEL_BACKEND_SHARD_BIG_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// One thread's.
class BigKeys {
 public:
  static constexpr size_t kMost = 32;
  static constexpr size_t kKeptBytes = 64;              // of a key's name
  static constexpr uint64_t kFromBytes = 16 * 1024;     // smaller ones are not looked at
  static constexpr uint64_t kKeepMs = 3 * 3600 * 1000;  // three rounds of an audit

  // What is known of its size.
  enum class By : uint8_t {
    kRead,    // a reply was so large
    kWrite,   // a request was
    kMemory,  // the node says so
  };
  struct Key {
    std::string head;
    size_t name_bytes = 0;
    uint8_t database = 0;
    By by = By::kRead;
    uint64_t bytes = 0;
    uint64_t seen_ms = 0;
    uint64_t hash = 0;
  };

  // `hash`: of the key's name. What the node says counts for more than what passed by.
  void Note(std::string_view key, uint8_t database, uint64_t hash, By by, uint64_t bytes,
            uint64_t now_ms);
  // Forgets what is old. To be called now and then.
  void Forget(uint64_t now_ms);
  // In no order.
  const std::vector<Key>& all() const { return keys_; }

 private:
  std::vector<Key> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_BIG_KEYS_H_
