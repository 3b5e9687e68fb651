// One simulated run of a fleet: members, nodes, registers, clients and faults, all from one seed.

#ifndef GEMEL_TESTS_FLEET_SIM_FLEET_WORLD_H_
#define GEMEL_TESTS_FLEET_SIM_FLEET_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/fleet_sim/fleet_clients.h"
#include "tests/fleet_sim/member.h"
#include "tests/sim/sim_findings.h"

namespace gemel::fleet_sim {

class FleetFaults;

// What a run did, for a look at what the runs cover.
struct FleetFigures {
  uint64_t ok = 0;
  uint64_t not_done = 0;
  uint64_t unknown = 0;
  uint64_t turns = 0;     // changes of a shard's owner
  uint64_t lives = 0;     // processes
  uint64_t lapses = 0;    // leases that ran out
  uint64_t too_many = 0;  // keys with too many orders to try
  // Keys of which reads saw what a second fault undid.
  uint64_t undone_reads = 0;
  void Add(const FleetFigures& other);
};

class FleetWorld {
 public:
  explicit FleetWorld(uint64_t seed, Mutant mutant = Mutant::kNone, bool trace = false);
  ~FleetWorld();

  // Before Run: what is allowed (see the README) is a problem, too.
  void BeStrict() { strict_ = true; }
  // Runs until all is quiet, and checks. What was found wrong; empty if nothing.
  const std::vector<std::string>& Run();
  std::string Describe() const { return plan_.Describe(); }
  FleetFigures Figures() const;

  // --- for the faults ---
  sim::Loop* loop() { return &loop_; }
  const FleetPlan& plan() const { return plan_; }
  Ways& ways() { return ways_; }
  sim::Findings& findings() { return findings_; }
  // Null: it has no process now.
  Member* member(size_t i) { return members_[i].get(); }
  uint64_t life(size_t i) const { return lives_[i]; }
  void Start(size_t i);
  // `silently`: its machine is lost, and nobody is told.
  void Kill(size_t i, bool silently);
  std::vector<std::unique_ptr<sim::Node>>& nodes() { return nodes_; }
  size_t NumberOf(const sim::Node* node) const;
  MemoryFaults RegisterFaults() const;
  // A member is cut off from the registers, or not any more.
  void CutOff(size_t i, bool cut_off);

 private:
  void MakeNodes();
  void MakePool();
  Member::World WorldOf(size_t i);
  FleetClients::World WorldOfClients();
  std::vector<std::string> ChooseKeys();
  CrashPoint OnRegisterWrite();
  void Crash(size_t i);
  void Pump();
  void CheckOwners();
  bool Settled();
  void Settle();
  void ReadAll();
  void CheckCopies();
  void CheckHistory();

  sim::Loop loop_;
  FleetPlan plan_;
  sim::Findings findings_;
  MemoryEngine engine_;
  std::vector<std::unique_ptr<MemoryEngine>> forks_;  // of Mutant::kMinority
  std::vector<std::unique_ptr<sim::Node>> nodes_;
  std::unique_ptr<Pool> pool_;
  FleetRecord founding_;
  Ways ways_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::unique_ptr<FleetClients> clients_;
  std::unique_ptr<FleetFaults> faults_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<uint64_t> lives_;
  uint64_t ids_ = 0;
  uint64_t register_writes_ = 0;
  bool settling_ = false;
  bool strict_ = false;
  FleetFigures figures_;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_FLEET_WORLD_H_
