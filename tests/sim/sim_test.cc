// Many seeds, each a run with faults of its own. SIM_SEED=n runs that one with a trace; SIM_RUNS=n
// sets how many are run, and SIM_FIRST=n where they begin.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sanitized.h"
#include "tests/setting.h"
#include "tests/sim/sim_world.h"

namespace gemel::sim {
namespace {

// What many runs did, and how long their clients waited.
struct Coverage {
  void Add(const World& world) {
    requests += world.requests();
    for (const auto& [fault, stall] : world.stalls()) {
      Stall& longest = stalls[fault];
      longest.write_us = std::max(longest.write_us, stall.write_us);
      longest.read_us = std::max(longest.read_us, stall.read_us);
      longest.hedged_us = std::max(longest.hedged_us, stall.hedged_us);
    }
    reloading += world.reloads() ? 1 : 0;
    changes += world.changes();
    ring_changes += world.ring_changes();
    removals.Add(world.removal_counts());
    for (const auto& [name, value] : world.Figures()) figures[name] += value;
  }
  unsigned long long operator[](const std::string& name) { return figures[name]; }

  size_t requests = 0;
  unsigned long long reloading = 0;
  unsigned long long changes = 0;
  unsigned long long ring_changes = 0;
  std::map<std::string, uint64_t> figures;  // by their names
  std::map<std::string, Stall> stalls;
  RemovalCounts removals;
};

unsigned long long Long(uint64_t value) { return value; }

void PrintFigures(uint64_t runs, Coverage* all) {
  Coverage& did = *all;
  std::printf(
      "%llu runs, %zu requests; promotions %llu, stale %llu, rejoins %llu, resyncs %llu, diverged "
      "%llu, "
      "repaired %llu, fallbacks %llu, hedged %llu (won %llu), held %llu, errors %llu\n",
      Long(runs), did.requests, did["promotions"], did["marked_stale"], did["rejoins"],
      did["resyncs"], did["diverged"], did["repaired"], did["fallbacks"], did["hedged"],
      did["hedge_wins"], did["waited"], did["errors"]);
  std::printf(
      "audits %llu: compared %llu, differences (tampered with) %llu, repaired %llu, "
      "skipped %llu\n",
      did["audits"], did["audited"], did["audit_differences"], did["audit_repaired"],
      did["audit_skipped"]);
  std::printf(
      "reloads in %llu runs: %llu, changes of the ring %llu; swept %llu times, %llu keys "
      "forgotten, %llu of them when asked for\n",
      did.reloading, did.changes, did.ring_changes, did["sweeps"], did["forgotten"],
      did["forgotten_on_access"]);
}

void PrintRemovals(const RemovalCounts& removals) {
  std::printf(
      "removals in %llu runs (%llu with nodes that do not tell): evicted %llu, expired %llu, past "
      "%llu; told %llu, lost with a node %llu; promotions just after %llu; excused %llu; audits "
      "came across %llu\n",
      Long(removals.runs), Long(removals.untold_runs), Long(removals.evicted),
      Long(removals.expired), Long(removals.past), Long(removals.told), Long(removals.lost),
      Long(removals.promotions), Long(removals.excused), Long(removals.audit_found));
}

void PrintStalls(const std::map<std::string, Stall>& stalls) {
  for (const auto& [fault, longest] : stalls) {
    std::printf("longest waits, %s: reads %.0f ms (hedged %.0f), writes %.0f ms (virtual)\n",
                fault.c_str(), static_cast<double>(longest.read_us) / 1000,
                static_cast<double>(longest.hedged_us) / 1000,
                static_cast<double>(longest.write_us) / 1000);
  }
}

TEST(Simulation, KeepsThePromises) {
  const bool single = std::getenv("SIM_SEED") != nullptr;
  const uint64_t first = single ? Setting("SIM_SEED", 1) : Setting("SIM_FIRST", 1);
  const uint64_t runs = single ? 1 : Setting("SIM_RUNS", 3000);
  uint64_t failures = 0;
  Coverage all;
  for (uint64_t seed = first; seed < first + runs && failures < Setting("SIM_FAILURES", 5);
       ++seed) {
    World world(seed, single);
    const std::vector<std::string>& problems = world.Run();
    all.Add(world);
    if (problems.empty()) continue;
    ++failures;
    for (const std::string& problem : problems) {
      ADD_FAILURE() << world.Describe() << "\n  " << problem << "\n  again: SIM_SEED=" << seed
                    << " with --gtest_filter=Simulation.*";
    }
  }
  if (runs >= 100 && failures == 0) {
    EXPECT_GT(all.changes, 0u);
    EXPECT_GT(all.ring_changes, 0u);
    EXPECT_GT(all["sweeps"], 0u);
    EXPECT_GT(all["forgotten"], 0u);
    EXPECT_GT(all["raised by watchers"], 0u);
    EXPECT_GT(all["touched for watchers"], 0u);
  }
  RecordProperty("requests", std::to_string(all.requests));
  PrintFigures(runs, &all);
  PrintRemovals(all.removals);
  std::printf("blocks: counters raised by watchers %llu, %llu times touched\n",
              all["raised by watchers"], all["touched for watchers"]);
  PrintStalls(all.stalls);
}

// SIM_CRASH=n runs one seed with a crash at its n-th durable write (SIM_AFTER=1: right after it).
TEST(Simulation, CrashesAtEveryDurableWrite) {
  constexpr uint64_t kMostWrites = kSanitized ? 2 : 4;  // of a run; a sanitizer takes its time
  const bool single = std::getenv("SIM_SEED") != nullptr;
  const uint64_t first = single ? Setting("SIM_SEED", 1) : Setting("SIM_FIRST", 1);
  const uint64_t seeds = single ? 1 : Setting("SIM_CRASH_SEEDS", 50);
  uint64_t failures = 0;
  uint64_t runs = 0;
  auto run = [&](uint64_t seed, uint64_t write, bool before) {
    World world(seed, single && std::getenv("SIM_CRASH") != nullptr);
    world.CrashAt(write, before);
    ++runs;
    const std::vector<std::string>& problems = world.Run();
    if (problems.empty()) return;
    ++failures;
    ADD_FAILURE() << world.Describe() << ", a crash " << (before ? "before" : "after")
                  << " durable write " << write << "\n  " << problems[0]
                  << "\n  again: SIM_SEED=" << seed << " SIM_CRASH=" << write
                  << (before ? "" : " SIM_AFTER=1") << " with --gtest_filter=*EveryDurableWrite";
  };
  if (single && std::getenv("SIM_CRASH") != nullptr) {
    run(first, Setting("SIM_CRASH", 1), Setting("SIM_AFTER", 0) == 0);
    return;
  }
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    World whole(seed);
    whole.Run();
    const uint64_t writes = whole.durable_writes();
    const uint64_t step = std::max<uint64_t>(1, (writes + kMostWrites - 1) / kMostWrites);
    for (uint64_t write = 1 + seed % step; write <= writes; write += step) {
      for (const bool before : {true, false}) {
        if (failures < Setting("SIM_FAILURES", 5)) run(seed, write, before);
      }
    }
  }
  std::printf("%llu runs with a crash\n", static_cast<unsigned long long>(runs));
}

}  // namespace
}  // namespace gemel::sim
