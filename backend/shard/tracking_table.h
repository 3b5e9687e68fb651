// Which clients have read which keys of a shard and are to be told once when these change. As with
// Redis, a key is the same in all databases.

#ifndef GEMEL_BACKEND_SHARD_TRACKING_TABLE_H_
#define GEMEL_BACKEND_SHARD_TRACKING_TABLE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/shard/tracking_totals.h"

namespace gemel {

// Logic only, one thread.
class TrackingTable {
 public:
  // `totals` counts those of others, too, and outlives it.
  explicit TrackingTable(TrackingTotals* totals) : totals_(totals) {}
  ~TrackingTable() { Clear(); }
  TrackingTable(const TrackingTable&) = delete;
  TrackingTable& operator=(const TrackingTable&) = delete;

  // That client is to be told of that key. `lives`: whether one is still there; who is not is
  // forgotten where there are many.
  void Add(std::string_view key, uint32_t session, const std::function<bool(uint32_t)>& lives);
  bool Has(std::string_view key) const { return keys_.contains(key); }
  size_t size() const { return order_.size(); }
  // The clients of the key, in their order; none has it any more.
  std::vector<uint32_t> Take(std::string_view key);
  // Some key. There must be one.
  std::string AnyKey(uint32_t random) const { return order_[random % order_.size()]->first; }
  void Clear();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  struct Entry {
    std::vector<uint32_t> sessions;  // sorted
    size_t place = 0;                // in order_
  };
  using Keys = std::unordered_map<std::string, Entry, Hash, std::equal_to<>>;

  void Forget(Keys::iterator entry);

  TrackingTotals* totals_;
  Keys keys_;
  std::vector<Keys::value_type*> order_;  // all of them, so that one can be chosen
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_TRACKING_TABLE_H_
