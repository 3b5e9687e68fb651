// What goes wrong with single nodes, and with all of a shard one after the other.

#ifndef GEMEL_TESTS_SIM_SIM_NODE_FAULTS_H_
#define GEMEL_TESTS_SIM_SIM_NODE_FAULTS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/sim/sim_operator.h"
#include "tests/sim/sim_removals.h"
#include "tests/sim/sim_stalls.h"

namespace gemel::sim {

class NodeFaults {
 public:
  // What it strikes with, and who has to know. `removals`: null if nothing goes by itself.
  struct Parts {
    FaultSchedule* schedule;
    Lives* lives;
    const ConfigFile* file;
    Losses* losses;
    Stalls* stalls;
    Operator* orders;
    Removals* removals;
  };
  NodeFaults(Scene* scene, const Parts& parts) : scene_(scene), parts_(parts) {}

  // A fault of a random kind.
  void Strike(size_t node);
  // All copies of a shard die, the primary last, when the others are stale.
  void OneAfterTheOther(const std::string& shard);
  // From now on nodes save now and then: what one comes back with is this old, or nothing.
  void SaveTurn();

 private:
  void StrikeAs(size_t node, uint64_t kind, uint64_t while_us);
  void KillFor(size_t node, bool at_once, uint64_t while_us);
  void TimeOutProbes(size_t node);
  void Tamper(size_t node);
  // Notes whether data may be lost with it: whether there is nobody left who surely has it.
  void Kill(size_t node, bool silently);
  bool SomebodyHas(const std::string& shard, size_t without) const;

  Scene* scene_;
  const Parts parts_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_NODE_FAULTS_H_
