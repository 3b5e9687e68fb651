// How many faults a run still has before it, how many are under way, and whom they disturbed when.

#ifndef GEMEL_TESTS_SIM_SIM_SCHEDULE_H_
#define GEMEL_TESTS_SIM_SIM_SCHEDULE_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_plan.h"

namespace gemel::sim {

class FaultSchedule {
 public:
  FaultSchedule(Loop* loop, const RunPlan& plan)
      : loop_(loop), left_(plan.faults), crashes_(plan.crashes), disturbed_us_(plan.nodes.size()) {}

  bool more() const { return left_ > 0; }
  bool may_crash() const { return crashes_ && left_ > 0; }
  bool crashes() const { return crashes_; }
  // One of those that are left.
  void Take() { --left_; }
  // There will be no more.
  void End() {
    left_ = 0;
    crashes_ = false;
  }

  bool quiet() const { return active_ == 0; }
  void Begin() { ++active_; }
  void Over() { --active_; }
  // One is under way until then; `end` ends it.
  void EndLater(uint64_t after_us, size_t node, std::function<void()> end) {
    Begin();
    loop_->After(after_us, [this, node, end = std::move(end)] {
      end();
      Disturb(node);
      Over();
    });
  }

  void Disturb(size_t node) { disturbed_us_[node] = loop_->now_us(); }
  void DisturbAll() {
    for (uint64_t& disturbed_us : disturbed_us_) disturbed_us = loop_->now_us();
  }
  // It has been left alone for so long.
  bool IsCalm(size_t node, uint64_t for_us) const {
    return disturbed_us_[node] == 0 || loop_->now_us() > disturbed_us_[node] + for_us;
  }

 private:
  Loop* loop_;
  uint64_t left_;
  bool crashes_;
  uint64_t active_ = 0;
  std::vector<uint64_t> disturbed_us_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_SCHEDULE_H_
