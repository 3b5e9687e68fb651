// What a run may lose, and from when on values may be old: by what was done to its nodes, and by
// what the proxy itself says of it.

#ifndef GEMEL_TESTS_SIM_SIM_LOSSES_H_
#define GEMEL_TESTS_SIM_SIM_LOSSES_H_

#include <cstdint>
#include <string>

#include "tests/sim/sim_history.h"
#include "tests/sim/sim_scene.h"

namespace gemel::sim {

class Losses {
 public:
  explicit Losses(Scene* scene);

  void MayLose() { data_lost_ = true; }
  // What only one copy has acknowledged may be lost by a crash and the fault beside it.
  void OnCrashBesideFaults() { data_lost_ |= !scene_->plan.all_acks(); }
  // FORCE is ordered, for a node or a reload.
  void OnForce() { forced_us_ = scene_->loop.now_us(); }
  void OnForcedReload() { forced_reload_ = true; }
  bool ForcedWithin(uint64_t us) const { return scene_->loop.now_us() < forced_us_ + us; }
  // The proxy crashes.
  void OnCrash();
  // A line of the proxy's log. What it says of lost data may be lost; but it must be so.
  void OnNote(const std::string& text);

  // A node that was another shard's just before may have been chosen.
  bool forced_new() const { return forced_new_; }
  // Nothing at all may be lost, nor be old.
  bool none() const { return scene_->plan.all_acks() && !data_lost_ && old_from_us_ == UINT64_MAX; }
  CheckOptions Options() const;

 private:
  void OldFromNow();
  void CheckAllRestarted(const std::string& text);

  Scene* scene_;
  bool data_lost_ = false;
  uint64_t old_from_us_ = UINT64_MAX;
  uint64_t forced_us_ = 0;  // the last time that FORCE was ordered
  bool forced_reload_ = false;
  bool forced_new_ = false;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_LOSSES_H_
