// One life of a process of the fleet: its two threads, its shards by their leases, its links to
// other members.

#ifndef GEMEL_TESTS_FLEET_SIM_MEMBER_H_
#define GEMEL_TESTS_FLEET_SIM_MEMBER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/server_claims.h"
#include "proxy/worker/shard_turns.h"
#include "tests/fleet_sim/linearizable.h"
#include "tests/fleet_sim/machine.h"
#include "tests/fleet_sim/member_coordinator.h"
#include "tests/fleet_sim/member_peers.h"
#include "tests/fleet_sim/member_registers.h"
#include "tests/fleet_sim/ways.h"
#include "tests/sim/sim_shard.h"

namespace gemel::fleet_sim {

class Member : public sim::ShardWorld, private OtherProxies {
 public:
  // All of it outlives this.
  struct World {
    const FleetPlan* plan;
    const Pool* pool;
    const FleetRecord* founding;
    MemoryEngine* engine;
    Ways* ways;
    std::vector<std::unique_ptr<Machine>>* machines;
    std::function<sim::Node*(const std::string& address)> find_node;
    std::function<size_t(const sim::Node*)> number_of;  // see Ways
    std::function<std::string()> random_id;
    MemberRegisters::Hooks registers;
    std::function<void(const std::string&)> fail;
    std::function<void(const std::string&)> note;
    // Of an operation that was submitted here, later, on the worker's thread.
    std::function<void(size_t op, const std::string& reply)> answered;
  };

  Member(World world, Machine* machine);
  ~Member() override;  // a crash

  Machine& machine() { return *machine_; }
  sim::Process& core() { return core_; }
  MemberRegisters& registers() { return registers_; }
  MemberCoordinator& coordinator() { return *coordinator_; }
  // Comes on the worker's thread, when it can.
  void Submit(size_t op, uint32_t session, const std::vector<std::string>& args);
  // What a shard holds for fear that it may be old is good: an operator says so.
  void AcceptOldData();
  void OnClientGone(uint32_t session) { gone_.Add(session); }
  bool joined() const { return peers_ != nullptr; }
  // The shard, if it is served here; else null.
  sim::SimShard* Served(const std::string& shard) const;
  // Its leases hold, by its own clock and without any mutant.
  bool LeaseHolds() const { return machine_->ClockMs() < coordinator_->LeasesUntilMs(); }

  // --- ShardWorld ---
  sim::Process& process() override { return worker_; }
  sim::Loop* loop() override { return machine_->loop; }
  ChunkPool* pool() override { return &chunks_; }
  ResyncBoard* resyncs() override { return &resyncs_; }
  bool after_crash() const override { return true; }
  OtherProxies* others() override { return this; }
  bool serving() const override { return serving_; }
  sim::Node* FindNode(const std::string& address) const override {
    return world_.find_node(address);
  }
  std::shared_ptr<sim::Road> RoadTo(const sim::Node* node) override {
    return world_.ways->Road(machine_->number, world_.number_of(node));
  }
  bool IsStale(const std::string&, const std::string&) const override { return false; }
  void Fail(const std::string& text) override { world_.fail(machine_->name + ": " + text); }
  uint64_t NowMs() override { return worker_.NowMs(); }
  int64_t UnixMs() override {
    return static_cast<int64_t>(sim::Keyspace::kEpochMs + machine_->loop->now_us() / 1000);
  }
  void Propose(Edit edit, EditDone done) override {
    coordinator_->Propose(std::move(edit), std::move(done));
  }
  void NotHere(Request* request) override { dispatcher_.NotHere(request); }
  void Note(NoteLevel, const std::string& text) override { world_.note(text); }
  bool IsGone(uint32_t session) override { return gone_.Has(session); }
  ServerClaims* claims() override { return &claims_; }

 private:
  struct Owned {
    std::unique_ptr<sim::SimShard> shard;
    uint64_t epoch = 0;
    uint32_t slot = 0;
    std::string name;
  };
  struct Asked : RequestSink {
    void OnReply(Request* request, const Reply& reply) override;
    Member* member = nullptr;
    size_t op = 0;
    std::string frame;
  };

  struct Order : Request, RequestSink {
    void OnReply(Request*, const Reply&) override { answered = true; }
    bool answered = false;
  };

  // --- OtherProxies ---
  const ProxyInstance& self() const override { return self_; }
  bool IsGone(const SeenProxy& other) override { return other.proxy.state == self_.state; }
  void OnRival(const ProxyInstance& other, const std::string& node, bool) override {
    Fail("a rival at " + node + ": " + other.id);
  }
  void OnLaterTurn(const std::string&, uint64_t) override {
    coordinator_->WithMember([](FleetMember* member) { member->LookSoon(); });
  }

  void Join();
  void TickWorker();
  bool Lapsed() const;
  void CheckLeases();
  void OnLeases();
  void Begin(const PoolShard& shard, const Topology& topology, const ShardLease& lease);
  void Cut(size_t index);
  void CutAll();
  bool HandOver();
  void OnTopology(const std::shared_ptr<const Topology>& now);

  const World world_;
  Machine* const machine_;
  sim::Process core_;
  sim::Process worker_;
  ProxyInstance self_;
  ChunkPool chunks_;
  ResyncBoard resyncs_{2};
  ServerClaims claims_;
  GoneSessions gone_;
  uint32_t last_session_ = 1u << 20;  // of guests
  Dispatcher dispatcher_;
  std::vector<std::unique_ptr<Asked>> asked_;
  std::vector<std::unique_ptr<Order>> orders_;
  MemberRegisters registers_;
  std::unique_ptr<MemberCoordinator> coordinator_;
  std::unique_ptr<MemberPeers> peers_;
  std::vector<Owned> shards_;
  ShardTurns turns_;
  std::shared_ptr<const Topology> known_;
  ShardTurn turn_;
  bool serving_ = true;
  bool lapsed_ = false;
  uint64_t peers_ticked_ms_ = 0;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_MEMBER_H_
