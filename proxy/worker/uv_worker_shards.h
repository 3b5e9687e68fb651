// The shards that a worker owns: they begin, go over to another config, tick, and go.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_SHARDS_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_SHARDS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/ring/ring_history.h"
#include "backend/topology/coordinator.h"
#include "backend/topology/topology.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/stats.h"
#include "proxy/worker/shard_turns.h"
#include "proxy/worker/uv_owned_shard.h"

namespace gemel {

// The worker's thread.
class UvWorkerShards {
 public:
  // All of it outlives this. `index`: the worker's.
  UvWorkerShards(const UvOwnedShard::World& world, Dispatcher* dispatcher, WorkerStats* stats,
                 uint32_t index);
  UvWorkerShards(const UvWorkerShards&) = delete;
  UvWorkerShards& operator=(const UvWorkerShards&) = delete;

  const std::vector<std::unique_ptr<UvOwnedShard>>& all() const { return shards_; }

  // `newcomer`: the process serves other shards already.
  void Add(const Pool& pool, const ShardConfig& config, const ShardInfo& info,
           std::shared_ptr<const RingHistory> rings, bool newcomer) {
    UvOwnedShard::World world = world_;
    world.newcomer = newcomer;
    AddTo(world, pool, config, info, std::move(rings));
  }
  void Start();
  void Stop();
  void Clear() { shards_.clear(); }

  // --- a change of the config, in this order ---
  void SetHistory(const std::shared_ptr<const RingHistory>& rings);
  // Whoever waits for a key that is another shard's now would wait in vain. One may come behind a
  // change, from a worker that has still to make it: so this is looked at now and then.
  void UnblockMoved(const Pool& pool);
  // New ones come, others are changed, or begin to retire. `force`: see Membership::SetNodes.
  void Change(const Pool& pool, const Topology& topology,
              const std::shared_ptr<const RingHistory>& rings, bool ring_changed, bool force,
              uint64_t now_ms);

  // --- a fleet, in which shards come and go by their leases; without a call of these, all of the
  // --- pool's are here ---
  // What happens to a shard: `home`, it is here from now on, and no request has come for it since,
  // `gone`, it is not here any more. Change adds no shard from now on.
  struct FleetCalls {
    ShardTurn turn;  // the fleet and this member; the epoch is the lease's
    std::function<void(uint32_t slot)> home;
    std::function<void(const std::string& shard)> gone;
    // So long those of other members who listen to a shard have to tell its new owner so.
    uint64_t listeners_ms = 0;
  };
  void JoinFleet(FleetCalls calls);
  // Leases have changed, or may have: shards that are the process's are made, those that it is to
  // hand over begin to leave, those that are not its any more are cut off. Not from within a shard.
  void OnLeases(const Pool& pool, Coordinator* coordinator, const Topology& topology,
                const std::shared_ptr<const RingHistory>& rings, uint64_t now_ms);
  // Those that have left go: what they held is elsewhere, and the coordinator is told. True: there
  // were some. To be called now and then.
  bool HandOver(Coordinator* coordinator, uint64_t now_ms);
  // No lease holds any more.
  void CutAll();

  // True while requests wait for nodes.
  bool Tick(uint64_t now_ms);
  // Those that a reload removed go when nothing of theirs is in flight any more.
  void Retire(uint64_t now_ms, const std::function<void(const std::string& shard)>& gone);
  // What they count, for INFO.
  void Sum();
  // Every copy has answered every write that was sent.
  bool Quiet() const;
  // What the nodes remove was heard of, up to now. To be asked until it is so.
  bool AllHeard();
  // What they remove from now on is meant, too, when that is asked again.
  void HearAgain() { heard_.clear(); }

 private:
  void AddTo(const UvOwnedShard::World& world, const Pool& pool, const ShardConfig& config,
             const ShardInfo& info, std::shared_ptr<const RingHistory> rings);
  // Whether the shard of that slot is here, if it is not about to go for good.
  bool IsHere(uint32_t slot) const;
  void AddOwned(const Pool& pool, const PoolShard& shard, const Topology& topology,
                const std::shared_ptr<const RingHistory>& rings, const ShardLease& lease);
  std::unique_ptr<UvOwnedShard> Take(size_t index);
  void Cut(size_t index);
  void AddNew(const Pool& pool, const Topology& topology,
              const std::shared_ptr<const RingHistory>& rings);

  const UvOwnedShard::World world_;
  Dispatcher* dispatcher_;
  WorkerStats* stats_;
  const uint32_t index_;
  std::vector<std::unique_ptr<UvOwnedShard>> shards_;
  std::vector<uint64_t> heard_;  // by shard: see Removals::AllHeard
  uint32_t random_;
  bool fleet_ = false;
  FleetCalls calls_;
  ShardTurns turns_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_SHARDS_H_
