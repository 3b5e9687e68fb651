#include "tests/fleet_sim/member.h"

#include <utility>

#include "backend/command/second_copy.h"
#include "backend/resp/resp_writer.h"
#include "backend/topology/changed_shards.h"
#include "tests/unit/order_of.h"

namespace gemel::fleet_sim {

namespace {

constexpr uint64_t kWorkerTickUs = 10000;
constexpr uint64_t kPeerTickMs = 40;
constexpr uint64_t kLateMs = 800;  // of Mutant::kLateLease
constexpr uint64_t kPeerWaitMs = 1000;

}  // namespace

Member::Member(World world, Machine* machine)
    : world_(std::move(world)),
      machine_(machine),
      core_(machine->loop),
      worker_(machine->loop),
      dispatcher_(world_.pool, 0, 1),
      registers_(world_.engine, &core_, world_.registers) {
  self_.id = world_.random_id();
  self_.state = "st-" + machine->name;
  self_.machine = "host-" + machine->name;
  self_.pid = 1;
  self_.started_s = 1 + machine->loop->now_us() / 1000000;
  self_.host = machine->name;
  self_.listen = machine->address;
  self_.member = machine->name;
  coordinator_ = std::make_unique<MemberCoordinator>(
      MemberCoordinator::World{machine->loop, &core_, &worker_, &registers_,
                               [machine] { return machine->ClockMs(); }, world_.random_id,
                               world_.note},
      OwnLife::Options{machine->name, machine->address, kLeaseMs, false}, *world_.founding);
  coordinator_->Start([this] { Join(); });
}

Member::~Member() {
  core_.Die();
  worker_.Die();
  serving_ = false;
  machine_->on_bytes = nullptr;
  // What is answered now is told to nobody.
  for (auto& asked : asked_) asked->member = nullptr;
  shards_.clear();
  peers_.reset();
  coordinator_.reset();
}

// What UvWorker::JoinFleet does.
void Member::Join() {
  self_.fleet_id = coordinator_->fleet_id();
  turn_ = {coordinator_->fleet_id(), 0, machine_->name};
  MemberPeers::World peers;
  peers.worker = &worker_;
  peers.self = machine_;
  peers.find = [this](const std::string& address) -> Machine* {
    for (auto& machine : *world_.machines) {
      if (machine->address == address) return machine.get();
    }
    return nullptr;
  };
  peers.road = [this](const Machine* to) {
    return world_.ways->Road(machine_->number, to->number);
  };
  peers.dispatcher = &dispatcher_;
  peers.chunks = &chunks_;
  peers.gone = &gone_;
  peers.next_session = [this] { return ++last_session_; };
  peers.owner = [this](std::string_view shard) {
    const ShardLease lease = coordinator_->LeaseOf(shard);
    return PeerOwner{lease.mine, lease.owner, lease.address, lease.epoch,
                     lease.mine || !lease.address.empty()};
  };
  peers.wait_ms = kPeerWaitMs;
  peers_ = std::make_unique<MemberPeers>(std::move(peers));
  dispatcher_.set_elsewhere(peers_.get());
  known_ = coordinator_->current();
  coordinator_->Watch([this](const std::shared_ptr<const Topology>& now) { OnTopology(now); });
  coordinator_->set_on_leases([this] { OnLeases(); });
  machine_->condition.Live();
  machine_->wire.CountAnew();
  machine_->on_bytes = [this](const sim::ConnectionPtr& connection) {
    worker_.Receive([this, connection] { peers_->OnBytes(connection); });
  };
  worker_.SetEach([this] { CheckLeases(); },
                  [this] {
                    if (peers_->dirty()) peers_->Flush();
                  });
  OnLeases();
  TickWorker();
}

void Member::OnTopology(const std::shared_ptr<const Topology>& now) {
  ForEachChangedShard(*std::exchange(known_, now), *now, [this](const ShardInfo& info) {
    if (sim::SimShard* shard = Served(info.name)) shard->shard()->edits().OnTopology(info);
  });
  OnLeases();
}

// --- what UvWorkerFleet does ---

bool Member::Lapsed() const {
  const uint64_t late_ms = world_.plan->mutant == Mutant::kLateLease ? kLateMs : 0;
  return machine_->ClockMs() >= coordinator_->LeasesUntilMs() + late_ms;
}

void Member::CheckLeases() {
  if (shards_.empty() || !Lapsed()) return;
  lapsed_ = true;
  world_.note(machine_->name + ": its leases have run out");
  CutAll();
}

void Member::OnLeases() {
  lapsed_ = Lapsed();
  if (lapsed_) {
    CutAll();
    peers_->OnOwners();
    return;
  }
  for (size_t i = 0; i < shards_.size();) {
    ServedShard& served = shards_[i].shard->served();
    const ShardTurns::Here here =
        ShardTurns::OfHere(coordinator_->LeaseOf(shards_[i].name), shards_[i].epoch, false);
    if (here == ShardTurns::Here::kIsCut) {
      Cut(i);
      continue;
    }
    if (here == ShardTurns::Here::kLeaves) served.Leave(NowMs());
    ++i;
  }
  const std::shared_ptr<const Topology> topology = coordinator_->current();
  for (const PoolShard& shard : world_.pool->shards()) {
    if (Served(shard.name) != nullptr) continue;
    const ShardLease lease = coordinator_->LeaseOf(shard.name);
    const ShardTurns::Away away = turns_.OfAway(shard.name, lease);
    if (away == ShardTurns::Away::kBegins) {
      Begin(shard, *topology, lease);
    } else if (away == ShardTurns::Away::kIsGiven) {
      coordinator_->Give(shard.name, lease.epoch, /*clean=*/false);
    }
  }
  peers_->OnOwners();
}

void Member::TickWorker() {
  worker_.Later(kWorkerTickUs, [this] { TickWorker(); });
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i].shard->Tick();
  if (NowMs() >= peers_ticked_ms_ + kPeerTickMs) {
    peers_ticked_ms_ = NowMs();
    peers_->Tick(NowMs());
  }
  const bool gone = HandOver();
  const bool back = lapsed_ && !Lapsed();
  if (gone || back) OnLeases();
}

// --- what UvWorkerShards does ---

void Member::Begin(const PoolShard& shard, const Topology& topology, const ShardLease& lease) {
  const int known = topology.IndexOf(shard.name);
  if (known < 0) return;
  ShardTurn turn = turn_;
  turn.owner_epoch = lease.epoch;
  const sim::ShardSetup& setup = *world_.plan->options.Find(shard.name);
  Owned& owned = shards_.emplace_back();
  owned.shard =
      std::make_unique<sim::SimShard>(this, world_.plan->options, setup,
                                      topology.shards[static_cast<size_t>(known)], nullptr, turn);
  owned.epoch = lease.epoch;
  owned.slot = shard.slot;
  owned.name = shard.name;
  dispatcher_.SetShard(shard.slot, owned.shard->shard());
  owned.shard->served().Start(static_cast<uint32_t>(machine_->loop->Random(1u << 30)));
}

void Member::Cut(size_t index) {
  const Owned owned = std::move(shards_[index]);
  shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(index));
  owned.shard->served().Cut();
  turns_.OnCut(owned.name, owned.epoch);
  dispatcher_.SetShard(owned.slot, nullptr);
  claims_.ReleaseShard(owned.name);
}

void Member::CutAll() {
  while (!shards_.empty()) Cut(shards_.size() - 1);
}

bool Member::HandOver() {
  bool any = false;
  for (size_t i = 0; i < shards_.size();) {
    ServedShard& served = shards_[i].shard->served();
    if (!served.leaving() || !served.Left(NowMs())) {
      ++i;
      continue;
    }
    const Owned owned = std::move(shards_[i]);
    shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(i));
    const bool clean = owned.shard->served().GiveBack();
    dispatcher_.SetShard(owned.slot, nullptr);
    owned.shard->served().Stop();
    any = true;
    claims_.ReleaseShard(owned.name);
    if (!turns_.OnLeft(owned.name, owned.epoch, clean, coordinator_->LeaseOf(owned.name))) continue;
    coordinator_->Give(owned.name, owned.epoch, clean);
  }
  return any;
}

sim::SimShard* Member::Served(const std::string& name) const {
  for (const Owned& owned : shards_) {
    if (owned.name == name) return owned.shard.get();
  }
  return nullptr;
}

// --- its clients ---

void Member::Submit(size_t op, uint32_t session, const std::vector<std::string>& args) {
  worker_.Receive([this, op, session, args] {
    const std::vector<std::string_view> views(args.begin(), args.end());
    Asked* asked = asked_.emplace_back(std::make_unique<Asked>()).get();
    asked->member = this;
    asked->op = op;
    AppendCommand(&asked->frame, views);
    Request* request = dispatcher_.New();
    request->sink = asked;
    request->session = session;
    request->shard = static_cast<uint16_t>(world_.pool->ShardOf(args[1]));
    request->row = world_.pool->table().Find(views);
    request->kind = args[0] == "GET"                                    ? RequestKind::kRead
                    : OneCopyFirst(SecondCopyFor(*request->row, views)) ? RequestKind::kFirstWrite
                                                                        : RequestKind::kWrite;
    request->frame = asked->frame;
    dispatcher_.Submit(request);
  });
}

void Member::AcceptOldData() {
  worker_.Receive([this] {
    if (!orders_.empty() && !orders_.back()->answered) return;
    for (const Owned& owned : shards_) {
      Shard* shard = owned.shard->shard();
      if (!shard->roles().HoldsOldData()) continue;
      Order* order = orders_.emplace_back(std::make_unique<Order>()).get();
      order->kind = RequestKind::kControl;
      order->sink = order;
      order->Extra().cargo = OrderOf("FORCE", shard->info().copies[shard->info().primary].node);
      shard->Submit(order);
      return;
    }
  });
}

void Member::Asked::OnReply(Request* request, const Reply& reply) {
  Member* to = member;
  if (to == nullptr) return;
  const std::string bytes(reply.bytes);
  to->dispatcher_.Answered(*request);
  to->dispatcher_.Free(request);
  to->world_.answered(op, bytes);
}

}  // namespace gemel::fleet_sim
