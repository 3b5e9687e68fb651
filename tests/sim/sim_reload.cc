// A reload of the simulated proxy, in the product's steps.

#include "tests/sim/sim_reload.h"

#include <utility>

namespace gemel::sim {

void SimProxy::Reload(const ProxyOptions& next, bool force,
                      std::function<void(const std::string&)> done) {
  job_ = std::make_unique<Job>();
  job_->next = next;
  job_->force = force;
  job_->done = std::move(done);
  // The file is read by a thread of its own.
  Later(loop_->Between(0, 3000), [this] {
    const std::string why =
        WhyReloadIsRefused(config_, job_->next, *Durable(), Leaving(), job_->force);
    if (!serving_ || !why.empty()) {
      End(why.empty() ? "it is being stopped" : why);
      return;
    }
    ReloadSteps::Plan plan;
    plan.cause = "a reload";
    for (const ShardMembers& shard : job_->next.members()) {
      if (config_.Find(shard.name) == nullptr) plan.added.push_back(shard);
    }
    for (const ShardSetup& shard : config_.shards) {
      if (job_->next.Find(shard.name) == nullptr) plan.removed.push_back({shard.name});
    }
    if (config_.routed && !SameRing(config_.ring(), job_->next.ring())) {
      plan.ring = job_->next.ring();
    }
    steps_.Begin(std::move(plan));
  });
}

void SimProxy::End(const std::string& why) { std::exchange(job_, nullptr)->done(why); }

std::vector<std::string> SimProxy::Leaving() const {
  std::vector<std::string> names;
  for (const LeavingShard& shard : steps_.leaving()) names.push_back(shard.name);
  return names;
}

void SimProxy::MakeRings(std::shared_ptr<const Topology> topology) {
  job_->rings = std::make_shared<const RingHistory>(topology->rings, rings_.get());
  Later(loop_->Between(0, 3000), [this] { steps_.OnRingsMade(); });
}

// One instant, as on all workers of the product.
void SimProxy::ChangeWorkers(std::shared_ptr<const Topology> topology) {
  const bool ring_changed = job_->rings != nullptr;
  const size_t known = shards_.size();
  for (size_t i = 0; i < known; ++i) {
    ServedShard& shard = shards_[i]->served();
    if (ring_changed && !shard.retiring()) shard.SetHistory(job_->rings);
  }
  config_ = job_->next;
  if (ring_changed) {
    rings_ = job_->rings;
    RouteBy(config_);
  }
  for (const ShardSetup& setup : config_.shards) {
    if (Find(setup.name) == nullptr) AddShard(setup, *topology);
  }
  for (size_t i = 0; i < known; ++i) {
    SimShard* shard = shards_[i].get();
    if (shard->served().retiring()) continue;
    const ShardSetup* setup = config_.Find(shard->name());
    if (setup == nullptr) {
      shard->served().Retire(NowMs());
      continue;
    }
    shard->Change(config_, *setup, job_->force);
    if (ring_changed) shard->served().AllowSweep();
  }
  steps_.OnChanged();
}

// Shards that a reload removed go when nothing of theirs is in flight any more.
void SimProxy::LetGo() {
  for (size_t i = 0; i < shards_.size();) {
    if (!shards_[i]->served().retiring() || !shards_[i]->served().Retired(NowMs())) {
      ++i;
      continue;
    }
    const std::unique_ptr<SimShard> shard = std::move(shards_[i]);
    shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(i));
    shard->served().Stop();
    const std::string name = shard->name();
    claims_.ReleaseShard(name);
    if (config_.noted) config_.noted("shard '" + name + "' is let go");
    steps_.OnRetired(name);
  }
}

}  // namespace gemel::sim
