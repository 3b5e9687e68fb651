// A reload of the simulated proxy: the steps of UvReloader and UvWorker, in their order.

#include <utility>

#include "tests/sim/sim_proxy.h"

namespace gemel::sim {

struct SimProxy::Job {
  ProxyOptions next;
  bool force = false;
  std::function<void(const std::string&)> done;
  size_t edits = 0;  // not durable yet
  std::string error;
  std::vector<std::string> added;  // shards that are durable, though none serves them yet
  std::shared_ptr<const RingHistory> rings;
};

void SimProxy::Reload(const ProxyOptions& next, bool force,
                      std::function<void(const std::string&)> done) {
  reloading_ = true;
  auto job = std::make_shared<Job>();
  job->next = next;
  job->force = force;
  job->done = std::move(done);
  // The file is read by a thread of its own.
  Later(loop_->Between(0, 3000), [this, job] {
    const std::string why =
        WhyReloadIsRefused(config_, job->next, *coordinator_->current(), leaving_, job->force);
    if (!serving_ || !why.empty()) {
      End(job, why.empty() ? "it is being stopped" : why);
    } else {
      MakeDurable(job);
    }
  });
}

void SimProxy::End(const std::shared_ptr<Job>& job, const std::string& why) {
  reloading_ = false;
  job->done(why);
}

void SimProxy::MakeDurable(const std::shared_ptr<Job>& job) {
  const std::shared_ptr<const Topology> topology = coordinator_->current();
  std::vector<Edit> edits;
  for (const ShardMembers& shard : job->next.members()) {
    if (topology->IndexOf(shard.name) >= 0) continue;
    Edit edit{EditKind::kAddShard, shard.name, {}, {}, "a reload"};
    edit.nodes = shard.nodes;
    edits.push_back(std::move(edit));
  }
  if (edits.empty()) {
    MakeRingDurable(job);
    return;
  }
  job->edits = edits.size();
  for (Edit& edit : edits) {
    const std::string added = edit.shard;
    Propose(std::move(edit), [this, job, added](const EditResult& result) {
      if (result.ok) job->added.push_back(added);
      if (!result.ok && job->error.empty()) job->error = result.error;
      if (--job->edits > 0) return;
      if (job->error.empty() && !serving_) job->error = "it is being stopped";
      if (job->error.empty()) {
        MakeRingDurable(job);
      } else {
        TakeBack(job, "the change could not be made durable: " + job->error);
      }
    });
  }
}

void SimProxy::MakeRingDurable(const std::shared_ptr<Job>& job) {
  job->rings = rings_;
  if (!config_.routed || SameRing(config_.ring(), job->next.ring())) {
    Change(job);
    return;
  }
  Edit edit{EditKind::kSetRing, {}, {}, {}, "a reload"};
  edit.spec = job->next.ring();
  Propose(std::move(edit), [this, job](const EditResult& result) {
    if (!result.ok || !serving_) {
      TakeBack(job, result.ok ? "it is being stopped"
                              : "the change could not be made durable: " + result.error);
      return;
    }
    const std::shared_ptr<const Topology> durable = coordinator_->current();
    job->rings = std::make_shared<const RingHistory>(durable->rings, rings_.get());
    Later(loop_->Between(0, 3000), [this, job] {
      if (serving_) {
        Change(job);
      } else {
        End(job, "it is being stopped");
      }
    });
  });
}

void SimProxy::TakeBack(const std::shared_ptr<Job>& job, const std::string& why) {
  if (job->added.empty() || !serving_) {
    End(job, why);
    return;
  }
  job->edits = job->added.size();
  for (const std::string& shard : job->added) {
    Propose({EditKind::kRemoveShard, shard, {}, {}, "the reload was refused"},
            [this, job, why](const EditResult&) {
              if (--job->edits == 0) End(job, why);
            });
  }
}

// One instant, as on all workers of the product.
void SimProxy::Change(const std::shared_ptr<Job>& job) {
  const std::shared_ptr<const Topology> topology = coordinator_->current();
  const bool ring_changed = job->rings != rings_;
  const size_t known = shards_.size();
  for (size_t i = 0; i < known; ++i) {
    if (ring_changed && !shards_[i]->served().retiring())
      shards_[i]->served().SetHistory(job->rings);
  }
  config_ = job->next;
  if (ring_changed) {
    rings_ = job->rings;
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
      leaving_.push_back(shard->name());
      continue;
    }
    shard->Change(config_, *setup, job->force);
    if (ring_changed) shard->served().AllowSweep();
  }
  End(job, "");
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
    Propose({EditKind::kRemoveShard, name, {}, {}, "the config has it no more"},
            [this, name](const EditResult&) { std::erase(leaving_, name); });
  }
}

}  // namespace gemel::sim
