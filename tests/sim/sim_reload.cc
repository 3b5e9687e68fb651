#include "tests/sim/sim_reload.h"

#include <utility>

#include "tests/sim/sim_proxy.h"

namespace gemel::sim {

struct SimReload::Job {
  ProxyOptions next;
  bool force = false;
  std::function<void(const std::string&)> done;
  std::shared_ptr<const RingHistory> rings;  // null: they are what they were
};

SimReload::SimReload(SimProxy* proxy) : proxy_(proxy) {}

SimReload::~SimReload() = default;

void SimReload::Begin(const ProxyOptions& next, bool force,
                      std::function<void(const std::string&)> done) {
  job_ = std::make_unique<Job>();
  job_->next = next;
  job_->force = force;
  job_->done = std::move(done);
  // The file is read by a thread of its own.
  proxy_->process().Later(proxy_->loop()->Between(0, 3000), [this] {
    const ProxyOptions& now = proxy_->config();
    const std::string why = WhyReloadIsRefused(now, job_->next, *Durable(), Leaving(), job_->force);
    if (!proxy_->serving() || !why.empty()) {
      End(why.empty() ? "it is being stopped" : why);
      return;
    }
    ReloadSteps::Plan plan;
    plan.cause = "a reload";
    for (const ShardMembers& shard : job_->next.members()) {
      if (now.Find(shard.name) == nullptr) plan.added.push_back(shard);
    }
    for (const ShardSetup& shard : now.shards) {
      if (job_->next.Find(shard.name) == nullptr) plan.removed.push_back({shard.name});
    }
    if (now.routed && !SameRing(now.ring(), job_->next.ring())) plan.ring = job_->next.ring();
    steps_.Begin(std::move(plan));
  });
}

void SimReload::End(const std::string& why) { std::exchange(job_, nullptr)->done(why); }

std::vector<std::string> SimReload::Leaving() const {
  std::vector<std::string> names;
  for (const LeavingShard& shard : steps_.leaving()) names.push_back(shard.name);
  return names;
}

std::shared_ptr<const Topology> SimReload::Durable() const { return proxy_->Durable(); }

void SimReload::Propose(Edit edit, EditDone done) {
  proxy_->Propose(std::move(edit), std::move(done));
}

void SimReload::Note(NoteLevel level, const std::string& text) { proxy_->Note(level, text); }

void SimReload::MakeRings(std::shared_ptr<const Topology> topology) {
  job_->rings = proxy_->RingsOf(*topology);
  proxy_->process().Later(proxy_->loop()->Between(0, 3000), [this] { steps_.OnRingsMade(); });
}

void SimReload::ChangeWorkers(std::shared_ptr<const Topology> topology) {
  proxy_->TakeEffect(job_->next, job_->rings, job_->force, *topology);
  steps_.OnChanged();
}

}  // namespace gemel::sim
