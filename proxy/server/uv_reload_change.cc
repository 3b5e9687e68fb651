// The part of a reload that takes effect: new members and the new ring durable, then all workers.

#include <latch>

#include "proxy/log/log.h"
#include "proxy/server/uv_reload_job.h"
#include "proxy/worker/posix_socket_file.h"

namespace gemel {

void UvReloader::MakeDurable(const std::shared_ptr<Job>& job) {
  job->topology = coordinator_->current();
  std::vector<Edit> edits;
  for (const ShardConfig& shard : job->diff.shards_added) {
    if (job->topology->IndexOf(shard.name) >= 0) continue;
    Edit edit{EditKind::kAddShard, shard.name, {}, {}, job->order.cause};
    for (const Address& node : shard.Nodes()) edit.nodes.push_back(node.ToString());
    edits.push_back(std::move(edit));
  }
  if (edits.empty()) {
    MakeRingDurable(job);
    return;
  }
  job->edits = edits.size();
  for (Edit& edit : edits) {
    const std::string added = edit.shard;
    front_->Propose(std::move(edit), [this, job, added](const EditResult& result) {
      if (result.ok) job->added.push_back(added);
      if (!result.ok && job->error.empty()) job->error = result.error;
      if (--job->edits > 0) return;
      if (job->error.empty() && stopped_) job->error = kReloadStopped;
      if (job->error.empty()) {
        MakeRingDurable(job);
      } else {
        TakeBack(job, "the change could not be made durable: " + job->error);
      }
    });
  }
}

// Last: a ring that is remembered cannot be taken back.
void UvReloader::MakeRingDurable(const std::shared_ptr<Job>& job) {
  if (!job->diff.ring_changed) {
    job->topology = coordinator_->current();
    job->next.rings = serving_.rings;
    Change(job);
    return;
  }
  Edit edit{EditKind::kSetRing, {}, {}, {}, job->order.cause};
  edit.spec = RingOf(job->next.config->pools[0]);
  front_->Propose(std::move(edit), [this, job](const EditResult& result) {
    if (!result.ok || stopped_) {
      TakeBack(job, result.ok ? kReloadStopped
                              : "the change could not be made durable: " + result.error);
      return;
    }
    job->topology = coordinator_->current();
    if (!Queue(job, MakeRings, &UvReloader::Change)) {
      MakeRings(job.get());  // what is durable takes effect
      Change(job);
    }
  });
}

// A shard that nobody serves would keep its nodes from all others. (If gemel is being stopped the
// next start goes by the file.)
void UvReloader::TakeBack(const std::shared_ptr<Job>& job, const std::string& why) {
  if (job->added.empty() || stopped_) {
    Refuse(job, why);
    return;
  }
  job->edits = job->added.size();
  for (const std::string& shard : job->added) {
    front_->Propose({EditKind::kRemoveShard, shard, {}, {}, "the reload was refused"},
                    [this, job, why, shard](const EditResult& result) {
                      if (!result.ok) {
                        Note(NoteLevel::kWarn,
                             "shard '" + shard +
                                 "' keeps its nodes until gemel is started again: " + result.error);
                      }
                      if (--job->edits == 0) Refuse(job, why);
                    });
  }
}

void UvReloader::MakeRings(Job* job) {
  job->next.rings = std::make_shared<const RingHistory>(job->topology->rings, job->now.rings.get());
}

void UvReloader::Change(std::shared_ptr<Job> job) {
  if (stopped_) {  // the workers may be gone
    Refuse(job, kReloadStopped);
    return;
  }
  job->changing = true;
  for (const Address& address : job->diff.listeners_removed) {
    // Who finds it from now on would be cut off.
    if (address.IsUnix()) RemoveSocketFile(address.path);
  }
  const size_t workers = shared_->workers.size();
  auto sent = std::make_shared<std::latch>(static_cast<ptrdiff_t>(workers));
  auto taken = std::make_shared<std::latch>(static_cast<ptrdiff_t>(workers));
  job->workers = workers;
  for (size_t i = 0; i < workers; ++i) {
    auto change = std::make_shared<UvWorker::Change>();
    change->next = job->next;
    change->topology = job->topology;
    change->force = job->order.force;
    for (auto& [address, sockets] : job->sockets) {
      for (size_t j = i; j < sockets.size(); j += workers) {
        change->listeners.push_back({address, std::move(sockets[j])});
      }
    }
    UvWorker* worker = shared_->workers[i].get();
    worker->Post([this, worker, sent, taken, change, job] {
      // Every worker is about to come here, and none of them waits for anything else.
      worker->BeginChange();
      sent->arrive_and_wait();
      worker->TakeAll();
      taken->arrive_and_wait();
      worker->EndChange(std::move(*change));
      shared_->workers[0]->Post([this, job] {
        if (--job->workers == 0) OnChanged(job);
      });
    });
  }
}

void UvReloader::OnChanged(const std::shared_ptr<Job>& job) {
  for (const Address& address : job->diff.listeners_removed) {
    Log(NoteLevel::kInfo, "listens on " + address.ToString() + " no more; its clients stay");
  }
  for (const auto& [address, sockets] : job->sockets) {
    Log(NoteLevel::kInfo, "listening on " + address.ToString());
  }
  for (const std::string& warning : job->warnings) Note(NoteLevel::kWarn, warning);
  for (const ShardConfig& shard : job->diff.shards_removed) {
    leaving_.emplace_back(shard.name, job->now.pool->Find(shard.name)->slot);
  }
  resyncs_->set_max_parallel(job->next.config->pools[0].resync.max_parallel);
  serving_ = job->next;
  Keep(*job);
  End(job, {true, true, job->description});
}

void UvReloader::OnRetired(const std::string& name, uint32_t slot) {
  front_->Propose({EditKind::kRemoveShard, name, {}, {}, "the config has it no more"},
                  [this, name, slot](const EditResult& result) {
                    std::erase(leaving_, std::pair(name, slot));
                    Note(result.ok ? NoteLevel::kInfo : NoteLevel::kWarn,
                         "shard '" + name + "': removed" +
                             (result.ok ? std::string()
                                        : ", but that could not be made durable: " + result.error));
                  });
}

}  // namespace gemel
