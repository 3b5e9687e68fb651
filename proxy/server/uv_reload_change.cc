// The part of a reload that takes effect: what ReloadSteps asks for.

#include <latch>

#include "proxy/log/log.h"
#include "proxy/server/uv_reload_job.h"
#include "proxy/worker/posix_socket_file.h"

namespace gemel {

// Of all workers that go over: none of them goes on before all have come.
struct UvReloader::Meeting {
  explicit Meeting(size_t workers)
      : sent(static_cast<ptrdiff_t>(workers)), taken(static_cast<ptrdiff_t>(workers)) {}
  std::latch sent;
  std::latch taken;
};

void UvReloader::Begin(const Job& job) { steps_.Begin(StepsOf(job)); }

ReloadSteps::Plan UvReloader::StepsOf(const Job& job) const {
  ReloadSteps::Plan plan;
  plan.cause = job.order.cause;
  if (job.fleet != nullptr) {
    using Fleet = ReloadSteps::Plan::Fleet;
    const std::optional<FleetPlan>& next = job.fleet->next;
    plan.fleet = Fleet::kFollows;
    if (job.proposes) {
      plan.fleet = Fleet::kProposes;
    } else if (next && next->version == job.plan.version) {
      plan.fleet = Fleet::kWaits;
    }
    if (job.diff.ring_changed) plan.ring = RingOf(job.next.config->pool());
    for (const ShardConfig& shard : job.diff.shards_removed) {
      if (!front_->LeaseOf(shard.name).mine) continue;
      plan.removed.push_back({shard.name, job.now.pool->Find(shard.name)->slot});
    }
    return plan;
  }
  for (const ShardConfig& shard : job.diff.shards_added) {
    ShardMembers& members = plan.added.emplace_back();
    members.name = shard.name;
    for (const Address& node : shard.Nodes()) members.nodes.push_back(node.ToString());
  }
  if (job.diff.ring_changed) plan.ring = RingOf(job.next.config->pool());
  for (const ShardConfig& shard : job.diff.shards_removed) {
    plan.removed.push_back({shard.name, job.now.pool->Find(shard.name)->slot});
  }
  return plan;
}

void UvReloader::MakeRings(std::shared_ptr<const Topology> topology) {
  running_->topology = std::move(topology);
  if (Queue(running_, BuildRings, &UvReloader::OnRingsBuilt)) return;
  BuildRings(running_.get());  // what is durable takes effect
  steps_.OnRingsMade();
}

void UvReloader::BuildRings(Job* job) {
  job->next.rings = std::make_shared<const RingHistory>(job->topology->rings, job->now.rings.get());
}

void UvReloader::ChangeWorkers(std::shared_ptr<const Topology> topology) {
  Job& job = *running_;
  job.pool.reset();
  UseTls(job.tls);  // new nodes and listeners need it
  if (job.next.rings == nullptr) job.next.rings = serving_.rings;
  for (const Address& address : job.diff.listeners_removed) {
    // Who finds it from now on would be cut off.
    if (address.IsUnix()) RemoveSocketFile(address.path);
  }
  const size_t workers = shared_->workers.size();
  const auto meeting = std::make_shared<Meeting>(workers);
  job.workers = workers;
  for (size_t i = 0; i < workers; ++i) {
    auto change = std::make_shared<UvWorker::Change>();
    change->next = job.next;
    change->topology = topology;
    change->force = job.order.force;
    for (auto& [address, sockets] : job.sockets) {
      for (size_t j = i; j < sockets.size(); j += workers) {
        change->listeners.push_back({address, std::move(sockets[j])});
      }
    }
    GoOver(shared_->workers[i].get(), change, meeting);
  }
}

void UvReloader::GoOver(UvWorker* worker, const std::shared_ptr<UvWorker::Change>& change,
                        const std::shared_ptr<Meeting>& meeting) {
  worker->Post([this, worker, change, meeting] {
    // Every worker is about to come here, and none of them waits for anything else.
    worker->BeginChange();
    meeting->sent.arrive_and_wait();
    worker->TakeAll();
    meeting->taken.arrive_and_wait();
    worker->EndChange(std::move(*change));
    shared_->workers[0]->Post([this] {
      if (--running_->workers == 0) steps_.OnChanged();
    });
  });
}

void UvReloader::OnRefused(const std::string& why) {
  const std::shared_ptr<Job> job = running_;
  Refuse(job, why);
}

void UvReloader::OnTakenEffect() {
  const std::shared_ptr<Job> job = running_;
  for (const Address& address : job->diff.listeners_removed) {
    Log(NoteLevel::kInfo, "listens on " + address.ToString() + " no more; its clients stay");
  }
  for (const auto& [address, sockets] : job->sockets) {
    Log(NoteLevel::kInfo, "listening on " + address.ToString());
  }
  for (const std::string& warning : job->warnings) Note(NoteLevel::kWarn, warning);
  resyncs_->set_max_parallel(job->next.config->pool().resync.max_parallel);
  serving_ = job->next;
  Keep(*job);
  End(job, {true, true, job->description});
}

}  // namespace gemel
