#include "tests/sim/sim_shard.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/shard_control.h"
#include "tests/sim/sim_proxy.h"

namespace gemel::sim {

// Carries a link's bytes over a Connection.
class SimShard::Transport : public LinkTransport {
 public:
  Transport(SimShard* owner, Node* node, Link* link)
      : owner_(owner), proxy_(owner->proxy_), node_(node), link_(link) {}
  ~Transport() override { Close(); }

  void Connect() override {
    Close();
    connection_ = std::make_shared<Connection>();
    // Of this connection, and only while this end of it is there.
    auto here = [this, of = std::weak_ptr<Connection>(connection_),
                 alive = std::weak_ptr<char>(alive_)](std::function<void()> event) {
      proxy_->Receive([this, of, alive, event = std::move(event)] {
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
    node_->Connect(connection_);
  }
  void Close() override {
    if (connection_ == nullptr) return;
    if (connection_->node != nullptr) node_->CloseByClient(connection_);
    connection_->CloseClientEnd();
    connection_ = nullptr;
  }
  void WantFlush() override {
    owner_->Later(proxy_->loop()->Between(0, 20), [this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) Flush();
    });
  }

 private:
  void Flush() {
    link_->FlushDone();
    if (connection_ == nullptr || link_->out().empty()) return;
    std::string bytes;
    link_->out().ForEach([&bytes](const char* data, size_t size) {
      bytes.append(data, size);
      return true;
    });
    link_->out().Consume(bytes.size());
    if (bytes.find("*2\r\n$3\r\nGET\r\n") != std::string::npos && IsStale()) {
      proxy_->Fail("a read was sent to " + node_->address() + ", which is stale");
    }
    node_->Send(connection_, std::move(bytes));
  }
  bool IsStale() const {
    const Topology& durable = *proxy_->disk()->durable;
    const int shard = durable.IndexOf(owner_->name());
    if (shard < 0) return true;
    const ShardInfo& info = durable.shards[static_cast<size_t>(shard)];
    const int copy = info.IndexOf(node_->address());
    return copy < 0 || info.copies[static_cast<size_t>(copy)].state == CopyState::kStale;
  }
  void Receive(std::string_view bytes) {
    size_t space = 0;
    if (proxy_->loop()->Chance(50)) {
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
  SimProxy* proxy_;
  Node* node_;
  Link* link_;
  ConnectionPtr connection_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// The resync's commands to the nodes.
class SimShard::Port : public ControlPort {
 public:
  explicit Port(SimShard* owner) : owner_(owner) {}

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    // As with a control connection: what was asked of a node that is gone is not answered.
    auto alive = std::weak_ptr<char>(owner_->alive_);
    const uint64_t life = owner_->copies_[copy].life;
    owner_->copies_[copy].node->Control(args,
                                        [this, alive, copy, life, done](const std::string& bytes) {
                                          if (alive.expired()) return;
                                          owner_->proxy_->Receive([=, this] {
                                            if (!alive.expired() && owner_->Lives(copy, life))
                                              done(ToReply(bytes));
                                          });
                                        });
  }

 private:
  static ControlReply ToReply(const std::string& bytes) {
    ControlReply reply;
    if (bytes.empty()) {
      reply.error = "no answer";
    } else if (bytes[0] == '-') {
      reply.refused = true;
      reply.error = ReplyText(bytes);
    } else if (std::vector<std::string_view> parts; SplitArray(bytes, &parts)) {
      reply.ok = true;
      for (std::string_view part : parts) {
        if (!reply.text.empty()) reply.text += '\n';
        reply.text += ReplyText(part);
      }
    } else {
      reply.ok = true;
      reply.text = ReplyText(bytes);
    }
    return reply;
  }
  SimShard* owner_;
};

namespace {

// The copies as the topology has them, with options for nodes that the config has no more, too.
ShardOptions OptionsFor(const ProxyOptions& config, const ShardSetup& setup,
                        const ShardInfo& info) {
  ShardOptions options = OptionsOf(config, setup);
  std::vector<LinkOptions> nodes;
  for (const CopyInfo& copy : info.copies) {
    nodes.push_back(options.nodes[0]);
    nodes.back().name = copy.node;
  }
  options.nodes = std::move(nodes);
  return options;
}

}  // namespace

SimShard::SimShard(SimProxy* proxy, const ProxyOptions& config, const ShardSetup& setup,
                   const ShardInfo& info, std::shared_ptr<const RingHistory> rings)
    : proxy_(proxy) {
  shard_ = std::make_unique<Shard>(OptionsFor(config, setup, info), info, &Table(), proxy->pool(),
                                   proxy);
  port_ = std::make_unique<Port>(this);
  for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy)
    MakeCopy(copy, info.copies[copy].node);
  ResyncConfig resync;
  shard_->control().set_detach(
      [port = port_.get()](uint32_t copy, std::function<void(const std::string&)> told) {
        MakeMaster(port, copy, told);
      });
  resync.pause_ms = 100;
  resync.timeout_s = 2;
  resync.retry_ms = 50;
  resync_ = std::make_unique<Resync>(shard_.get(), port_.get(), proxy, resync);
  AuditConfig audit;
  audit.interval_s = 1;
  audit_ = std::make_unique<Audit>(shard_.get(), proxy, audit);
  membership_ = std::make_unique<Membership>(shard_.get(), proxy, this);
  membership_->SetNodes(OptionsOf(config, setup).nodes, /*force=*/false);
  if (rings == nullptr) return;
  ForgetOptions forget;
  forget.keys_per_s = config.forget_keys_per_s;
  forget.mark_keys = config.mark_keys;
  forget_ = std::make_unique<Forget>(shard_.get(), proxy, forget);
  SetHistory(std::move(rings));
  AllowSweep();
}

SimShard::~SimShard() {
  alive_.reset();
  membership_.reset();
  DropAudit();
  DropResync();
  copies_.clear();
}

void SimShard::DropAudit() { audit_.reset(); }

void SimShard::DropResync() { resync_.reset(); }

void SimShard::Later(uint64_t delay_us, std::function<void()> event) {
  proxy_->Later(delay_us, [alive = std::weak_ptr<char>(alive_), event = std::move(event)] {
    if (!alive.expired()) event();
  });
}

void SimShard::MakeCopy(uint32_t copy, const std::string& address) {
  if (copies_.size() <= copy) copies_.resize(copy + 1);
  CopyWorld& world = copies_[copy];
  world = CopyWorld();
  world.node = proxy_->config().find(address);
  world.life = ++lives_;
  world.probed_start = world.node->starts();
  world.transport = std::make_unique<Transport>(this, world.node, shard_->link(copy));
  shard_->link(copy)->set_transport(world.transport.get());
  world.side = std::make_unique<Transport>(this, world.node, shard_->side_link(copy));
  shard_->side_link(copy)->set_transport(world.side.get());
  if (started_) BeginProbes(copy);
}

void SimShard::OnCopyAdded(uint32_t copy, const LinkOptions& node) { MakeCopy(copy, node.name); }

void SimShard::OnCopyRemoved(uint32_t copy) {
  if (resync_ != nullptr) resync_->ForgetCopy(copy);
  copies_[copy].life = 0;
  copies_[copy].transport.reset();
  copies_[copy].side.reset();
}

void SimShard::BeginProbes(uint32_t copy) {
  Later(proxy_->loop()->Between(0, 50000), [this, copy, life = copies_[copy].life] {
    if (Lives(copy, life)) Probe(copy, true);
  });
}

void SimShard::Start() {
  started_ = true;
  shard_->Start();
  for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) BeginProbes(copy);
}

void SimShard::Tick() {
  const uint64_t now_ms = proxy_->NowMs();
  shard_->Tick(now_ms, static_cast<uint32_t>(proxy_->loop()->Random(1u << 30)));
  if (!retiring_) {
    membership_->Tick(now_ms);
    if (forget_ != nullptr) forget_->Tick(now_ms);
    resync_->Tick(now_ms);
    audit_->Tick(now_ms);
  }
  for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) {
    if (copies_[copy].life != 0 && shard_->TakeProbeWish(copy)) Probe(copy, false);
  }
}

void SimShard::Change(const ProxyOptions& config, const ShardSetup& setup, bool force) {
  ShardOptions options = OptionsOf(config, setup);
  shard_->SetOptions(options);
  if (forget_ != nullptr) forget_->set_rate(config.forget_keys_per_s);
  membership_->SetNodes(std::move(options.nodes), force);
}

void SimShard::SetHistory(std::shared_ptr<const RingHistory> rings) {
  forget_->SetHistory(std::move(rings), proxy_->NowMs());
}

void SimShard::AllowSweep() { forget_->AllowSweep(proxy_->NowMs()); }

void SimShard::Retire() {
  retiring_ = true;
  retired_ms_ = proxy_->NowMs();
  membership_->Stop();
  if (forget_ != nullptr) forget_->Stop();
  audit_->Stop();
  resync_.reset();
}

bool SimShard::Retired() const {
  return shard_->Idle() || proxy_->NowMs() >= retired_ms_ + 2 * uint64_t{shard_->options().wait_ms};
}

void SimShard::Stop() {
  membership_->Stop();
  if (forget_ != nullptr) forget_->Stop();
  resync_.reset();
  audit_->Stop();
  shard_->Stop();
}

// One at a time. In turn: the next one follows.
void SimShard::Probe(uint32_t copy, bool in_turn) {
  if (!proxy_->serving()) return;
  CopyWorld& world = copies_[copy];
  const uint64_t life = world.life;
  Node* node = world.node;
  Loop* loop = proxy_->loop();
  auto next = [this, copy, life] {
    Later(50000, [this, copy, life] {
      if (Lives(copy, life)) Probe(copy, true);
    });
  };
  if (world.probing) {
    if (in_turn) next();
    return;
  }
  world.probing = true;
  const uint64_t began_ms = proxy_->NowMs();
  shard_->OnProbe(copy, ProbeOutcome::kSent, began_ms);
  ProbeOutcome seen = ProbeOutcome::kAnswer;
  uint64_t after_us = loop->Between(50, 1000);
  if (world.failing_probes > 0) {
    --world.failing_probes;
    seen = ProbeOutcome::kTimeout;
  } else if (!node->alive() || world.probed_start != node->starts()) {
    seen = ProbeOutcome::kHardError;  // refused, or the probe's own connection was reset
    world.probed_start = node->starts();
  } else if (node->hung() || node->cut_off()) {
    seen = ProbeOutcome::kTimeout;
  } else if (node->extra_us() > 0) {
    after_us = node->extra_us();
  }
  if (seen == ProbeOutcome::kTimeout) after_us = 100000;
  // A node that hangs meanwhile answers when it wakes up; more often than not in time.
  Later(after_us, [this, copy, life, seen, began_ms, in_turn, node, next] {
    if (!proxy_->serving() || !Lives(copy, life)) return;
    const bool hangs = node->alive() && (node->hung() || node->cut_off());
    copies_[copy].probing = false;
    shard_->OnProbe(copy, seen == ProbeOutcome::kAnswer && hangs ? ProbeOutcome::kTimeout : seen,
                    began_ms);
    if (in_turn && Lives(copy, life)) next();
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
    if (world.node != node || world.life == 0) continue;
    world.probed_start = node->starts() + 1;
    Later(proxy_->loop()->Between(10, 300), [this, copy, life = world.life] {
      if (proxy_->serving() && Lives(copy, life)) shard_->OnProbe(copy, ProbeOutcome::kHardError);
    });
  }
}

bool SimShard::Settled() const {
  Shard& shard = *shard_;
  if (retiring_ || shard.paused() || shard.held() > 0 || resync_->active()) return false;
  if (!membership_->settled()) return false;
  CopyMask members = 0;
  for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
    if (shard.IsMember(copy)) members |= Bit(copy);
  }
  if (shard.in_sync() != members) return false;
  for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
    if (!shard.IsMember(copy)) continue;
    if (!shard.link(copy)->up() || shard.link(copy)->pending() > 0) return false;
    if (shard.HealthOf(copy) != NodeHealth::kUp) return false;
    // Also what the proxy does not know yet counts: a fault is over when it has been dealt with.
    const Node* node = copies_[copy].node;
    const std::string& run_id = node->run_id();
    if (copies_[copy].probed_start != node->starts()) return false;
    if (shard.link(copy)->identity().run_id != run_id) return false;
    if (shard.info().copies[copy].run_id != run_id) return false;
  }
  return true;
}

std::string SimShard::Describe() const {
  Shard& shard = *shard_;
  std::string text = " " + name() + (retiring_ ? " leaving" : "") + ": in sync " +
                     std::to_string(shard.in_sync()) + ", held " + std::to_string(shard.held()) +
                     (shard.paused() ? ", paused" : "") + (Swept() ? "" : ", not swept") + " (" +
                     membership_->Outstanding() + ")";
  for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
    if (!shard.IsMember(copy)) continue;
    text += "; " + shard.link(copy)->name() + (shard.link(copy)->up() ? " up " : " down ") +
            (shard.info().copies[copy].drained() ? "drained " : "") +
            shard.info().copies[copy].reason + " / " + shard.resync_note(copy);
  }
  return text;
}

}  // namespace gemel::sim
