// What goes wrong in a run of a fleet.

#ifndef GEMEL_TESTS_FLEET_SIM_FLEET_FAULTS_H_
#define GEMEL_TESTS_FLEET_SIM_FLEET_FAULTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace gemel::fleet_sim {

class FleetWorld;

class FleetFaults {
 public:
  explicit FleetFaults(FleetWorld* world) : world_(world) {}

  void Begin();
  // Everything that is wrong ends, and nothing begins any more.
  void HealAll();
  // A process of that member has begun: what is wrong with its way to the registers stays.
  void OnStart(size_t member);

 private:
  void Turn();
  void EndLater(const std::string& what, std::function<void()> end);
  void EndWithin(const std::string& what, uint64_t least_us, uint64_t most_us,
                 std::function<void()> end);
  void PauseThreads(size_t member, bool core, bool worker, uint64_t least_us, uint64_t most_us);
  size_t AnyMember();
  size_t AnyNode();

  void KillMember();
  void PauseMember();
  void CutRegisters();
  void CutNodes();
  void CutMembers();
  void Isolate();
  void StrikeNode();
  void Order();
  void StrandOwner();
  void UsurpOwner();
  void CutWays(size_t a, size_t b);
  // Which member serves the shard of that number; SIZE_MAX: none.
  size_t OwnerOf(size_t shard);
  void LoseLease(size_t owner);

  FleetWorld* world_;
  bool over_ = false;
  uint64_t left_ = 0;
  std::map<size_t, int> registers_;  // what is wrong with members' ways to the registers
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_FLEET_FAULTS_H_
