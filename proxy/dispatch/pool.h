// What every worker knows of a pool of shards, made once and shared read-only: the ring, the
// command table, the limits, and which worker owns which shard. A reload makes a new one.

#ifndef GEMEL_PROXY_DISPATCH_POOL_H_
#define GEMEL_PROXY_DISPATCH_POOL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/acl/acl_users.h"
#include "backend/command/command_names.h"
#include "backend/resp/request_reader.h"
#include "backend/ring/ring.h"
#include "backend/ring/ring_spec.h"
#include "backend/topology/topology.h"
#include "config/config.h"

namespace gemel {

struct PoolShard {
  std::string name;
  // Names the shard in requests and to dispatchers. It keeps it from one pool to the next.
  uint32_t slot = 0;
  uint32_t owner = 0;   // the worker that writes to its links: slot % workers
  uint32_t copies = 1;  // nodes in the config
};

// What the config says of the ring. Shard i of it is shard i of the config.
RingSpec RingOf(const PoolConfig& config);
// What it says of the shards' nodes.
std::vector<ShardMembers> MembersOf(const PoolConfig& config);

class Pool {
 public:
  // A first pool: shard i has slot i.
  Pool(const PoolConfig& config, uint32_t workers);
  // The one after `before`: shards that were there keep their slots, new ones take free ones, which
  // are those that are in no pool and not in `taken`. The command table is the same.
  Pool(const PoolConfig& config, const Pool& before, const std::vector<uint32_t>& taken);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const PoolConfig& config() const { return config_; }
  const CommandTable& table() const { return *table_; }
  // What clients call its commands by.
  const CommandNames& names() const { return *names_; }
  // Who its clients may be.
  const AclUsers& users() const { return *users_; }
  const Ring& ring() const { return *ring_; }
  // The second: of who has to give the password first.
  const RequestLimits& request_limits() const { return request_limits_; }
  const RequestLimits& stranger_limits() const { return stranger_limits_; }
  // In the order of the config.
  const std::vector<PoolShard>& shards() const { return shards_; }
  // The shard of a slot, which must have one.
  const PoolShard& OfSlot(uint32_t slot) const { return shards_[by_slot_[slot]]; }
  // The shard of that name, or null.
  const PoolShard* Find(std::string_view name) const;
  // The names by slot; empty where there is none.
  std::vector<std::string> NamesBySlot() const;
  // The first slot from `slot` on that has a shard; slot_count() if there is none.
  uint32_t SlotFrom(uint32_t slot) const;
  // All slots are below it.
  uint32_t slot_count() const { return static_cast<uint32_t>(by_slot_.size()); }
  uint32_t workers() const { return workers_; }
  // Grows from pool to pool.
  uint64_t number() const { return number_; }
  // That of the fleet's plan (FleetPlan); alone, 1.
  uint64_t route() const { return route_; }
  void set_route(uint64_t route) { route_ = route; }

  uint64_t Hash(std::string_view key) const {
    return HashKey(HashedPart(key, config_.ring.hash_tag));
  }
  // The slot of the shard that a key belongs to.
  uint32_t ShardOf(std::string_view key) const {
    return shards_.size() == 1 ? shards_[0].slot : ring_->Locate(Hash(key));
  }

 private:
  void Fill(const std::vector<uint32_t>& slots, const AclUsers* users_before);

  PoolConfig config_;
  uint32_t workers_;
  uint64_t number_ = 1;
  uint64_t route_ = 1;
  std::shared_ptr<const CommandTable> table_;
  std::unique_ptr<const CommandNames> names_;
  std::unique_ptr<const AclUsers> users_;
  std::unique_ptr<const Ring> ring_;
  RequestLimits request_limits_;
  RequestLimits stranger_limits_;
  std::vector<PoolShard> shards_;
  std::vector<uint32_t> by_slot_;                           // index into shards_
  std::unordered_map<std::string_view, uint32_t> by_name_;  // the same; names are shards_' own
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_POOL_H_
