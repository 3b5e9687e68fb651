#include "tests/fleet_sim/fleet_world.h"

#include <utility>

#include "tests/fleet_sim/fleet_faults.h"

namespace gemel::fleet_sim {

namespace {

constexpr uint64_t kSettleUs = 30 * sim::kSecondUs;
constexpr uint64_t kStepUs = 20000;

}  // namespace

void FleetFigures::Add(const FleetFigures& other) {
  ok += other.ok;
  not_done += other.not_done;
  unknown += other.unknown;
  turns += other.turns;
  lives += other.lives;
  lapses += other.lapses;
  too_many += other.too_many;
  undone_reads += other.undone_reads;
}

FleetWorld::FleetWorld(uint64_t seed, Mutant mutant, bool trace)
    : loop_(seed),
      plan_(PlanOf(seed, &loop_, mutant)),
      findings_(&loop_, trace),
      engine_(seed),
      members_(plan_.members),
      lives_(plan_.members) {
  engine_.set_delays(1, plan_.register_ms);
  engine_.set_time_limit(plan_.time_limit_ms);
  MakeNodes();
  MakePool();
  for (size_t i = 0; i < plan_.members; ++i) {
    machines_.push_back(std::make_unique<Machine>(&loop_, i, plan_.rates[i]));
  }
  clients_ = std::make_unique<FleetClients>(WorldOfClients(), ChooseKeys());
  faults_ = std::make_unique<FleetFaults>(this);
}

FleetWorld::~FleetWorld() {
  for (auto& member : members_) member.reset();
}

void FleetWorld::MakeNodes() {
  for (size_t shard = 0; shard < plan_.shards; ++shard) {
    for (int copy = 1; copy <= 2; ++copy) {
      auto node = std::make_unique<sim::Node>(
          &loop_, "10.0." + std::to_string(shard) + "." + std::to_string(copy) + ":6379");
      sim::NodeKind kind;
      kind.keeps_writes = plan_.kills_nodes;
      kind.knows_replicaof = plan_.replicates;
      kind.shows_clients = plan_.mutant != Mutant::kNoFence;
      node->SetUp(std::move(kind));
      node->set_find([this](const std::string& address) -> sim::Node* {
        for (auto& other : nodes_) {
          if (other->address() == address) return other.get();
        }
        return nullptr;
      });
      plan_.options.shards[shard].nodes.push_back(node.get());
      nodes_.push_back(std::move(node));
    }
  }
}

// The copies are in sync, as if the fleet had been there for long.
void FleetWorld::MakePool() {
  pool_ = std::make_unique<Pool>(sim::PoolOf(plan_.options), 1);
  std::string error;
  Topology topology =
      *InitialTopology(plan_.options.members(), plan_.options.ring(), nullptr, &error);
  for (const sim::ShardSetup& shard : plan_.options.shards) {
    ApplyTo(&topology,
            {EditKind::kMarkInSync, shard.name, shard.nodes[1]->address(), shard.nodes[1]->run_id(),
             ""},
            &error);
  }
  founding_ = {"fleet1", {std::move(topology)}};
}

size_t FleetWorld::NumberOf(const sim::Node* node) const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].get() == node) return plan_.members + i;
  }
  return 0;
}

std::vector<std::string> FleetWorld::ChooseKeys() {
  std::vector<std::string> keys;
  for (size_t i = 0; i < plan_.keys; ++i) keys.push_back("k" + std::to_string(loop_.Random(1000)));
  return keys;
}

FleetClients::World FleetWorld::WorldOfClients() {
  return {&loop_, &plan_, &findings_,
          [this](size_t i, size_t op, uint32_t session, const std::vector<std::string>& args) {
            if (members_[i] == nullptr || !members_[i]->joined()) return false;
            members_[i]->Submit(op, session, args);
            return true;
          },
          [this](size_t i, uint32_t session) {
            if (members_[i] != nullptr) members_[i]->OnClientGone(session);
          }};
}

Member::World FleetWorld::WorldOf(size_t i) {
  Member::World world;
  world.plan = &plan_;
  world.pool = pool_.get();
  world.founding = &founding_;
  world.engine = &engine_;
  world.ways = &ways_;
  world.machines = &machines_;
  world.find_node = [this](const std::string& address) -> sim::Node* {
    for (auto& node : nodes_) {
      if (node->address() == address) return node.get();
    }
    return nullptr;
  };
  world.number_of = [this](const sim::Node* node) { return NumberOf(node); };
  world.random_id = [this] { return "id" + std::to_string(++ids_); };
  world.registers = {[this] { return OnRegisterWrite(); }, [this, i] { Crash(i); },
                     [this] { return !settling_ && loop_.Chance(5); }};
  world.fail = [this](const std::string& text) { findings_.Problem(text); };
  world.note = [this, i](const std::string& text) {
    if (text.find("leases have run out") != std::string::npos) ++figures_.lapses;
    findings_.Trace("m" + std::to_string(i) + ": " + text);
  };
  world.answered = [this](size_t op, const std::string& reply) { clients_->OnAnswered(op, reply); };
  return world;
}

CrashPoint FleetWorld::OnRegisterWrite() {
  if (settling_ || ++register_writes_ != plan_.crash_at) return CrashPoint::kNone;
  findings_.Trace("crash at a write of the registers");
  return plan_.crash;
}

void FleetWorld::Crash(size_t i) {
  loop_.After(0, [this, i, life = lives_[i]] {
    if (lives_[i] != life || members_[i] == nullptr) return;
    Kill(i, loop_.Chance(40));
    loop_.After(loop_.Between(5000, 1200000), [this, i] {
      if (members_[i] == nullptr) Start(i);
    });
  });
}

void FleetWorld::Start(size_t i) {
  ++lives_[i];
  ++figures_.lives;
  findings_.Trace("m" + std::to_string(i) + " starts");
  members_[i] = std::make_unique<Member>(WorldOf(i), machines_[i].get());
  faults_->OnStart(i);
}

void FleetWorld::Kill(size_t i, bool silently) {
  findings_.Trace("m" + std::to_string(i) + " ends" + (silently ? " silently" : ""));
  ways_.OnEnd(i, silently);
  members_[i].reset();
  machines_[i]->condition.Die();
  if (silently) {
    machines_[i]->wire.Vanish();
  } else {
    machines_[i]->wire.ResetAll();
  }
  clients_->OnMemberEnd(i);
}

MemoryFaults FleetWorld::RegisterFaults() const {
  return settling_ ? MemoryFaults() : plan_.registers;
}

// The mutant's minority goes on with what it knew, and is told apart when all hear each other.
void FleetWorld::CutOff(size_t i, bool cut_off) {
  MemberRegisters& registers = members_[i]->registers();
  if (plan_.mutant != Mutant::kMinority) {
    MemoryFaults faults = RegisterFaults();
    faults.cut_off = cut_off;
    registers.view().SetFaults(faults);
    return;
  }
  if (!cut_off) {
    Kill(i, true);
    Start(i);
    return;
  }
  auto& fork = forks_.emplace_back(std::make_unique<MemoryEngine>(plan_.seed));
  fork->RunTo(loop_.now_ms());
  uint64_t last = 0;
  for (const auto& [name, value] : engine_.all()) last = std::max(last, value.version);
  for (uint64_t version = 0; version < last; ++version) fork->Put("unused", "");
  for (const auto& [name, value] : engine_.all()) fork->Put(name, value.text);
  MemoryFaults faults = plan_.registers;
  faults.cut_off = true;
  registers.view().SetFaults(faults);
  registers.SetEngine(fork.get());
}

void FleetWorld::Pump() {
  engine_.RunTo(loop_.now_ms());
  for (auto& fork : forks_) fork->RunTo(loop_.now_ms());
  if (plan_.mutant == Mutant::kNone) CheckOwners();
  loop_.After(1000, [this] { Pump(); });
}

// Of no shard two members that serve it hold a lease that has not run out by their clocks.
void FleetWorld::CheckOwners() {
  for (const sim::ShardSetup& shard : plan_.options.shards) {
    const Member* first = nullptr;
    for (const auto& member : members_) {
      if (member == nullptr || !member->LeaseHolds() || member->Served(shard.name) == nullptr) {
        continue;
      }
      if (first != nullptr) {
        findings_.Problem(shard.name + " is served by two members whose leases hold");
        return;
      }
      first = member.get();
    }
  }
}

const std::vector<std::string>& FleetWorld::Run() {
  findings_.Trace(Describe());
  Pump();
  for (size_t i = 0; i < plan_.members; ++i) {
    loop_.After(loop_.Between(0, loop_.Chance(80) ? 20000 : 800000), [this, i] {
      if (members_[i] == nullptr) Start(i);
    });
  }
  clients_->Begin();
  faults_->Begin();
  loop_.RunUntil(plan_.end_us);
  settling_ = true;
  faults_->HealAll();
  Settle();
  ReadAll();
  if (!loop_.stopped()) CheckCopies();
  CheckHistory();
  return findings_.problems();
}

bool FleetWorld::Settled() {
  if (!clients_->Idle()) return false;
  for (const auto& member : members_) {
    if (member == nullptr || !member->joined() || !member->LeaseHolds()) return false;
    if (member->registers().doomed()) return false;
  }
  for (const sim::ShardSetup& setup : plan_.options.shards) {
    size_t owners = 0;
    for (const auto& member : members_) {
      sim::SimShard* shard = member->Served(setup.name);
      if (shard == nullptr) continue;
      ++owners;
      if (shard->served().leaving() || !shard->Settled()) return false;
    }
    if (owners != 1) return false;
  }
  return true;
}

void FleetWorld::Settle() {
  const uint64_t limit_us = loop_.now_us() + kSettleUs;
  for (uint64_t still = 0; still < 5 && !loop_.stopped();) {
    loop_.RunUntil(loop_.now_us() + kStepUs);
    still = Settled() ? still + 1 : 0;
    if (plan_.kills_nodes) {
      for (auto& member : members_) {
        if (member != nullptr) member->AcceptOldData();
      }
    }
    if (loop_.now_us() < limit_us) continue;
    std::string text = "it does not settle:";
    if (!clients_->Idle()) text += " clients wait;";
    for (const auto& member : members_) {
      text += " " + (member == nullptr ? "nobody" : member->machine().name);
      for (const sim::ShardSetup& setup : plan_.options.shards) {
        sim::SimShard* shard = member == nullptr ? nullptr : member->Served(setup.name);
        if (shard != nullptr) text += shard->Describe();
      }
    }
    findings_.Problem(text);
  }
}

// Each key, at each member.
void FleetWorld::ReadAll() {
  for (const std::string& key : clients_->keys()) {
    for (size_t i = 0; i < plan_.members && !loop_.stopped(); ++i) {
      clients_->Read(i, key);
      for (int step = 0; step < 200 && !clients_->Idle() && !loop_.stopped(); ++step) {
        loop_.RunUntil(loop_.now_us() + 5000);
      }
      if (loop_.stopped()) return;
      const std::vector<const Op*> ops = clients_->OpsOf(key);
      if (ops.back()->outcome != Op::Outcome::kOk) {
        findings_.Problem("at the end " + key + " cannot be read at m" + std::to_string(i) + ": " +
                          ops.back()->reply);
      }
    }
  }
}

void FleetWorld::CheckCopies() {
  for (const sim::ShardSetup& shard : plan_.options.shards) {
    if (shard.nodes[0]->data() == shard.nodes[1]->data()) continue;
    std::string text = "the copies of " + shard.name + " differ:";
    for (sim::Node* node : shard.nodes) {
      text += " " + node->address();
      for (const auto& [key, value] : node->data()) text += " " + key + "=" + value;
    }
    findings_.Problem(text);
  }
}

void FleetWorld::CheckHistory() {
  for (const std::string& key : clients_->keys()) {
    const std::vector<const Op*> ops = clients_->OpsOf(key);
    switch (IsLinearizable(ops)) {
      case Verdict::kYes:
        break;
      case Verdict::kTooMany:
        ++figures_.too_many;
        break;
      case Verdict::kNo:
        if (!strict_ && IsLinearizable(WithoutReadsOfWhatIsUnknown(ops)) == Verdict::kYes) {
          ++figures_.undone_reads;
          break;
        }
        findings_.Problem("what clients were told of " + key + " cannot be:\n" +
                          fleet_sim::Describe(ops));
    }
  }
}

FleetFigures FleetWorld::Figures() const {
  FleetFigures figures = figures_;
  std::map<Op::Outcome, size_t> count = clients_->Count();
  figures.ok = count[Op::Outcome::kOk];
  figures.not_done = count[Op::Outcome::kNotDone];
  figures.unknown = count[Op::Outcome::kUnknown];
  for (const sim::ShardSetup& shard : plan_.options.shards) {
    std::string error;
    const auto record = DecodeShard(engine_.At(ShardRegister(shard.name)).text, &error);
    if (record) figures.turns += record->owner_epoch;
  }
  return figures;
}

}  // namespace gemel::fleet_sim
