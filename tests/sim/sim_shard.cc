#include "tests/sim/sim_shard.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "tests/sim/sim_wire.h"

namespace gemel::sim {

// Carries a link's bytes over a Connection.
class SimShard::Transport : public LinkTransport {
 public:
  // `dice`: for all that is left to chance on it; null: the world's.
  Transport(SimShard* owner, Node* node, Link* link, std::shared_ptr<Loop> dice = nullptr)
      : owner_(owner), proxy_(owner->proxy_), node_(node), link_(link), dice_(std::move(dice)) {}
  ~Transport() override { Close(); }

  void Connect() override {
    Close();
    connection_ = std::make_shared<Connection>();
    connection_->dice = dice_;
    connection_->road = proxy_->RoadTo(node_);
    // Of this connection, and only while this end of it is there.
    auto here = [this, of = std::weak_ptr<Connection>(connection_),
                 alive = std::weak_ptr<char>(alive_)](std::function<void()> event) {
      proxy_->process().Receive([this, of, alive, event = std::move(event)] {
        if (!alive.expired() && connection_ != nullptr && connection_ == of.lock()) event();
      });
    };
    connection_->connected = [this, here] {
      here([this] { link_->OnConnected(proxy_->NowMs()); });
    };
    connection_->to_client = [this, here](std::string_view bytes) {
      here([this, bytes = std::string(bytes)] { Receive(bytes); });
    };
    connection_->closed = [this, here](bool refused) {
      here([this, refused] {
        connection_ = nullptr;
        link_->OnClosed(refused ? "refused" : "reset", refused, proxy_->NowMs());
      });
    };
    node_->wire().Connect(connection_);
  }
  void Close() override {
    if (connection_ == nullptr) return;
    node_->wire().CloseByClient(connection_);
    connection_->CloseClientEnd();
    connection_ = nullptr;
  }
  void WantFlush() override {
    owner_->Later(Dice()->Between(0, 20), [this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) Flush();
    });
  }

 private:
  Loop* Dice() const { return dice_ != nullptr ? dice_.get() : proxy_->loop(); }
  void Flush() {
    link_->out().FlushDone();
    if (connection_ == nullptr || link_->out().empty()) return;
    std::string bytes;
    link_->out().ForEach([&bytes](const char* data, size_t size) {
      bytes.append(data, size);
      return true;
    });
    link_->out().Consume(bytes.size());
    if (bytes.find("*2\r\n$3\r\nGET\r\n") != std::string::npos &&
        proxy_->IsStale(owner_->name(), node_->address())) {
      proxy_->Fail("a read was sent to " + node_->address() + ", which is stale");
    }
    node_->wire().Send(connection_, std::move(bytes));
  }
  void Receive(std::string_view bytes) {
    size_t space = 0;
    if (Dice()->Chance(50)) {
      if (char* to = link_->DirectSpace(&space); to != nullptr) {
        const size_t part = std::min(space, bytes.size());
        std::memcpy(to, bytes.data(), part);
        bytes.remove_prefix(part);
        link_->OnDirect(part, proxy_->NowMs());
      }
    }
    if (bytes.empty() || connection_ == nullptr) return;
    // The memory goes at once, so that whoever keeps a part of it is found out.
    const std::string copy(bytes);
    link_->OnData(copy.data(), copy.size(), proxy_->NowMs());
  }

  SimShard* owner_;
  ShardWorld* proxy_;
  Node* node_;
  Link* link_;
  const std::shared_ptr<Loop> dice_;
  ConnectionPtr connection_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// The resync's commands to the nodes.
class SimShard::Port : public ControlPort {
 public:
  explicit Port(SimShard* owner) : owner_(owner) {}

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    if (owner_->fenced_ != nullptr) {
      owner_->fenced_->Command(copy, std::move(args), std::move(done));
      return;
    }
    // As with a control connection: what was asked of a node that is gone is not answered.
    auto alive = std::weak_ptr<char>(owner_->alive_);
    const uint64_t life = owner_->copies_[copy].control;
    owner_->copies_[copy].node->Control(
        args, [this, alive, copy, life, done](const std::string& bytes) {
          if (alive.expired()) return;
          owner_->proxy_->process().Receive([=, this] {
            if (!alive.expired() && owner_->copies_[copy].control == life)
              done(ToControlReply(bytes));
          });
        });
  }

 private:
  SimShard* owner_;
};

SimShard::SimShard(ShardWorld* proxy, const ProxyOptions& config, const ShardSetup& setup,
                   const ShardInfo& info, std::shared_ptr<const RingHistory> rings,
                   const ShardTurn& turn)
    : proxy_(proxy), grace_ms_(config.grace_ms), port_(std::make_unique<Port>(this)) {
  if (!turn.fleet_id.empty()) fenced_ = std::make_unique<FencedControl>(proxy);
  ServedShard::World world{
      proxy->pool(),        proxy,           port_.get(), this, proxy->resyncs(),
      proxy->after_crash(), proxy->others(), false,       {},   turn};
  world.forget.mark_keys = config.mark_keys;
  served_ = std::make_unique<ServedShard>(world, &Table(), PoolOf(config),
                                          ShardOf(setup, config.password), info, std::move(rings));
}

SimShard::~SimShard() {
  alive_.reset();
  served_.reset();
}

void SimShard::Later(uint64_t delay_us, std::function<void()> event) {
  proxy_->process().Later(delay_us,
                          [alive = std::weak_ptr<char>(alive_), event = std::move(event)] {
                            if (!alive.expired()) event();
                          });
}

void SimShard::Open(uint32_t copy, const LinkOptions& node, const ServedShard::CopyLinks& links) {
  if (copies_.size() <= copy) copies_.resize(copy + 1);
  CopyWorld& world = copies_[copy];
  world = CopyWorld();
  world.node = proxy_->FindNode(node.name);
  world.control = ++lives_;
  world.probed_start = world.node->starts();
  world.transport = std::make_unique<Transport>(this, world.node, links.main);
  links.main->set_transport(world.transport.get());
  world.side = std::make_unique<Transport>(this, world.node, links.side);
  links.side->set_transport(world.side.get());
  world.feed =
      std::make_unique<Transport>(this, world.node, links.feed,
                                  std::make_shared<Loop>(proxy_->loop()->now_us() + world.control));
  links.feed->set_transport(world.feed.get());
  if (fenced_ != nullptr) fenced_->SetNode(copy, world.node, node);
}

void SimShard::Close(uint32_t copy, const std::vector<std::vector<std::string>>& last) {
  CopyWorld& world = copies_[copy];
  if (fenced_ != nullptr) {
    fenced_->Remove(copy, last);
  } else {
    for (const auto& command : last) world.node->Control(command, [](const std::string&) {});
  }
  world.control = 0;
  world.transport.reset();
  world.side.reset();
  world.feed.reset();
}

void SimShard::CloseAll() {
  copies_.clear();
  fenced_.reset();
}

void SimShard::SetControl(uint32_t copy, const LinkOptions& node, bool anew) {
  if (anew) copies_[copy].control = ++lives_;
  if (fenced_ == nullptr) return;
  if (anew) fenced_->Remove(copy, {});
  fenced_->SetNode(copy, copies_[copy].node, node);
}

void SimShard::StartProbe(uint32_t copy, const LinkOptions&, const HealthConfig&, uint32_t) {
  const uint64_t probes = copies_[copy].probes = ++lives_;
  copies_[copy].probing = false;
  Later(proxy_->loop()->Between(0, 50000), [this, copy, probes] {
    if (Probes(copy, probes)) Probe(copy, true);
  });
}

// What no option of the file says; in virtual time all is faster.
void SimShard::Adjust(ShardOptions* options) const {
  options->grace_ms = grace_ms_;
  options->failback_after_ms = 50;
}

void SimShard::Tick() {
  served_->Tick(proxy_->NowMs(), static_cast<uint32_t>(proxy_->loop()->Random(1u << 30)));
}

void SimShard::Change(const ProxyOptions& config, const ShardSetup& setup, bool force) {
  grace_ms_ = config.grace_ms;
  served_->Change(PoolOf(config), ShardOf(setup, config.password), force);
}

bool SimShard::CannotAnswer(const Node* node) const {
  const std::shared_ptr<Road> road = proxy_->RoadTo(node);
  return node->condition().hung() || node->condition().cut_off() ||
         (road != nullptr && road->any_cut());
}

// One at a time. In turn: the next one follows.
void SimShard::Probe(uint32_t copy, bool in_turn) {
  if (!proxy_->serving()) return;
  CopyWorld& world = copies_[copy];
  const uint64_t life = world.probes;
  Node* node = world.node;
  Loop* loop = proxy_->loop();
  auto next = [this, copy, life] {
    Later(50000, [this, copy, life] {
      if (Probes(copy, life)) Probe(copy, true);
    });
  };
  if (world.probing) {
    if (in_turn) next();
    return;
  }
  world.probing = true;
  const uint64_t began_ms = proxy_->NowMs();
  shard()->nodes().OnProbe(copy, ProbeOutcome::kSent, began_ms);
  ProbeOutcome seen = ProbeOutcome::kAnswer;
  uint64_t after_us = loop->Between(50, 1000);
  if (world.failing_probes > 0) {
    --world.failing_probes;
    seen = ProbeOutcome::kTimeout;
  } else if (!node->condition().alive() || world.probed_start != node->starts()) {
    seen = ProbeOutcome::kHardError;  // refused, or the probe's own connection was reset
    world.probed_start = node->starts();
  } else if (CannotAnswer(node)) {
    seen = ProbeOutcome::kTimeout;
  } else if (node->condition().extra_us() > 0) {
    after_us = node->condition().extra_us();
  }
  if (seen == ProbeOutcome::kTimeout) after_us = 100000;
  // A node that hangs meanwhile answers when it wakes up; more often than not in time.
  Later(after_us, [this, copy, life, seen, began_ms, in_turn, node, next] {
    if (!proxy_->serving() || !Probes(copy, life)) return;
    const bool hangs = node->condition().alive() && CannotAnswer(node);
    copies_[copy].probing = false;
    shard()->nodes().OnProbe(
        copy, seen == ProbeOutcome::kAnswer && hangs ? ProbeOutcome::kTimeout : seen, began_ms);
    if (in_turn && Probes(copy, life)) next();
  });
}

void SimShard::FailProbes(const Node* node, uint32_t count) {
  for (CopyWorld& world : copies_) {
    if (world.node == node) world.failing_probes = count;
  }
}

void SimShard::ResetProbe(const Node* node) {
  for (uint32_t copy = 0; copy < copies_.size(); ++copy) {
    CopyWorld& world = copies_[copy];
    if (world.node != node || world.probes == 0) continue;
    world.probed_start = node->starts() + 1;
    Later(proxy_->loop()->Between(10, 300), [this, copy, life = world.probes] {
      if (proxy_->serving() && Probes(copy, life))
        shard()->nodes().OnProbe(copy, ProbeOutcome::kHardError);
    });
  }
}

bool SimShard::Settled() const {
  Shard& shard = *served_->shard();
  if (served_->retiring() || shard.ports().resync.paused() || shard.ports().forget.held() > 0)
    return false;
  if (served_->resyncing() || !served_->members_settled()) return false;
  CopyMask members = 0;
  for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
    if (shard.copies().IsMember(copy)) members |= Bit(copy);
  }
  if (shard.ports().resync.in_sync() != members) return false;
  for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
    if (!shard.copies().IsMember(copy)) continue;
    if (!shard.link(copy)->up() || !shard.link(copy)->line().empty()) return false;
    if (shard.nodes().HealthOf(copy) != NodeHealth::kUp) return false;
    // Also what the proxy does not know yet counts: a fault is over when it has been dealt with.
    const Node* node = copies_[copy].node;
    const std::string& run_id = node->run_id();
    if (copies_[copy].probed_start != node->starts()) return false;
    if (shard.link(copy)->identity().run_id != run_id) return false;
    if (shard.copies().run_id(copy) != run_id) return false;
  }
  return true;
}

std::string SimShard::Describe() const {
  Shard& shard = *served_->shard();
  std::string text = " " + name() + (served_->retiring() ? " leaving" : "") + ": in sync " +
                     std::to_string(shard.ports().resync.in_sync()) + ", held " +
                     std::to_string(shard.ports().forget.held()) +
                     (shard.ports().resync.paused() ? ", paused" : "") +
                     (Swept() ? "" : ", not swept") + " (" + served_->OutstandingMembers() + ")";
  for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
    if (!shard.copies().IsMember(copy)) continue;
    text += "; " + shard.link(copy)->name() + (shard.link(copy)->up() ? " up " : " down ") +
            (shard.info().copies[copy].drained() ? "drained " : "") +
            std::string(CopyStageName(shard.copies().stage(copy))) + " " +
            shard.info().copies[copy].reason + " / " + served_->ResyncNote(copy);
  }
  return text;
}

}  // namespace gemel::sim
