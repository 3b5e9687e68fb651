// Which keys are asked for most: a table of few places, by the algorithm "space-saving" (Metwally
// et al., 2005). A key that is not in it takes the place of the one with the least, and its count,
// by which it may be too high. So whoever has more than one part in kMost of all is in it.

#ifndef GEMEL_BACKEND_SHARD_HOT_KEYS_H_
#define GEMEL_BACKEND_SHARD_HOT_KEYS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

// One thread's.
class HotKeys {
 public:
  static constexpr size_t kMost = 32;
  // So much of a key is kept.
  static constexpr size_t kKeptBytes = 64;

  struct Key {
    std::string head;  // of its name
    size_t bytes = 0;  // of the whole name
    uint8_t database = 0;
    double count = 0;
    double over = 0;  // it may have been so much less
  };

  // One was asked for. `hash`: of its name.
  void Add(std::string_view key, uint8_t database, uint64_t hash) {
    hash += database;
    total_ += 1;
    size_t least = 0;
    for (size_t i = 0; i < size_; ++i) {
      if (hashes_[i] == hash) {
        keys_[i].count += 1;
        return;
      }
      if (keys_[i].count < keys_[least].count) least = i;
    }
    Replace(size_ < kMost ? size_++ : least, key, database, hash);
  }
  // Time has passed: all counts so far are worth that part of what they were.
  void Decay(double part) {
    total_ *= part;
    for (size_t i = 0; i < size_; ++i) {
      keys_[i].count *= part;
      keys_[i].over *= part;
    }
    while (size_ > 0 && keys_[size_ - 1].count < kForgotten) --size_;
  }
  // All that was counted.
  double total() const { return total_; }
  // In no order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < size_; ++i) {
      if (keys_[i].count >= kForgotten) visit(keys_[i]);
    }
  }

 private:
  static constexpr double kForgotten = 0.01;

  void Replace(size_t place, std::string_view key, uint8_t database, uint64_t hash) {
    Key& kept = keys_[place];
    hashes_[place] = hash;
    kept.head.assign(key.substr(0, kKeptBytes));
    kept.bytes = key.size();
    kept.database = database;
    kept.over = kept.count;
    kept.count += 1;
  }

  size_t size_ = 0;
  double total_ = 0;
  std::array<uint64_t, kMost> hashes_ = {};
  std::array<Key, kMost> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HOT_KEYS_H_
