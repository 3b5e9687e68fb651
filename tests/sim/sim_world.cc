// The run as a whole: set up, settled and checked.

#include "tests/sim/sim_world.h"

#include <cstdio>

namespace gemel::sim {

namespace {

constexpr uint64_t kSecond = 1000 * 1000;
constexpr uint64_t kSettleLimit = 30 * kSecond;
constexpr uint64_t kAnswerLimit = 4 * kSecond;

}  // namespace

World::World(uint64_t seed, bool trace) : loop_(seed), seed_(seed) {
  const uint64_t kind = loop_.Random(100);
  mode_ = kind < 45 ? Mode::kOneFault : kind < 80 ? Mode::kManyFaults : Mode::kRestarts;
  // By a dice of its own, so that runs without reloads stay what they are.
  Loop dice(seed ^ 0x5eed0f7e10ad5ull);
  reloads_ = dice.Chance(33);
  refuses_ = Loop(seed ^ 0x5eed0f5ef05a15ull).Chance(25);
  pauses_ = Loop(seed ^ 0x5eed0fba05e5ull).Chance(25);
  const uint64_t shards = loop_.Chance(reloads_ ? 60 : 30) ? 2 : 1;
  uint64_t copies = loop_.Chance(75) ? 2 : 3;
  if (mode_ != Mode::kOneFault && loop_.Chance(5)) copies = 1;
  copies_of_each_ = copies;
  for (uint64_t shard = 0; shard < shards; ++shard) {
    options_.shards.push_back({ShardName(shard), {}, 1});
    for (uint64_t copy = 0; copy < copies; ++copy) {
      nodes_.push_back(std::make_unique<Node>(
          &loop_, "10.0." + std::to_string(shard) + "." + std::to_string(copy + 1) + ":6379"));
      nodes_.back()->set_find([this](const std::string& address) { return Find(address); });
      options_.shards.back().nodes.push_back(nodes_.back().get());
      shard_of_.push_back(shard);
    }
  }
  prefixes_ = shards;
  options_.find = [this](const std::string& address) { return Find(address); };
  if (reloads_) PrepareReloads();
  disturbed_us_.resize(nodes_.size());
  options_.trace = trace;
  options_.read_from = static_cast<ReadFrom>(loop_.Random(3));
  options_.failback = loop_.Chance(20);
  options_.hang.least_ms = static_cast<uint32_t>(loop_.Between(30, 150));
  options_.hang.most_ms = static_cast<uint32_t>(loop_.Between(100, 300));
  if (loop_.Chance(80)) options_.hedge_ms = static_cast<uint32_t>(loop_.Between(1, 60));
  if (loop_.Chance(30)) options_.ack = loop_.Chance(50) ? Ack::kPrimary : Ack::kAny;
  crashes_ = mode_ == Mode::kRestarts || (mode_ == Mode::kManyFaults && loop_.Chance(30));
  check_.all_acks = options_.ack == Ack::kAll;
  // What only one copy has acknowledged may be lost with it, if more goes wrong at the same time.
  check_.data_lost = !check_.all_acks && mode_ != Mode::kOneFault;
  if (mode_ == Mode::kManyFaults && loop_.Chance(20)) disk_.failing_percent = 30;
  disk_.max_write_us = loop_.Chance(20) ? 60000 : 5000;
  disk_.crash = [this] {
    if (proxy_ == nullptr || proxy_going_) return false;  // it ends at this moment anyway
    loop_.After(0, [this] { CrashProxy(); });
    return true;
  };
  disk_.changed = [this] {
    std::string error;
    if (!CheckTopology(*disk_.durable, &error)) Problem("a topology that may not be: " + error);
    ring_log_.OnDurable(*disk_.durable, loop_.now_us());
    if (removals_ != nullptr) {
      removals_->OnDurable(*disk_.durable, [this](const std::string& name) { return Find(name); });
    }
    if (crashes_ && faults_left_ > 0 && loop_.Chance(5)) {
      --faults_left_;
      loop_.After(loop_.Between(0, 200), [this] { CrashProxy(); });
    }
  };
  options_.noted = [this](const std::string& text) { OnNote(text); };
  if (loop_.Chance(30)) options_.on_data_loss = OnDataLoss::kMiss;
  saves_ = copies > 1 && loop_.Chance(30);
  if (Loop(seed ^ 0xdb).Chance(25)) {
    options_.databases = 4;
    for (auto& node : nodes_) GiveDatabases(node.get());
  }
  blocks_ = Loop(seed ^ 0xb10c).Chance(35);
  if (!reloads_ && Loop(seed ^ 0x3a7c4).Chance(35)) {
    watchers_ = std::make_unique<Watchers>(
        &loop_, &Table(), [this](std::string_view key) { return DatabaseOf(key); },
        [this](Request* request, const std::string& key) {
          if (proxy_ == nullptr || !proxy_->serving() || proxy_going_) return false;
          proxy_->Submit(request, key);
          return true;
        });
  }
  keeps_ = copies > 1 && Loop(seed ^ 0xd15c5).Chance(10);
  if (keeps_) {
    saves_ = false;
    for (auto& node : nodes_) node->KeepWrites();
  }
  wanted_ = options_;
  quota_ = loop_.Between(200, 700);
  keys_ = loop_.Between(1, 4);
  think_us_ = loop_.Between(500, 8000);
  clients_.resize(loop_.Between(1, 6));
  for (size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].id = i + 1;
    clients_[i].window = static_cast<uint32_t>(loop_.Between(1, 12));
  }
  clients_end_us_ = loop_.Between(kSecond, 3 * kSecond);
  faults_left_ = loop_.Between(1, mode_ == Mode::kOneFault ? 4 : 8);
  audit_pause_us_ = loop_.Between(2000, 500000);
  for (auto& node : nodes_) node->AllowDebug(loop_.Chance(70));
  Loop hello(seed ^ 0x4e110);
  for (auto& node : nodes_) node->KnowHello(hello.Chance(70));
  if (loop_.Chance(25)) {
    for (auto& node : nodes_) {
      const bool allowed = loop_.Chance(30);
      node->AllowReplicaOf(allowed);
      refusing_replicaof_ += allowed ? 0 : 1;
    }
    // Slowly, so that much goes on meanwhile.
    if (loop_.Chance(80)) options_.repair_keys_per_s = static_cast<uint32_t>(loop_.Between(5, 200));
  }
  if (Removals::IsOn(seed)) PrepareRemovals();
}

void World::GiveDatabases(Node* node) {
  if (options_.databases == 1) return;
  node->SetDatabases(
      options_.databases, [this](std::string_view key) { return DatabaseOf(key); },
      [this](const std::string& what) { Problem(what); });
}

void World::PrepareRemovals() {
  removals_ = std::make_unique<Removals>(&loop_, seed_);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    removals_->Begin(nodes_[i].get(), [this, i] {
      const ShardInfo* shard = Durable(ShardOf(i));
      return shard != nullptr && shard->copies[shard->primary].node == nodes_[i]->address();
    });
  }
  if (!removals_->audits()) options_.audit_interval_s = wanted_.audit_interval_s = 0;
  options_.audit_may_find = wanted_.audit_may_find = [this](const std::string& text) {
    constexpr std::string_view kBefore = "audit: key \"";
    const size_t at = text.find(kBefore) + kBefore.size();
    if (!Removals::MayGo(text.substr(at, text.find('"', at) - at))) return false;
    removals_->OnAuditFound();
    return true;
  };
  check_.removals = [this](const std::string& key) { return removals_->Of(key); };
  check_.excused = [this] { removals_->OnExcused(); };
  check_.all_told = removals_->all_tell();
}

World::~World() {
  ignore_replies_ = true;
  proxy_.reset();
}

std::string World::Describe() const {
  std::string text = "seed " + std::to_string(seed_) + ": ";
  text += mode_ == Mode::kOneFault     ? "one fault at a time"
          : mode_ == Mode::kManyFaults ? "many faults"
                                       : "restarts of the proxy";
  text += ", " + std::to_string(prefixes_) + " shard(s) of " + std::to_string(copies_of_each_) +
          ", ack ";
  text += options_.ack == Ack::kAll ? "all" : options_.ack == Ack::kPrimary ? "primary" : "any";
  text += ", reads from ";
  text += options_.read_from == ReadFrom::kPrimary   ? "primary"
          : options_.read_from == ReadFrom::kReplica ? "replica"
                                                     : "balanced";
  if (options_.failback) text += ", failback";
  text += ", hedged after " + std::to_string(options_.hedge_ms) + " ms";
  if (options_.databases > 1) text += ", several databases";
  if (disk_.failing_percent > 0) text += ", a failing disk";
  if (options_.on_data_loss == OnDataLoss::kMiss) text += ", on_data_loss miss";
  if (saves_) text += ", nodes that save";
  if (keeps_) text += ", nodes that keep every write";
  if (reloads_) text += ", reloads";
  if (blocks_) text += ", blocks";
  if (watchers_ != nullptr) text += ", watchers";
  if (refuses_) text += ", nodes that refuse writes";
  if (pauses_) text += ", pauses and long commands";
  if (refusing_replicaof_ > 0) {
    text += ", " + std::to_string(refusing_replicaof_) + " node(s) that refuse REPLICAOF";
  }
  if (removals_ != nullptr) text += removals_->Describe();
  return text;
}

void World::Problem(const std::string& text) {
  if (problems_.size() >= 3) return;  // the rest follows from these
  Trace("PROBLEM: " + text);
  problems_.push_back(text);
  loop_.Stop();
}

void World::Trace(const std::string& text) const {
  if (options_.trace) std::printf("%9.3f ms  %s\n", loop_.now_us() / 1000.0, text.c_str());
}

const std::vector<std::string>& World::Run() {
  Trace(Describe());
  loop_.set_after_each([this] { CheckShards(); });
  StartProxy();
  for (size_t i = 0; i < clients_.size(); ++i) {
    loop_.After(loop_.Between(0, 150000), [this, i] { ClientTurn(i); });
  }
  loop_.After(loop_.Between(0, 200000), [this] { FaultTurn(); });
  loop_.After(loop_.Between(0, 200000), [this] { AuditTurn(); });
  if (saves_) SaveTurn();
  if (watchers_ != nullptr) {
    for (size_t shard = 0; shard < prefixes_; ++shard) watchers_->Begin(ShardName(shard) + ":w", 2);
  }
  loop_.After(100000, [this] { CheckBounds(); });
  loop_.RunUntil(clients_end_us_);
  faults_left_ = 0;
  crashes_ = false;
  if (watchers_ != nullptr) watchers_->Stop();
  Settle("after the faults");
  // Only a write shows that a key was tampered with.
  for (size_t shard = 0; shard < prefixes_ && !loop_.stopped(); ++shard) {
    SimOp* op = history_.Add();
    op->shard = static_cast<uint16_t>(shard);
    op->key = ShardName(shard) + ":x";
    op->token = "end;";
    SubmitOp(op, {"APPEND", op->key, op->token});
  }
  Settle("after the repair of keys");
  if (removals_ != nullptr && !loop_.stopped()) EndRemovals();
  if (!loop_.stopped()) CheckEnd();
  TakeStats();
  return problems_;
}

// Nothing goes any more: a second later the copies are equal.
void World::EndRemovals() {
  removals_->Freeze();
  if (!removals_->all_tell()) {
    for (const auto& shard : proxy_->shards()) proxy_->StartAudit(shard.get());
  }
  loop_.RunUntil(loop_.now_us() + kSecond);
  if (!removals_->all_tell()) Settle("after the last removals");
}

void World::AuditTurn() {
  if (loop_.now_us() >= clients_end_us_) return;
  if (removals_ != nullptr && !removals_->audits()) return;
  if (proxy_ != nullptr && proxy_->serving() && !proxy_going_) {
    SimShard* shard = proxy_->shards()[loop_.Random(proxy_->shards().size())].get();
    if (!shard->served().retiring()) proxy_->StartAudit(shard);
  }
  loop_.After(loop_.Between(audit_pause_us_ / 4, audit_pause_us_), [this] { AuditTurn(); });
}

bool World::Idle() const {
  for (const Client& client : clients_) {
    if (client.outstanding > 0) return false;
  }
  for (const SimOp& copy : copies_) {
    if (copy.row != nullptr && copy.outcome == SimOp::Outcome::kPending) return false;
  }
  return watchers_ == nullptr || watchers_->Idle();
}

void World::Settle(const char* what) {
  HealAll();
  const uint64_t limit = loop_.now_us() + kSettleLimit;
  uint64_t still = 0;
  // An edit that failed is tried again a second later.
  if (loop_.now_us() >= clients_end_us_) loop_.RunUntil(loop_.now_us() + kSecond + kSecond / 5);
  while (!loop_.stopped()) {
    loop_.RunUntil(loop_.now_us() + 20000);
    const bool settled = proxy_ != nullptr && !proxy_going_ && faults_active_ == 0 &&
                         proxy_->serving() && proxy_->Settled() && proxy_->Swept() && Idle();
    still = settled ? still + 1 : 0;
    AcceptOldData();
    if (reloads_ && proxy_ != nullptr) proxy_->HurrySweeps();
    if (still == 5) return;
    if (loop_.now_us() < limit) continue;
    std::string text = std::string(what) + " it does not settle:";
    if (proxy_ == nullptr || !proxy_->serving()) {
      Problem(text + " no proxy");
      return;
    }
    for (const auto& shard : proxy_->shards()) text += shard->Describe();
    if (proxy_->reloading()) text += ", a reload is under way";
    Problem(text);
  }
}

void World::CheckBounds() {
  while (oldest_pending_ < history_.ops().size() &&
         history_.ops()[oldest_pending_].outcome != SimOp::Outcome::kPending) {
    ++oldest_pending_;
  }
  if (oldest_pending_ < history_.ops().size()) {
    const SimOp& op = history_.ops()[oldest_pending_];
    if (loop_.now_us() > op.invoked_us + kAnswerLimit) {
      Problem("not answered for " + std::to_string(kAnswerLimit / 1000) + " ms: client " +
              std::to_string(op.client) + " " + op.key + " " + op.token);
    }
  }
  loop_.After(100000, [this] { CheckBounds(); });
}

void World::CheckEnd() {
  std::map<std::string, std::string> content;
  for (const auto& shard : proxy_->shards()) {
    const ShardInfo& info = *Durable(shard->name());
    Node* first = Find(info.copies[0].node);
    // With whether it expires.
    const auto value_of = [](Node* node, const std::string& key) -> std::string {
      const auto found = node->data().find(key);
      if (found == node->data().end()) return "(none)";
      return "'" + found->second + "'" + (node->Expires(key) ? " (expires)" : "");
    };
    auto is_own = [&](const std::string& key) {
      return !options_.routed || ring_log_.Owner(key) == shard->name();
    };
    for (const CopyInfo& copy : info.copies) {
      for (const auto& [key, value] : Find(copy.node)->data()) {
        // One that was tampered with may be there on some copies only, where no scan finds it.
        if (is_own(key) || forced_new_ || key.find(":x") != std::string::npos) continue;
        Problem(copy.node + " of " + shard->name() + " still has " + key + ", which is " +
                ring_log_.Owner(key) + "'s");
      }
    }
    for (const auto& [key, value] : first->data()) {
      if (is_own(key)) content.emplace(key, value);
    }
    for (size_t copy = 1; copy < info.copies.size(); ++copy) {
      Node* other = Find(info.copies[copy].node);
      std::string text;
      for (const auto& [key, value] : first->data()) {
        const std::string ours = value_of(first, key);
        const std::string theirs = value_of(other, key);
        if (theirs != ours && is_own(key)) text += " " + key + " " + ours + " / " + theirs;
      }
      for (const auto& [key, value] : other->data()) {
        if (!first->data().contains(key) && is_own(key))
          text += " " + key + " (none) / '" + value + "'";
      }
      if (text.empty()) continue;
      Problem((first->address() + " and " + other->address() + " differ:" + text).substr(0, 1000));
    }
  }
  if (removals_ != nullptr) check_.promotions = removals_->promotions();
  if (watchers_ != nullptr && check_.all_acks && !check_.data_lost &&
      check_.old_from_us == UINT64_MAX) {
    watchers_->Check(content, [this](const std::string& text) { Problem(text); });
    figures_["raised by watchers"] += watchers_->raised();
    figures_["touched for watchers"] += watchers_->touched();
  }
  if (options_.routed) {
    check_.resets = [this](const std::string& key) { return ring_log_.Of(key); };
  }
  history_.Check(content, check_, [this](const std::string& text) { Problem(text); });
}

// What is true of the state of a copy at any time.
void World::CheckShards() {
  if (proxy_ == nullptr) return;
  for (const auto& shard : proxy_->shards()) {
    const std::string broken = shard->shard()->Broken();
    if (!broken.empty()) Problem(shard->name() + ": " + broken);
  }
}

void World::TakeStats() {
  if (proxy_ == nullptr || !proxy_->serving()) return;
  for (const auto& shard : proxy_->shards()) {
    for (const Figure* figure : shard->shard()->figures().all()) {
      figures_[std::string(figure->name())] += figure->value();
    }
  }
}

}  // namespace gemel::sim
