// What a worker's clients saw of each shard: how long their requests took, and what errors they
// got. Of those that went to one shard as a whole.

#ifndef GEMEL_PROXY_SEEN_SHARDS_SEEN_H_
#define GEMEL_PROXY_SEEN_SHARDS_SEEN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/latency_buckets.h"

namespace gemel {

struct ShardSeen {
  LatencyBuckets times;
  std::map<std::string, uint64_t, std::less<>> errors;  // by kind, which is their prefix
};

// One worker's, on its thread.
class ShardsSeen {
 public:
  // So many kinds are told apart in a shard: scripts make their own. What is beyond counts as ERR.
  static constexpr size_t kMostKinds = 32;

  // The shards by slot, empty where there is none; no names at all: nothing is counted. What was
  // counted of a shard stays as long as its slot is its own.
  void Use(std::vector<std::string> names);
  bool on() const { return !seen_.empty(); }

  // A request to that shard was answered after so long, maybe with an error.
  void OnDone(uint32_t slot, uint64_t took_us) {
    if (slot < seen_.size()) seen_[slot].times.Add(took_us);
  }
  void OnError(uint32_t slot, std::string_view error);

  // By slot.
  const std::vector<ShardSeen>& all() const { return seen_; }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::vector<ShardSeen> seen_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_SHARDS_SEEN_H_
