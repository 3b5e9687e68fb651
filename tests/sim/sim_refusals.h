// Nodes that answer, but refuse writes: one of them, or all copies of a shard; and which errors of
// theirs clients may therefore be told.

#ifndef GEMEL_TESTS_SIM_SIM_REFUSALS_H_
#define GEMEL_TESTS_SIM_SIM_REFUSALS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/sim_file.h"
#include "tests/sim/sim_lives.h"
#include "tests/sim/sim_schedule.h"
#include "tests/sim/sim_stalls.h"

namespace gemel::sim {

class Refusals {
 public:
  Refusals(Scene* scene, FaultSchedule* schedule, const Lives* lives, const ConfigFile* file,
           Stalls* stalls)
      : scene_(scene), schedule_(schedule), lives_(lives), file_(file), stalls_(stalls) {}

  void Begin();
  // The proxy crashes: its next life may find a node that refuses, or that is away, the only one in
  // sync.
  void OnCrash();
  // Was that what its shard's copies all said?
  bool AllSaid(const SimOp& op) const;

 private:
  // All copies of a shard refuse writes until then, or the only one that may serve is away: that is
  // what its clients are told, too.
  struct Refusal {
    std::string shard;
    std::string error;
    uint64_t until_us;
  };

  void RefuseLater(size_t node, const std::string& error, uint64_t after_us, uint64_t while_us);

  Scene* scene_;
  FaultSchedule* schedule_;
  const Lives* lives_;
  const ConfigFile* file_;
  Stalls* stalls_;
  std::vector<Refusal> refusals_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_REFUSALS_H_
