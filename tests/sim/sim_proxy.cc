#include "tests/sim/sim_proxy.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/topology/changed_shards.h"

namespace gemel::sim {

SimProxy::SimProxy(Loop* loop, Disk* disk, const ProxyOptions& config, const ProxyHooks& hooks)
    : loop_(loop), disk_(disk), config_(config), hooks_(hooks), process_(loop) {
  std::string error;
  const Topology* stored = disk_->durable ? &*disk_->durable : nullptr;
  after_crash_ = stored == nullptr || !stored->clean;
  std::optional<Topology> initial =
      config_.routed ? InitialTopology(config_.members(), config_.ring(), stored, &error)
                     : InitialTopology(config_.members(), stored, &error);
  if (!initial) {
    Fail("no topology to begin with: " + error);
    return;
  }
  initial_ = std::make_shared<const Topology>(*std::move(initial));
  coordinator_ = std::make_unique<SimCoordinator>(loop_, disk_, initial_);
  front_ = coordinator_->FrontFor([](const std::function<void()>& task) { task(); });
  known_ = initial_;
  front_->Watch([this](const std::shared_ptr<const Topology>& now) {
    process_.Receive([this, now] {
      ForEachChangedShard(*std::exchange(known_, now), *now, [this](const ShardInfo& info) {
        if (SimShard* shard = Find(info.name)) shard->shard()->edits().OnTopology(info);
      });
    });
  });
  Open();
}

SimProxy::~SimProxy() {
  process_.Die();
  // The resyncs resume their shards, which then may send what is held: it never leaves this
  // process.
  serving_ = false;
  shards_.clear();
  coordinator_.reset();
}

// A disk that fails now ends the process in life; here it is tried until it works.
void SimProxy::Open() {
  front_->Propose(Edit{EditKind::kOpen, "", "", "", ""}, [this](const EditResult& result) {
    if (!result.ok) {
      Open();
      return;
    }
    initial_ = result.topology;
    StartShards();
  });
}

void SimProxy::StartShards() {
  if (config_.routed) {
    rings_ = RingsOf(*initial_);
    RouteBy(config_);
  }
  serving_ = true;
  for (const ShardSetup& setup : config_.shards) AddShard(setup, *initial_);
  Tick();
}

void SimProxy::AddShard(const ShardSetup& setup, const Topology& topology) {
  const int known = topology.IndexOf(setup.name);
  if (known < 0) {
    Fail("a shard that is not in the topology: " + setup.name);
    return;
  }
  shards_.push_back(std::make_unique<SimShard>(
      this, config_, setup, topology.shards[static_cast<size_t>(known)], rings_));
  shards_.back()->served().Start(static_cast<uint32_t>(shards_.size()));
}

void SimProxy::RouteBy(const ProxyOptions& config) {
  ring_ = std::make_unique<const Ring>(MakeRing(config.ring()));
  if (hooks_.routes_by) hooks_.routes_by(config.ring());
}

SimShard* SimProxy::Find(const std::string& name) const {
  for (const auto& shard : shards_) {
    if (!shard->served().retiring() && shard->name() == name) return shard.get();
  }
  return nullptr;
}

SimShard* SimProxy::Owner(const std::string& key) const {
  if (!config_.routed) return Find(key.substr(0, key.find(':')));
  const uint32_t shard = ring_->Locate(HashKey(HashedPart(key, config_.hash_tag)));
  return Find(config_.shards[shard].name);
}

void SimProxy::Submit(Request* request, const std::string& key) {
  SimShard* shard = Owner(key);
  if (shard == nullptr) {
    Fail("nobody serves " + key);
    return;
  }
  if (!process_.behind()) {
    shard->shard()->Submit(request);
    return;
  }
  request->OwnFrame();
  process_.Receive([this, request, key] {
    SimShard* owner = Owner(key);
    owner != nullptr ? owner->shard()->Submit(request) : Fail("nobody serves " + key);
  });
}

void SimProxy::Tick() {
  if (!serving_) return;
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->Tick();
  LetGo();
  process_.Later(10000, [this] { Tick(); });
}

bool SimProxy::Settled() const {
  return serving_ && !reload_.under_way() && coordinator_->idle() &&
         std::all_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->Settled(); });
}

bool SimProxy::Swept() const {
  return reload_.leaving().empty() && std::all_of(shards_.begin(), shards_.end(),
                                                  [](const auto& shard) { return shard->Swept(); });
}

void SimProxy::FailProbes(const Node* node, uint32_t count) {
  for (auto& shard : shards_) shard->FailProbes(node, count);
}

void SimProxy::ResetProbe(const Node* node) {
  if (!serving_) return;
  for (auto& shard : shards_) shard->ResetProbe(node);
}

void SimProxy::Close(std::function<void()> done) {
  for (auto& shard : shards_) shard->served().Stop();
  serving_ = false;
  reload_.Stop();
  coordinator_->Close(true, [done](const EditResult&) { done(); });
}

// One instant, as on all workers of the product.
void SimProxy::TakeEffect(const ProxyOptions& next, std::shared_ptr<const RingHistory> rings,
                          bool force, const Topology& topology) {
  const bool ring_changed = rings != nullptr;
  const size_t known = shards_.size();
  for (size_t i = 0; i < known; ++i) {
    ServedShard& shard = shards_[i]->served();
    if (ring_changed && !shard.retiring()) shard.SetHistory(rings);
  }
  config_ = next;
  if (ring_changed) {
    rings_ = std::move(rings);
    RouteBy(config_);
  }
  for (const ShardSetup& setup : config_.shards) {
    if (Find(setup.name) == nullptr) AddShard(setup, topology);
  }
  for (size_t i = 0; i < known; ++i) {
    SimShard* shard = shards_[i].get();
    if (shard->served().retiring()) continue;
    const ShardSetup* setup = config_.Find(shard->name());
    if (setup == nullptr) {
      shard->served().Retire(NowMs());
      continue;
    }
    shard->Change(config_, *setup, force);
    if (ring_changed) shard->served().AllowSweep();
  }
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
    if (hooks_.noted) hooks_.noted("shard '" + name + "' is let go");
    reload_.OnRetired(name);
  }
}

void SimProxy::Propose(Edit edit, EditDone done) {
  if (hooks_.trace) {
    Note(NoteLevel::kInfo, "edit: " + std::string(EditKindName(edit.kind)) + " " + edit.node + " " +
                               edit.run_id + " (" + edit.reason + ")");
  }
  front_->Propose(std::move(edit), [this, alive = process_.alive(),
                                    done = std::move(done)](const EditResult& result) {
    if (alive.expired()) return;
    process_.Receive([done, result] { done(result); });
  });
}

bool SimProxy::IsStale(const std::string& name, const std::string& node) const {
  const Topology& durable = *disk_->durable;
  const int shard = durable.IndexOf(name);
  if (shard < 0) return true;
  const ShardInfo& info = durable.shards[static_cast<size_t>(shard)];
  const int copy = info.IndexOf(node);
  return copy < 0 || info.copies[static_cast<size_t>(copy)].state == CopyState::kStale;
}

void SimProxy::Note(NoteLevel, const std::string& text) {
  if (hooks_.noted) hooks_.noted(text);
  // Nobody tampers with any other key: what the audit finds is a mistake in the order.
  if (text.find("audit: key ") != std::string::npos && text.find(":x\" ") == std::string::npos &&
      !(hooks_.audit_may_find && hooks_.audit_may_find(text))) {
    Fail(text);
  }
  if (hooks_.trace) std::printf("%9.3f ms  %s\n", loop_->now_us() / 1000.0, text.c_str());
}

}  // namespace gemel::sim
