// What kind of run a seed makes: all that is drawn before it begins.

#ifndef GEMEL_TESTS_FLEET_SIM_FLEET_PLAN_H_
#define GEMEL_TESTS_FLEET_SIM_FLEET_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/memory_registers.h"
#include "tests/sim/sim_config.h"
#include "tests/sim/sim_loop.h"

namespace gemel::fleet_sim {

// What is broken on purpose, in the simulator's own wiring.
enum class Mutant : uint8_t {
  kNone,
  kLateLease,  // a worker goes on for a while after its leases have run out
  kNoFence,    // no connection sees those of earlier owners
  kMinority,   // who is cut off from the registers decides by itself
};

// When, of a run's writes of registers, its writer crashes.
enum class CrashPoint : uint8_t { kNone, kBefore, kAfter, kAnswered };

struct FleetPlan {
  uint64_t seed = 0;
  Mutant mutant = Mutant::kNone;
  size_t members = 3;
  size_t shards = 1;
  size_t keys = 2;
  size_t clients = 3;
  uint64_t think_us = 10000;
  uint64_t end_us = 0;           // no client asks after that, and no fault begins
  bool kills_nodes = false;      // then they keep every write on their disks
  bool replicates = true;        // they know REPLICAOF; else they are copied key by key
  bool gives_up = false;         // some clients do not wait for ever
  std::vector<double> rates;     // of the members' clocks
  MemoryFaults registers;        // all the time
  uint64_t register_ms = 5;      // the longest way there or back
  uint64_t time_limit_ms = 300;  // of a question to the registers
  uint64_t faults = 0;
  uint64_t crash_at = 0;  // the number of a register's write; 0: at none
  CrashPoint crash = CrashPoint::kNone;
  sim::ProxyOptions options;  // without the nodes

  std::string Describe() const;
};

inline constexpr uint32_t kLeaseMs = 500;

FleetPlan PlanOf(uint64_t seed, sim::Loop* loop, Mutant mutant);

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_FLEET_PLAN_H_
