#include "tests/module_command.h"
#include "tests/sim/sim_proxy.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/topology/changed_shards.h"
#include "tests/sim/sim_reload.h"
#include "tests/unit/order_of.h"

namespace gemel::sim {

const CommandTable& Table() {
  static const CommandTable table(ModuleCommands());
  return table;
}

// One order and its answer.
struct SimProxy::Asked : Request, RequestSink {
  void OnReply(Request*, const Reply& reply) override {
    proxy->Note(NoteLevel::kInfo, "answer to " + what + ": " + std::string(reply.bytes));
    if (std::exchange(answered, true)) proxy->fail_("an order was answered twice: " + what);
    done(reply.bytes[0] == '+');
  }

  SimProxy* proxy = nullptr;
  std::string what;
  bool answered = false;
  std::function<void(bool)> done;
};

SimProxy::SimProxy(Loop* loop, Disk* disk, const ProxyOptions& config,
                   std::function<void(std::string)> fail)
    : loop_(loop), disk_(disk), clock_(loop->now_ms()), config_(config), fail_(std::move(fail)) {
  std::string error;
  const Topology* stored = disk_->durable ? &*disk_->durable : nullptr;
  after_crash_ = stored == nullptr || !stored->clean;
  std::optional<Topology> initial =
      config_.routed ? InitialTopology(config_.members(), config_.ring(), stored, &error)
                     : InitialTopology(config_.members(), stored, &error);
  if (!initial) {
    fail_("no topology to begin with: " + error);
    return;
  }
  initial_ = std::make_shared<const Topology>(*std::move(initial));
  coordinator_ = std::make_unique<SimCoordinator>(loop_, disk_, initial_);
  front_ = coordinator_->FrontFor([](const std::function<void()>& task) { task(); });
  known_ = initial_;
  front_->Watch([this](const std::shared_ptr<const Topology>& now) {
    Receive([this, now] {
      ForEachChangedShard(*std::exchange(known_, now), *now, [this](const ShardInfo& info) {
        if (SimShard* shard = Find(info.name)) shard->shard()->edits().OnTopology(info);
      });
    });
  });
  Open();
}

SimProxy::~SimProxy() {
  alive_.reset();
  // The resyncs resume their shards, which then may send what is held: it never leaves this
  // process.
  serving_ = false;
  shards_.clear();
  coordinator_.reset();
}

void SimProxy::Later(uint64_t delay_us, std::function<void()> event) {
  loop_->After(delay_us, [this, alive = std::weak_ptr<char>(alive_), event = std::move(event)] {
    if (alive.expired()) return;
    if (paused_) {
      late_timers_.push_back(event);
    } else {
      event();
    }
  });
}

void SimProxy::Receive(std::function<void()> event) {
  if (paused_ || hearing_) {
    received_.push_back(std::move(event));
  } else {
    event();
  }
}

// The worst that may come: the poll was interrupted, so the timers are first. Then it hears all.
void SimProxy::Unpause() {
  paused_ = false;
  hearing_ = true;  // what comes from now on is behind all that
  for (auto& event : std::exchange(late_timers_, {})) event();
  while (!received_.empty()) {
    const std::function<void()> event = std::move(received_.front());
    received_.pop_front();
    event();
  }
  hearing_ = false;
  NowMs();
  clock_.OnHeard();
  clock_.OnHeard();
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
    MakeRings(*initial_);
    RouteBy(config_);
  }
  serving_ = true;
  for (const ShardSetup& setup : config_.shards) AddShard(setup, *initial_);
  Tick();
}

void SimProxy::AddShard(const ShardSetup& setup, const Topology& topology) {
  const int known = topology.IndexOf(setup.name);
  if (known < 0) {
    fail_("a shard that is not in the topology: " + setup.name);
    return;
  }
  shards_.push_back(std::make_unique<SimShard>(
      this, config_, setup, topology.shards[static_cast<size_t>(known)], rings_));
  shards_.back()->served().Start(static_cast<uint32_t>(shards_.size()));
}

void SimProxy::MakeRings(const Topology& topology) {
  rings_ = std::make_shared<const RingHistory>(topology.rings, rings_.get());
}

void SimProxy::RouteBy(const ProxyOptions& config) {
  ring_ = std::make_unique<const Ring>(MakeRing(config.ring()));
  if (config_.routes_by) config_.routes_by(config.ring());
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
    fail_("nobody serves " + key);
    return;
  }
  if (!paused_ && !hearing_) {
    shard->shard()->Submit(request);
    return;
  }
  request->OwnFrame();
  Receive([this, request, key] {
    SimShard* owner = Owner(key);
    owner != nullptr ? owner->shard()->Submit(request) : fail_("nobody serves " + key);
  });
}

void SimProxy::Tick() {
  if (!serving_) return;
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->Tick();
  LetGo();
  Later(10000, [this] { Tick(); });
}

bool SimProxy::Settled() const {
  return serving_ && job_ == nullptr && coordinator_->idle() &&
         std::all_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->Settled(); });
}

bool SimProxy::Swept() const {
  return steps_.leaving().empty() && std::all_of(shards_.begin(), shards_.end(),
                                                 [](const auto& shard) { return shard->Swept(); });
}

void SimProxy::FailProbes(const Node* node, uint32_t count) {
  for (auto& shard : shards_) shard->FailProbes(node, count);
}

void SimProxy::ResetProbe(const Node* node) {
  if (!serving_) return;
  for (auto& shard : shards_) shard->ResetProbe(node);
}

void SimProxy::Order(SimShard* shard, const std::string& verb, const Node* node,
                     std::function<void(bool ok)> done) {
  std::erase_if(asked_, [](const auto& asked) { return asked->answered; });
  asked_.push_back(std::make_unique<Asked>());
  Asked* asked = asked_.back().get();
  asked->proxy = this;
  asked->what = verb + " " + node->address();
  asked->done = std::move(done);
  asked->kind = RequestKind::kControl;
  asked->sink = asked;
  asked->Extra().cargo = OrderOf(verb, node->address());
  Receive([this, asked, name = shard->name()] {
    if (SimShard* owner = Find(name)) {
      owner->shard()->Submit(asked);
    } else {
      asked->answered = true;  // it has gone meanwhile
      asked->done(false);
    }
  });
}

void SimProxy::Close(std::function<void()> done) {
  for (auto& shard : shards_) shard->served().Stop();
  serving_ = false;
  steps_.Stop();
  coordinator_->Close(true, [done](const EditResult&) { done(); });
}

void SimProxy::Propose(Edit edit, EditDone done) {
  if (config_.trace) {
    Note(NoteLevel::kInfo, "edit: " + std::string(EditKindName(edit.kind)) + " " + edit.node + " " +
                               edit.run_id + " (" + edit.reason + ")");
  }
  front_->Propose(std::move(edit), [this, alive = std::weak_ptr<char>(alive_),
                                    done = std::move(done)](const EditResult& result) {
    if (alive.expired()) return;
    Receive([done, result] { done(result); });
  });
}

void SimProxy::StartAudit(SimShard* shard) {
  if (paused_) return;
  std::erase_if(audit_requests_, [](const auto& request) { return !request->waiting; });
  audit_requests_.push_back(std::make_unique<AuditRequest>());
  AuditRequest* request = audit_requests_.back().get();
  request->sink = request;
  request->kind = RequestKind::kAudit;
  shard->shard()->Submit(request);
}

void SimProxy::Note(NoteLevel, const std::string& text) {
  if (config_.noted) config_.noted(text);
  // Nobody tampers with any other key: what the audit finds is a mistake in the order.
  if (text.find("audit: key ") != std::string::npos && text.find(":x\" ") == std::string::npos &&
      !(config_.audit_may_find && config_.audit_may_find(text))) {
    fail_(text);
  }
  if (config_.trace) std::printf("%9.3f ms  %s\n", loop_->now_us() / 1000.0, text.c_str());
}

}  // namespace gemel::sim
