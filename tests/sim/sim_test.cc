// Many seeds, each a run with faults of its own. SIM_SEED=n runs that one with a trace; SIM_RUNS=n
// sets how many are run, and SIM_FIRST=n where they begin.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sanitized.h"
#include "tests/sim/sim_world.h"

namespace gemel::sim {
namespace {

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Simulation, KeepsThePromises) {
  const bool single = std::getenv("SIM_SEED") != nullptr;
  const uint64_t first = single ? Setting("SIM_SEED", 1) : Setting("SIM_FIRST", 1);
  const uint64_t runs = single ? 1 : Setting("SIM_RUNS", 3000);
  uint64_t failures = 0;
  std::map<std::string, uint64_t> all;  // by the names of figures
  size_t requests = 0;
  uint64_t reloading = 0;
  uint64_t changes = 0;
  uint64_t ring_changes = 0;
  std::map<std::string, World::Stall> stalls;
  RemovalCounts removals;
  for (uint64_t seed = first; seed < first + runs && failures < Setting("SIM_FAILURES", 5);
       ++seed) {
    World world(seed, single);
    const std::vector<std::string>& problems = world.Run();
    requests += world.requests();
    for (const auto& [fault, stall] : world.stalls()) {
      World::Stall& longest = stalls[fault];
      longest.write_us = std::max(longest.write_us, stall.write_us);
      longest.read_us = std::max(longest.read_us, stall.read_us);
      longest.hedged_us = std::max(longest.hedged_us, stall.hedged_us);
    }
    reloading += world.reloads() ? 1 : 0;
    changes += world.changes();
    ring_changes += world.ring_changes();
    removals.Add(world.removal_counts());
    for (const auto& [name, value] : world.figures()) all[name] += value;
    if (problems.empty()) continue;
    ++failures;
    for (const std::string& problem : problems) {
      ADD_FAILURE() << world.Describe() << "\n  " << problem << "\n  again: SIM_SEED=" << seed
                    << " with --gtest_filter=Simulation.*";
    }
  }
  if (runs >= 100 && failures == 0) {
    EXPECT_GT(changes, 0u);
    EXPECT_GT(ring_changes, 0u);
    EXPECT_GT(all["sweeps"], 0u);
    EXPECT_GT(all["forgotten"], 0u);
    EXPECT_GT(all["raised by watchers"], 0u);
    EXPECT_GT(all["touched for watchers"], 0u);
  }
  RecordProperty("requests", std::to_string(requests));
  std::printf(
      "%llu runs, %zu requests; promotions %llu, stale %llu, rejoins %llu, resyncs %llu, diverged "
      "%llu, "
      "repaired %llu, fallbacks %llu, hedged %llu (won %llu), held %llu, errors %llu\n",
      static_cast<unsigned long long>(runs), requests,
      static_cast<unsigned long long>(all["promotions"]),
      static_cast<unsigned long long>(all["marked_stale"]),
      static_cast<unsigned long long>(all["rejoins"]),
      static_cast<unsigned long long>(all["resyncs"]),
      static_cast<unsigned long long>(all["diverged"]),
      static_cast<unsigned long long>(all["repaired"]),
      static_cast<unsigned long long>(all["fallbacks"]),
      static_cast<unsigned long long>(all["hedged"]),
      static_cast<unsigned long long>(all["hedge_wins"]),
      static_cast<unsigned long long>(all["waited"]),
      static_cast<unsigned long long>(all["errors"]));
  std::printf(
      "audits %llu: compared %llu, differences (tampered with) %llu, repaired %llu, "
      "skipped %llu\n",
      static_cast<unsigned long long>(all["audits"]),
      static_cast<unsigned long long>(all["audited"]),
      static_cast<unsigned long long>(all["audit_differences"]),
      static_cast<unsigned long long>(all["audit_repaired"]),
      static_cast<unsigned long long>(all["audit_skipped"]));
  std::printf(
      "reloads in %llu runs: %llu, changes of the ring %llu; swept %llu times, %llu keys "
      "forgotten, %llu of them when asked for\n",
      static_cast<unsigned long long>(reloading), static_cast<unsigned long long>(changes),
      static_cast<unsigned long long>(ring_changes), static_cast<unsigned long long>(all["sweeps"]),
      static_cast<unsigned long long>(all["forgotten"]),
      static_cast<unsigned long long>(all["forgotten_on_access"]));
  std::printf(
      "removals in %llu runs (%llu with nodes that do not tell): evicted %llu, expired %llu, past "
      "%llu; told %llu, lost with a node %llu; promotions just after %llu; excused %llu; audits "
      "came across %llu\n",
      static_cast<unsigned long long>(removals.runs),
      static_cast<unsigned long long>(removals.untold_runs),
      static_cast<unsigned long long>(removals.evicted),
      static_cast<unsigned long long>(removals.expired),
      static_cast<unsigned long long>(removals.past),
      static_cast<unsigned long long>(removals.told),
      static_cast<unsigned long long>(removals.lost),
      static_cast<unsigned long long>(removals.promotions),
      static_cast<unsigned long long>(removals.excused),
      static_cast<unsigned long long>(removals.audit_found));
  std::printf("blocks: counters raised by watchers %llu, %llu times touched\n",
              static_cast<unsigned long long>(all["raised by watchers"]),
              static_cast<unsigned long long>(all["touched for watchers"]));
  for (const auto& [fault, longest] : stalls) {
    std::printf("longest waits, %s: reads %.0f ms (hedged %.0f), writes %.0f ms (virtual)\n",
                fault.c_str(), static_cast<double>(longest.read_us) / 1000,
                static_cast<double>(longest.hedged_us) / 1000,
                static_cast<double>(longest.write_us) / 1000);
  }
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
