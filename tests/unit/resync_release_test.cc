// A copy whose node keeps what a fleet agrees on.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/resync_world.h"

namespace gemel::resync_test::resync_release_test {
namespace {

// Redis copies all databases: what is agreed on and kept in one of them is given up before.
TEST(ResyncRelease, WhatIsKeptOnTheCopyIsReleasedBefore) {
  World world({});
  std::vector<size_t> sent;  // REPLICAOFs when it was asked
  world.on_release = [&] {
    sent.push_back(world.Count("1 REPLICAOF 10.0.0.1 7000"));
    // Others have to come back first, then nobody can be reached, then it may be.
    if (sent.size() <= 3) return NodeRelease{false, true, "3 of 4 nodes"};
    if (sent.size() == 4) return NodeRelease{false, false, "nobody answers"};
    return NodeRelease{true, false, {}, {"INFO"}};
  };
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(sent, std::vector<size_t>(5, 0));
  EXPECT_EQ(world.releases, std::vector<std::string>(5, "10.0.0.2:7000"));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
  const auto at = [&](const std::string& command) {
    return std::find(world.log.begin(), world.log.end(), command) - world.log.begin();
  };
  EXPECT_LT(at("0 INFO"), at("1 REPLICAOF 10.0.0.1 7000")) << "the source is asked first";
}

TEST(ResyncRelease, WhereItIsNotReleasedTheCopyIsMadeKeyByKey) {
  World world({});
  world.on_release = [] { return NodeRelease{false, true, "3 of 4 nodes"}; };
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.Noted("needed for the registers") > 0; }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
}

}  // namespace
}  // namespace gemel::resync_test::resync_release_test
