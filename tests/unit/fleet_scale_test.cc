// How a fleet's talk grows: what its members ask the registers, how long they take to agree when
// many die at once, and how much is kept. GEMEL_FLEET_SHARDS and GEMEL_FLEET_MEMBERS make it
// larger; the figures are printed.

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/members_world.h"
#include "tests/setting.h"

namespace gemel::fleet_scale_test {

TEST(FleetScale, ManyMembersAgreeAfterARackHasDied) {
  const int shards = static_cast<int>(Setting("GEMEL_FLEET_SHARDS", 30));
  const int members = static_cast<int>(Setting("GEMEL_FLEET_MEMBERS", 7));
  const auto rack = static_cast<size_t>(members) / 3;
  members_world::World world(1, members, shards);
  if (members * shards > 1000) world.LookEvery(20);
  for (size_t i = 0; i < world.size(); ++i) world.Start(i);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }, 120000));
  const auto asked = [&] {
    size_t sum = 0;
    for (size_t i = 0; i < world.size(); ++i) sum += world.at(i).registers->asked();
    return sum;
  };
  const size_t before = asked();
  world.RunFor(5000);
  const double quiet = static_cast<double>(asked() - before) / 5;
  const uint64_t died_ms = world.engine().now_ms();
  for (size_t i = 0; i < rack; ++i) world.Kill(i);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }, 120000));
  const uint64_t agreed_ms = world.engine().now_ms() - died_ms;
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }, 120000));
  size_t bytes = 0;
  for (const auto& [name, value] : world.engine().all()) bytes += value.text.size();
  std::printf(
      "%d shards, %d members: %.0f questions a second, %llu ms from the death of %zu members to "
      "owners for all shards, %zu bytes of state\n",
      shards, members, quiet, static_cast<unsigned long long>(agreed_ms), rack, bytes);
  // Each member says that it lives and looks, five times a lease; nothing else goes on.
  EXPECT_LE(quiet, members * 2.5 * 5 / (members_world::kLeaseMs / 1000.0));
  EXPECT_LE(agreed_ms, members_world::kLeaseMs * 2);
}

}  // namespace gemel::fleet_scale_test
