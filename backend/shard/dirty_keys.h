// The keys that may be wrong on a copy that missed writes: what has to be repaired before it may
// serve again, if its process and its memory are the same. Bounded: a set that grew beyond its
// limits is worth no more than a whole copy, and forgets everything.

#ifndef GEMEL_BACKEND_SHARD_DIRTY_KEYS_H_
#define GEMEL_BACKEND_SHARD_DIRTY_KEYS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace gemel {

class DirtyKeys {
 public:
  // `run_id` of the process that has these keys wrong and all others right.
  DirtyKeys(std::string run_id, size_t max_keys, size_t max_bytes)
      : run_id_(std::move(run_id)), max_keys_(max_keys), max_bytes_(max_bytes) {}

  // Adds a key, unless it is there. Beyond the limits: overflowed() from then on, and empty.
  void Add(std::string_view key) {
    if (overflowed_ || keys_.find(key) != keys_.end()) return;
    if (keys_.size() >= max_keys_ || bytes_ + CostOf(key) > max_bytes_) {
      Overflow();
      return;
    }
    keys_.emplace(key);
    bytes_ += CostOf(key);
  }
  // Which keys they are is not known any more.
  void Overflow() {
    overflowed_ = true;
    keys_ = {};
    bytes_ = 0;
  }
  void Remove(std::string_view key) {
    auto found = keys_.find(key);
    if (found == keys_.end()) return;
    bytes_ -= CostOf(key);
    keys_.erase(found);
  }
  bool Contains(std::string_view key) const { return keys_.find(key) != keys_.end(); }

  // Calls visit(key) for one key after the other, in no order, until it returns false. The set may
  // not be changed on the way.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const std::string& key : keys_) {
      if (!visit(key)) return;
    }
  }

  bool empty() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }
  bool overflowed() const { return overflowed_; }
  bool half_full() const { return keys_.size() >= max_keys_ / 2 || bytes_ >= max_bytes_ / 2; }
  const std::string& run_id() const { return run_id_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  // With what the set's node and the string's own block take.
  static size_t CostOf(std::string_view key) { return key.size() + 64; }

  std::string run_id_;
  size_t max_keys_;
  size_t max_bytes_;
  size_t bytes_ = 0;
  bool overflowed_ = false;
  std::unordered_set<std::string, Hash, std::equal_to<>> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_DIRTY_KEYS_H_
