// What goes wrong in a run, and when; also what looks like a fault and is none: the proxy's process
// is stopped for a while, or a client's command keeps nodes busy. The others wait then, and nobody
// is taken for dead.

#ifndef GEMEL_TESTS_SIM_SIM_FAULTS_H_
#define GEMEL_TESTS_SIM_SIM_FAULTS_H_

#include <cstdint>
#include <string>

#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_node_faults.h"

namespace gemel::sim {

class Faults {
 public:
  // What it strikes with, and whom.
  struct Parts {
    FaultSchedule* schedule;
    Lives* lives;
    const ConfigFile* file;
    Stalls* stalls;
    Refusals* refusals;
    Clients* clients;
    Operator* orders;
    NodeFaults* nodes;
  };
  Faults(Scene* scene, const Parts& parts) : scene_(scene), parts_(parts) {}

  void Turn();
  // All that was wrong is no more.
  void HealAll();

 private:
  void Begin();
  void StrikeProxy();
  void FillDisk();
  void PauseProxy();
  void LongCommand();
  void ExpectPeace(const std::string& what, uint64_t while_us);

  Scene* scene_;
  const Parts parts_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_FAULTS_H_
