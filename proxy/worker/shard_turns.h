// Which shards of a worker begin, leave, or are cut off as the leases of its process have it.

#ifndef GEMEL_PROXY_WORKER_SHARD_TURNS_H_
#define GEMEL_PROXY_WORKER_SHARD_TURNS_H_

#include <cstdint>
#include <string>
#include <unordered_map>

#include "backend/topology/coordinator.h"

namespace gemel {

// Logic only, of one worker.
class ShardTurns {
 public:
  // What becomes of a shard that is here.
  enum class Here : uint8_t { kStays, kLeaves, kIsCut };
  // What is to be done about one that is not. kIsGiven: back to the coordinator, as not clean.
  enum class Away : uint8_t { kStays, kBegins, kIsGiven };

  // `epoch`: of the lease under which it is here. `retiring`: it goes for good.
  static Here OfHere(const ShardLease& lease, uint64_t epoch, bool retiring) {
    const bool same = lease.mine && lease.epoch == epoch;
    // One that is in the fleet's config no more is nobody's, and comes to its end.
    const bool ends = retiring && lease.epoch == 0;
    if (!same && !ends) return Here::kIsCut;
    return lease.leaving && !retiring ? Here::kLeaves : Here::kStays;
  }
  Away OfAway(const std::string& shard, const ShardLease& lease) {
    if (!lease.mine) return Away::kStays;
    const auto cut = cut_.find(shard);
    const bool in_doubt = cut != cut_.end() && cut->second == lease.epoch;
    if (!lease.leaving && !in_doubt) return Away::kBegins;
    // Nobody is there to leave. What was cut off before may not be on every copy.
    uint64_t& given = given_[shard];
    if (given == lease.epoch) return Away::kStays;
    given = lease.epoch;
    return Away::kIsGiven;
  }
  // One that was here under that lease was cut off.
  void OnCut(const std::string& shard, uint64_t epoch) { cut_[shard] = epoch; }
  // One has left in order; `clean`: every copy has all that was sent. True: the coordinator is to
  // be told. `lease`: as it is now.
  bool OnLeft(const std::string& shard, uint64_t epoch, bool clean, const ShardLease& lease) {
    if (!clean) cut_[shard] = epoch;
    if (!lease.mine || lease.epoch != epoch || !lease.leaving) return false;
    given_[shard] = epoch;
    return true;
  }

 private:
  // Those that were handed over, and those that were cut off, by the epochs of the leases under
  // which they were here. What was cut off may be on one copy only, and it says so when it is
  // given: it does not begin again under that lease, though that may hold again.
  std::unordered_map<std::string, uint64_t> given_;
  std::unordered_map<std::string, uint64_t> cut_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_SHARD_TURNS_H_
