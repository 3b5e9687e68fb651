#include "proxy/worker/uv_worker_shards.h"

#include <utility>

#include "backend/served/random_step.h"

namespace gemel {

UvWorkerShards::UvWorkerShards(const UvOwnedShard::World& world, Dispatcher* dispatcher,
                               WorkerStats* stats, uint32_t index)
    : world_(world),
      dispatcher_(dispatcher),
      stats_(stats),
      index_(index),
      random_(0x9e3779b9u * (index + 1)) {}

void UvWorkerShards::AddTo(const UvOwnedShard::World& world, const Pool& pool,
                           const ShardConfig& config, const ShardInfo& info,
                           std::shared_ptr<const RingHistory> rings) {
  const uint32_t slot = pool.Find(config.name)->slot;
  shards_.push_back(std::make_unique<UvOwnedShard>(world, &pool.table(), slot, pool.config(),
                                                   config, info, std::move(rings)));
  dispatcher_->SetShard(slot, shards_.back()->shard());
  if (shards_.size() == 1) Sum();  // so that INFO names them before the first second has passed
}

void UvWorkerShards::Start() {
  for (auto& owned : shards_) owned->served().Start(NextRandom(&random_));
}

void UvWorkerShards::Stop() {
  for (auto& owned : shards_) owned->served().Stop();
}

void UvWorkerShards::SetHistory(const std::shared_ptr<const RingHistory>& rings) {
  for (auto& owned : shards_) {
    ServedShard& served = owned->served();
    if (!served.retiring() && !served.leaving()) served.SetHistory(rings);
  }
}

void UvWorkerShards::UnblockMoved(const Pool& pool) {
  for (const auto& owned : shards_) {
    BlockedClients& blocked = owned->shard()->blocked();
    if (blocked.idle()) continue;
    blocked.OnMoved([&](std::string_view key) { return pool.ShardOf(key) != owned->slot(); });
  }
}

void UvWorkerShards::AddNew(const Pool& pool, const Topology& topology,
                            const std::shared_ptr<const RingHistory>& rings) {
  const std::vector<ShardConfig>& configs = pool.config().shards;
  std::vector<bool> here(pool.slot_count());
  for (const auto& owned : shards_) {
    if (owned->served().retiring()) continue;
    const PoolShard* shard = pool.Find(owned->served().name());
    if (shard != nullptr) here[shard->slot] = true;
  }
  for (size_t i = 0; i < configs.size(); ++i) {
    const PoolShard& shard = pool.shards()[i];
    if (shard.owner != index_ || here[shard.slot]) continue;
    const int known = topology.IndexOf(shard.name);
    Add(pool, configs[i], topology.shards[static_cast<size_t>(known)], rings, /*newcomer=*/true);
    shards_.back()->served().Start(NextRandom(&random_));
  }
}

void UvWorkerShards::Change(const Pool& pool, const Topology& topology,
                            const std::shared_ptr<const RingHistory>& rings, bool ring_changed,
                            bool force, uint64_t now_ms) {
  const size_t known = shards_.size();
  if (!fleet_) AddNew(pool, topology, rings);
  for (size_t i = 0; i < known; ++i) {
    ServedShard& served = shards_[i]->served();
    if (served.retiring() || served.leaving()) continue;
    const PoolShard* shard = pool.Find(served.name());
    if (shard == nullptr) {
      served.Retire(now_ms);
      continue;
    }
    const auto place = static_cast<size_t>(shard - pool.shards().data());
    served.Change(pool.config(), pool.config().shards[place], force);
    if (ring_changed) served.AllowSweep();
  }
}

bool UvWorkerShards::Tick(uint64_t now_ms) {
  bool waiting = false;
  for (auto& owned : shards_) {
    owned->served().Tick(now_ms, NextRandom(&random_) >> 8);
    waiting |= owned->shard()->nodes().Waiting();
  }
  return waiting;
}

void UvWorkerShards::Retire(uint64_t now_ms,
                            const std::function<void(const std::string& shard)>& gone) {
  for (size_t i = 0; i < shards_.size();) {
    if (!shards_[i]->served().retiring() || !shards_[i]->served().Retired(now_ms)) {
      ++i;
      continue;
    }
    const std::unique_ptr<UvOwnedShard> owned = std::move(shards_[i]);
    shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(i));
    owned->served().Stop();
    dispatcher_->SetShard(owned->slot(), nullptr);
    gone(owned->served().name());
  }
}

void UvWorkerShards::Sum() {
  std::vector<FigureSample> sums;
  for (const auto& owned : shards_) AddShardFigures(owned->shard()->figures(), &sums);
  stats_->shards.Set(std::move(sums));
}

bool UvWorkerShards::Quiet() const {
  for (const auto& owned : shards_) {
    if (!owned->shard()->Quiet()) return false;
  }
  return true;
}

bool UvWorkerShards::AllHeard() {
  bool all = true;
  heard_.resize(shards_.size());
  for (size_t i = 0; i < shards_.size(); ++i) {
    all &= shards_[i]->shard()->removals().AllHeard(&heard_[i]);
  }
  return all;
}

}  // namespace gemel
