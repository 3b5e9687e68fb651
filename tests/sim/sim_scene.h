// Where a run takes place: its time, its disk and its nodes, and what is found.

#ifndef GEMEL_TESTS_SIM_SIM_SCENE_H_
#define GEMEL_TESTS_SIM_SIM_SCENE_H_

#include <cstdint>
#include <string>

#include "tests/sim/sim_coordinator.h"
#include "tests/sim/sim_findings.h"
#include "tests/sim/sim_fleet.h"
#include "tests/sim/sim_plan.h"

namespace gemel::sim {

struct Scene {
  Scene(uint64_t seed, bool trace)
      : loop(seed),
        plan(PlanOf(seed, &loop)),
        findings(&loop, trace),
        fleet(&loop, plan, &disk, [this](const std::string& what) { findings.Problem(what); }) {
    disk.failing_percent = plan.failing_percent;
    disk.max_write_us = plan.max_write_us;
  }

  Loop loop;
  const RunPlan plan;
  Disk disk;
  Findings findings;
  Fleet fleet;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_SCENE_H_
