#include "tests/sim/sim_proxy.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/shard/shard_control.h"

namespace gemel::sim {

const CommandTable& Table() {
  static const CommandTable table;
  return table;
}

std::string ShardName(size_t shard) { return "s" + std::to_string(shard); }

// Carries a link's bytes over a Connection.
class SimProxy::Transport : public LinkTransport {
 public:
  Transport(SimProxy* proxy, Node* node, Link* link, size_t shard, uint32_t copy)
      : proxy_(proxy), node_(node), link_(link), shard_(shard), copy_(copy) {}
  ~Transport() override { Close(); }

  void Connect() override {
    Close();
    connection_ = std::make_shared<Connection>();
    connection_->connected = [this] { link_->OnConnected(proxy_->NowMs()); };
    connection_->to_client = [this](std::string_view bytes) { Receive(bytes); };
    connection_->closed = [this](bool refused) {
      connection_ = nullptr;
      link_->OnClosed(refused ? "refused" : "reset", refused, proxy_->NowMs());
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
    proxy_->Later(proxy_->loop_->Between(0, 20), [this] { Flush(); });
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
    const ShardInfo& durable = proxy_->disk_->durable->shards[shard_];
    if (durable.copies[copy_].state == CopyState::kStale &&
        bytes.find("$3\r\nGET\r\n") != std::string::npos) {
      proxy_->fail_("a read was sent to " + node_->address() + ", which is stale");
    }
    node_->Send(connection_, std::move(bytes));
  }
  void Receive(std::string_view bytes) {
    size_t space = 0;
    if (proxy_->loop_->Chance(50)) {
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

  SimProxy* proxy_;
  Node* node_;
  Link* link_;
  size_t shard_;
  uint32_t copy_;
  ConnectionPtr connection_;
};

// The resync's commands to the nodes.
class SimProxy::Port : public ControlPort {
 public:
  Port(SimProxy* proxy, size_t shard) : proxy_(proxy), shard_(shard) {}

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    auto alive = std::weak_ptr<char>(proxy_->alive_);
    proxy_->options_->nodes[shard_][copy]->Control(args, [alive, done](const std::string& bytes) {
      if (!alive.expired()) done(ToReply(bytes));
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
  SimProxy* proxy_;
  size_t shard_;
};

SimProxy::SimProxy(Loop* loop, Disk* disk, const ProxyOptions* options,
                   std::function<void(std::string)> fail)
    : loop_(loop), disk_(disk), options_(options), fail_(std::move(fail)) {
  std::vector<ShardMembers> members;
  for (size_t i = 0; i < options_->nodes.size(); ++i) {
    members.push_back({ShardName(i), {}});
    for (const Node* node : options_->nodes[i]) members.back().nodes.push_back(node->address());
  }
  std::string error;
  std::optional<Topology> initial =
      InitialTopology(members, disk_->durable ? &*disk_->durable : nullptr, &error);
  if (!initial) {
    fail_("no topology to begin with: " + error);
    return;
  }
  initial_ = std::make_shared<const Topology>(*std::move(initial));
  coordinator_ = std::make_unique<SimCoordinator>(loop_, disk_, initial_);
  Open();
}

SimProxy::~SimProxy() {
  alive_.reset();
  // The resyncs resume their shards, which then may send what is held: it never leaves this
  // process.
  serving_ = false;
  audits_.clear();
  resyncs_.clear();
  transports_.clear();
  shards_.clear();
  coordinator_.reset();
}

void SimProxy::Later(uint64_t delay_us, std::function<void()> event) {
  loop_->After(delay_us, [alive = std::weak_ptr<char>(alive_), event = std::move(event)] {
    if (!alive.expired()) event();
  });
}

// A disk that fails now ends the process in life; here it is tried until it works.
void SimProxy::Open() {
  coordinator_->Propose(Edit{EditKind::kOpen, "", "", "", ""}, [this](const EditResult& result) {
    if (!result.ok) {
      Open();
      return;
    }
    initial_ = result.topology;
    StartShards();
  });
}

void SimProxy::StartShards() {
  for (size_t i = 0; i < options_->nodes.size(); ++i) {
    ShardOptions options;
    options.name = ShardName(i);
    options.ack = options_->ack;
    options.read_from = options_->read_from;
    options.hang = options_->hang;
    options.hedge_ms = options_->hedge_ms;
    options.repair_keys_per_s = options_->repair_keys_per_s;
    options.wait_ms = 500;
    options.start_ms = 100;
    options.pause_ms = 100;
    options.failback = options_->failback;
    options.failback_after_ms = 50;
    for (const Node* node : options_->nodes[i]) {
      LinkOptions link;
      link.name = node->address();
      link.connect_timeout_ms = 100;
      link.request_timeout_ms = 500;
      link.reconnect_min_ms = 4;
      link.reconnect_max_ms = 100;
      if (i == 1) link.password = "secret";
      options.nodes.push_back(std::move(link));
    }
    shards_.push_back(
        std::make_unique<Shard>(options, initial_->shards[i], &Table(), &pool_, this));
    Shard* shard = shards_.back().get();
    for (uint32_t copy = 0; copy < shard->copy_count(); ++copy) {
      transports_.push_back(
          std::make_unique<Transport>(this, options_->nodes[i][copy], shard->link(copy), i, copy));
      shard->link(copy)->set_transport(transports_.back().get());
    }
    ports_.push_back(std::make_unique<Port>(this, i));
    ResyncConfig resync;
    shard->control().set_detach(
        [port = ports_.back().get()](uint32_t copy, std::function<void(const std::string&)> told) {
          MakeMaster(port, copy, told);
        });
    resync.pause_ms = 100;
    resync.timeout_s = 2;
    resync.retry_ms = 50;
    resyncs_.push_back(std::make_unique<Resync>(shard, ports_.back().get(), this, resync));
    AuditConfig audit;
    audit.interval_s = 1;
    audits_.push_back(std::make_unique<Audit>(shard, this, audit));
    shard->Start();
    for (uint32_t copy = 0; copy < shard->copy_count(); ++copy) {
      failing_probes_[options_->nodes[i][copy]] = 0;
      probed_start_[options_->nodes[i][copy]] = options_->nodes[i][copy]->starts();
      Later(loop_->Between(0, 50000), [this, i, copy] { Probe(i, copy, true); });
    }
  }
  serving_ = true;
  Tick();
}

void SimProxy::Tick() {
  if (!serving_) return;
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_[i]->Tick(NowMs(), static_cast<uint32_t>(loop_->Random(1u << 30)));
    resyncs_[i]->Tick(NowMs());
    audits_[i]->Tick(NowMs());
    for (uint32_t copy = 0; copy < shards_[i]->copy_count(); ++copy) {
      if (shards_[i]->TakeProbeWish(copy)) Probe(i, copy, false);
    }
  }
  Later(10000, [this] { Tick(); });
}

// One at a time. In turn: the next one follows.
void SimProxy::Probe(size_t shard, uint32_t copy, bool in_turn) {
  if (!serving_) return;
  Node* node = options_->nodes[shard][copy];
  if (probing_[node]) {
    if (in_turn) Later(50000, [this, shard, copy] { Probe(shard, copy, true); });
    return;
  }
  probing_[node] = true;
  const uint64_t began_ms = NowMs();
  shards_[shard]->OnProbe(copy, Shard::Probe::kSent, began_ms);
  Shard::Probe seen = Shard::Probe::kAnswer;
  uint64_t after_us = loop_->Between(50, 1000);
  if (uint32_t& failing = failing_probes_[node]; failing > 0) {
    --failing;
    seen = Shard::Probe::kTimeout;
  } else if (uint64_t& start = probed_start_[node]; !node->alive() || start != node->starts()) {
    seen = Shard::Probe::kHardError;  // refused, or the probe's own connection was reset
    start = node->starts();
  } else if (node->hung() || node->cut_off()) {
    seen = Shard::Probe::kTimeout;
  } else if (node->extra_us() > 0) {
    after_us = node->extra_us();
  }
  if (seen == Shard::Probe::kTimeout) after_us = 100000;
  // A node that hangs meanwhile answers when it wakes up; more often than not in time.
  Later(after_us, [this, shard, copy, seen, began_ms, in_turn, node] {
    if (!serving_) return;
    const bool hangs = node->alive() && (node->hung() || node->cut_off());
    probing_[node] = false;
    shards_[shard]->OnProbe(
        copy, seen == Shard::Probe::kAnswer && hangs ? Shard::Probe::kTimeout : seen, began_ms);
    if (in_turn) Later(50000, [this, shard, copy] { Probe(shard, copy, true); });
  });
}

void SimProxy::ResetProbe(const Node* node) {
  if (!serving_) return;
  probed_start_[node] = node->starts() + 1;
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (uint32_t copy = 0; copy < shards_[i]->copy_count(); ++copy) {
      if (options_->nodes[i][copy] != node) continue;
      Later(loop_->Between(10, 300), [this, i, copy] {
        if (serving_) shards_[i]->OnProbe(copy, Shard::Probe::kHardError);
      });
    }
  }
}

bool SimProxy::Settled() const {
  if (!serving_ || !coordinator_->idle()) return false;
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = *shards_[i];
    if (shard.paused() || shard.held() > 0 || resyncs_[i]->active()) return false;
    if (shard.in_sync() != Bit(shard.copy_count()) - 1) return false;
    for (uint32_t copy = 0; copy < shard.copy_count(); ++copy) {
      if (!shard.link(copy)->up() || shard.link(copy)->pending() > 0) return false;
      if (shard.HealthOf(copy) != NodeHealth::kUp) return false;
      // Also what the proxy does not know yet counts: a fault is over when it has been dealt with.
      const Node* node = options_->nodes[i][copy];
      const std::string& run_id = node->run_id();
      if (probed_start_.at(node) != node->starts()) return false;
      if (shard.link(copy)->identity().run_id != run_id) return false;
      if (shard.info().copies[copy].run_id != run_id) return false;
    }
  }
  return true;
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

void SimProxy::Order(size_t shard, const std::string& verb, const Node* node,
                     std::function<void(bool ok)> done) {
  std::erase_if(asked_, [](const auto& asked) { return asked->answered; });
  asked_.push_back(std::make_unique<Asked>());
  Asked* asked = asked_.back().get();
  asked->proxy = this;
  asked->what = verb + " " + node->address();
  asked->done = std::move(done);
  asked->kind = RequestKind::kControl;
  asked->sink = asked;
  std::string frame;
  const std::string_view words[] = {verb, node->address()};
  AppendCommand(&frame, words);
  asked->frame = frame;
  asked->OwnFrame();
  shards_[shard]->Submit(asked);
}

void SimProxy::Close(std::function<void()> done) {
  for (auto& resync : resyncs_) resync.reset();
  resyncs_.clear();
  for (auto& audit : audits_) audit->Stop();
  for (auto& shard : shards_) shard->Stop();
  serving_ = false;
  coordinator_->Propose(Edit{EditKind::kClose, "", "", "", ""},
                        [done](const EditResult&) { done(); });
}

void SimProxy::Propose(Edit edit, EditDone done) {
  if (options_->trace) {
    Note(NoteLevel::kInfo, "edit: " + std::string(EditKindName(edit.kind)) + " " + edit.node + " " +
                               edit.run_id + " (" + edit.reason + ")");
  }
  coordinator_->Propose(std::move(edit), std::move(done));
}

void SimProxy::StartAudit(size_t shard) {
  std::erase_if(audit_requests_, [](const auto& request) { return !request->waiting; });
  audit_requests_.push_back(std::make_unique<AuditRequest>());
  AuditRequest* request = audit_requests_.back().get();
  request->sink = request;
  request->kind = RequestKind::kAudit;
  shards_[shard]->Submit(request);
}

void SimProxy::Note(NoteLevel, const std::string& text) {
  // Nobody tampers with any other key: what the audit finds is a mistake in the order.
  if (text.find("audit: key ") != std::string::npos && text.find(":x\" ") == std::string::npos) {
    fail_(text);
  }
  if (options_->trace) std::printf("%9.3f ms  %s\n", loop_->now_us() / 1000.0, text.c_str());
}

}  // namespace gemel::sim
