#include "tests/fleet_sim/fleet_plan.h"

namespace gemel::fleet_sim {

namespace {

// The bound of backend/fleet/README.md: what one clock counts as 4/5 of a lease, no other may count
// as more than a whole one.
constexpr double kMostDrift = 0.11;

double Rate(sim::Loop* loop) {
  switch (loop->Random(4)) {
    case 0:
      return 1 - kMostDrift;
    case 1:
      return 1 + kMostDrift;
    default:
      return 1 + kMostDrift * (static_cast<double>(loop->Random(201)) - 100) / 100;
  }
}

void DrawRegisters(sim::Loop* loop, FleetPlan* plan) {
  plan->register_ms = loop->Chance(30) ? loop->Between(10, 60) : loop->Between(1, 8);
  plan->time_limit_ms = loop->Chance(50) ? loop->Between(80, 200) : loop->Between(200, 600);
  if (!loop->Chance(40)) return;
  plan->registers.no_way = static_cast<uint32_t>(loop->Random(5));
  plan->registers.request = static_cast<uint32_t>(loop->Random(8));
  plan->registers.answer = static_cast<uint32_t>(loop->Random(8));
  plan->registers.late = static_cast<uint32_t>(loop->Random(8));
  plan->registers.late_ms = loop->Between(100, 3000);
  plan->registers.tells = loop->Chance(70);
}

}  // namespace

FleetPlan PlanOf(uint64_t seed, sim::Loop* loop, Mutant mutant) {
  FleetPlan plan;
  plan.seed = seed;
  plan.mutant = mutant;
  plan.members = loop->Between(3, 5);
  plan.shards = loop->Between(1, 2);
  plan.keys = loop->Between(2, 4);
  plan.clients = loop->Between(2, 4);
  plan.think_us = loop->Between(4000, 30000);
  plan.end_us = loop->Between(1500, 3500) * 1000;
  plan.kills_nodes = loop->Chance(30);
  plan.replicates = loop->Chance(70);
  plan.gives_up = loop->Chance(30);
  const bool drifts = loop->Chance(60);
  for (size_t i = 0; i < plan.members; ++i) plan.rates.push_back(drifts ? Rate(loop) : 1.0);
  DrawRegisters(loop, &plan);
  plan.faults = loop->Between(1, 8);
  if (loop->Chance(40)) {
    plan.crash_at = loop->Between(1, loop->Chance(50) ? 20 : 120);
    plan.crash = static_cast<CrashPoint>(loop->Between(1, 3));
  }
  sim::ProxyOptions& options = plan.options;
  options.audit_interval_s = 0;
  options.hedge_ms = loop->Chance(20) ? static_cast<uint32_t>(loop->Between(5, 40)) : 0;
  options.failback = loop->Chance(20);
  options.hang = {20, 120};
  for (size_t i = 0; i < plan.shards; ++i) {
    options.shards.push_back({sim::ShardName(i), {}, 1});
  }
  options.points = 16;
  return plan;
}

std::string FleetPlan::Describe() const {
  return "seed " + std::to_string(seed) + ": " + std::to_string(members) + " members, " +
         std::to_string(shards) + " shards, " + std::to_string(keys) + " keys, " +
         std::to_string(clients) + " clients, " + std::to_string(faults) + " faults" +
         (kills_nodes ? ", nodes die" : "") + (replicates ? "" : ", no REPLICAOF") +
         (crash_at > 0 ? ", a crash at register write " + std::to_string(crash_at) : "");
}

}  // namespace gemel::fleet_sim
