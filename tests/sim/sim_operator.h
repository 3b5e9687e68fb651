// The operator of a run: orders, which are no faults, and may be refused, but nobody may notice;
// reloads; and at last what nobody else will do.

#ifndef GEMEL_TESTS_SIM_SIM_OPERATOR_H_
#define GEMEL_TESTS_SIM_SIM_OPERATOR_H_

#include <cstddef>

#include "tests/sim/sim_file.h"
#include "tests/sim/sim_lives.h"
#include "tests/sim/sim_losses.h"
#include "tests/sim/sim_schedule.h"

namespace gemel::sim {

class Operator {
 public:
  Operator(Scene* scene, FaultSchedule* schedule, Lives* lives, ConfigFile* file, Losses* losses)
      : scene_(scene), schedule_(schedule), lives_(lives), file_(file), losses_(losses) {}

  void OrderOnNode(size_t node);
  // `reverse`: rather back to what was before.
  void Reload(bool reverse);
  // FORCE where a shard holds old data; and a replica with data before an empty primary is emptied
  // (it was half copied when both the primary and the proxy died).
  void AcceptOldData();
  // The proxy crashes, and no reload is under way any more.
  void OnCrash() { ReloadIsOver(); }

 private:
  void UndrainUntilDone(size_t node);
  void FollowUp();
  void ReloadIsOver();
  void MendCopies(SimShard* shard);

  Scene* scene_;
  FaultSchedule* schedule_;
  Lives* lives_;
  ConfigFile* file_;
  Losses* losses_;
  bool reloading_ = false;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_OPERATOR_H_
