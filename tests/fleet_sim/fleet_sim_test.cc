// Many seeds, each a run of a fleet with faults of its own. FLEET_SEED=n runs that one with a
// trace; FLEET_RUNS=n sets how many are run, FLEET_FIRST=n where they begin.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/fleet_sim/fleet_world.h"
#include "tests/setting.h"

namespace gemel::fleet_sim {
namespace {

unsigned long long Long(uint64_t value) { return value; }

void Print(uint64_t runs, const FleetFigures& all) {
  std::printf(
      "%llu runs: %llu operations done, %llu not done, %llu unknown; %llu processes, %llu turns, "
      "%llu lapses; of keys, %llu had too many orders to try, %llu reads of what was undone\n",
      Long(runs), Long(all.ok), Long(all.not_done), Long(all.unknown), Long(all.lives),
      Long(all.turns), Long(all.lapses), Long(all.too_many), Long(all.undone_reads));
}

TEST(FleetSimulation, KeepsThePromises) {
  const bool single = std::getenv("FLEET_SEED") != nullptr;
  const uint64_t first = single ? Setting("FLEET_SEED", 1) : Setting("FLEET_FIRST", 1);
  const uint64_t runs = single ? 1 : Setting("FLEET_RUNS", 3000);
  const auto mutant = static_cast<Mutant>(Setting("FLEET_MUTANT", 0));
  uint64_t failures = 0;
  uint64_t ran = 0;
  FleetFigures all;
  for (uint64_t seed = first; seed < first + runs && failures < Setting("FLEET_FAILURES", 5);
       ++seed) {
    FleetWorld world(seed, mutant, single);
    if (Setting("FLEET_STRICT", 0) != 0) world.BeStrict();
    const std::vector<std::string>& problems = world.Run();
    all.Add(world.Figures());
    ++ran;
    if (problems.empty()) continue;
    ++failures;
    for (const std::string& problem : problems) {
      ADD_FAILURE() << world.Describe() << "\n  " << problem << "\n  again: FLEET_SEED=" << seed
                    << " with --gtest_filter=FleetSimulation.KeepsThePromises";
    }
  }
  Print(ran, all);
  if (ran < 100) return;
  EXPECT_GT(all.turns, ran);
  EXPECT_GT(all.lapses, 0u);
  EXPECT_GT(all.unknown, 0u);
  EXPECT_LT(all.too_many, 1 + ran / 100);
  EXPECT_LT(all.undone_reads, 1 + ran / 10);
}

// What is broken on purpose is found, by what clients were told or by what the copies hold.
// `usual`: the seed to begin with, from which it is not far; another order of events moves that.
void ExpectFound(Mutant mutant, uint64_t most_seeds, uint64_t usual = 1) {
  const uint64_t first = Setting("FLEET_FIRST", usual);
  for (uint64_t seed = first; seed < first + most_seeds; ++seed) {
    FleetWorld world(seed, mutant);
    for (const std::string& problem : world.Run()) {
      if (problem.find("cannot be:") == problem.npos && problem.find("differ:") == problem.npos) {
        continue;
      }
      std::printf("found by seed %llu: %s\n", Long(seed),
                  problem.substr(0, problem.find('\n')).c_str());
      return;
    }
  }
  ADD_FAILURE() << "not found by " << most_seeds << " seeds";
}

TEST(FleetMutants, ALeaseThatIsCheckedTooLateIsFound) { ExpectFound(Mutant::kLateLease, 1000); }
TEST(FleetMutants, AFenceThatIsLeftOutIsFound) { ExpectFound(Mutant::kNoFence, 500); }
TEST(FleetMutants, AMinorityThatTakesOverIsFound) { ExpectFound(Mutant::kMinority, 700, 240); }

}  // namespace
}  // namespace gemel::fleet_sim
