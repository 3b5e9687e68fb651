// How the shards of a worker come and go by their leases.

#include <utility>

#include "backend/served/random_step.h"
#include "proxy/worker/uv_worker_shards.h"

namespace gemel {

void UvWorkerShards::JoinFleet(FleetCalls calls) {
  fleet_ = true;
  calls_ = std::move(calls);
}

bool UvWorkerShards::IsHere(uint32_t slot) const {
  for (const auto& owned : shards_) {
    if (owned->slot() == slot && !owned->served().retiring()) return true;
  }
  return false;
}

void UvWorkerShards::AddOwned(const Pool& pool, const PoolShard& shard, const Topology& topology,
                              const std::shared_ptr<const RingHistory>& rings,
                              const ShardLease& lease) {
  const int known = topology.IndexOf(shard.name);
  if (known < 0) return;  // it comes with the topology
  const auto place = static_cast<size_t>(&shard - pool.shards().data());
  UvOwnedShard::World world = world_;
  // What whoever had it last left on the way to its nodes is not known here.
  world.after_crash = true;
  world.lease_epoch = lease.epoch;
  world.turn = calls_.turn;
  world.turn.owner_epoch = lease.epoch;
  AddTo(world, pool, pool.config().shards[place], topology.shards[static_cast<size_t>(known)],
        rings);
  shards_.back()->served().Start(NextRandom(&random_));
  if (calls_.listeners_ms > 0) shards_.back()->shard()->AwaitListeners(calls_.listeners_ms);
  if (calls_.home) calls_.home(shard.slot);
}

void UvWorkerShards::OnLeases(const Pool& pool, Coordinator* coordinator, const Topology& topology,
                              const std::shared_ptr<const RingHistory>& rings, uint64_t now_ms) {
  for (size_t i = 0; i < shards_.size();) {
    ServedShard& served = shards_[i]->served();
    const ShardTurns::Here here = ShardTurns::OfHere(coordinator->LeaseOf(served.name()),
                                                     shards_[i]->lease_epoch(), served.retiring());
    if (here == ShardTurns::Here::kIsCut) {
      Cut(i);
      continue;
    }
    if (here == ShardTurns::Here::kLeaves) served.Leave(now_ms);
    ++i;
  }
  for (const PoolShard& shard : pool.shards()) {
    if (shard.owner != index_ || IsHere(shard.slot)) continue;
    const ShardLease lease = coordinator->LeaseOf(shard.name);
    const ShardTurns::Away away = turns_.OfAway(shard.name, lease);
    if (away == ShardTurns::Away::kBegins) {
      AddOwned(pool, shard, topology, rings, lease);
    } else if (away == ShardTurns::Away::kIsGiven) {
      coordinator->Give(shard.name, lease.epoch, /*clean=*/false);
    }
  }
}

std::unique_ptr<UvOwnedShard> UvWorkerShards::Take(size_t index) {
  std::unique_ptr<UvOwnedShard> owned = std::move(shards_[index]);
  shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(index));
  return owned;
}

// Until all is given back the shard still takes what comes, so that nothing overtakes it.
void UvWorkerShards::Cut(size_t index) {
  const std::unique_ptr<UvOwnedShard> owned = Take(index);
  owned->served().Cut();
  turns_.OnCut(owned->served().name(), owned->lease_epoch());
  dispatcher_->SetShard(owned->slot(), nullptr);
  if (calls_.gone) calls_.gone(owned->served().name());
}

void UvWorkerShards::CutAll() {
  while (!shards_.empty()) Cut(shards_.size() - 1);
}

bool UvWorkerShards::HandOver(Coordinator* coordinator, uint64_t now_ms) {
  bool any = false;
  for (size_t i = 0; i < shards_.size();) {
    if (!shards_[i]->served().leaving() || !shards_[i]->served().Left(now_ms)) {
      ++i;
      continue;
    }
    const std::unique_ptr<UvOwnedShard> owned = Take(i);
    const std::string name = owned->served().name();
    const bool clean = owned->served().GiveBack();
    dispatcher_->SetShard(owned->slot(), nullptr);
    owned->served().Stop();
    any = true;
    if (calls_.gone) calls_.gone(name);
    const uint64_t epoch = owned->lease_epoch();
    if (!turns_.OnLeft(name, epoch, clean, coordinator->LeaseOf(name))) continue;
    coordinator->Give(name, epoch, clean);
  }
  return any;
}

}  // namespace gemel
