// A fleet by each of the coordinators: it serves, and an owner that dies or hangs is followed by
// another one.

#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "tests/e2e/fleet_load.h"
#include "tests/e2e/fleet_world.h"

namespace gemel::e2e::fleet_engines_test {
namespace {

class FleetEngines : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Of, FleetEngines, ::testing::Values("etcd", "zookeeper"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(FleetEngines, AnOwnerIsKilledAndAnotherHangs) {
  FleetWorld fleet({.lease_ms = 2000, .engine = GetParam()});
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < fleet.members(); ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  const int killed = fleet.WaitForOwner(0);
  fleet.member(killed).Kill();
  for (int i = 0; i < fleet.members(); ++i) {
    if (i == killed) continue;
    EXPECT_TRUE(fleet.WaitUntilServed(i));
    EXPECT_TRUE(load.WaitForMore(i, 100));
  }
  fleet.member(killed).Restart();
  EXPECT_TRUE(fleet.WaitUntilSpread());
  const int hung = fleet.WaitForOwner(1);
  fleet.member(hung).Signal(SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return fleet.OwnerOf(1) != hung; }));
  fleet.member(hung).Signal(SIGCONT);
  for (int i = 0; i < fleet.members(); ++i) {
    EXPECT_TRUE(fleet.WaitUntilServed(i));
    EXPECT_TRUE(load.WaitForMore(i, 100));
  }
  load.Stop();
  for (int i = 0; i < fleet.members(); ++i) load.Verify(fleet.member(i).port());
  fleet.ExpectCopiesEqual();
}

TEST_P(FleetEngines, WithoutItNobodyServesUntilItIsBack) {
  FleetWorld fleet({.lease_ms = 2000, .engine = GetParam()});
  const std::string key = fleet.KeyOn(0);
  ASSERT_EQ(fleet.Connect(0)("SET", key, "v"), "OK");
  fleet.PauseCoordinator();
  std::string value = "v";
  EXPECT_TRUE(fleet.WaitUntilRefused(key, &value));
  fleet.ResumeCoordinator();
  for (int i = 0; i < fleet.members(); ++i) EXPECT_TRUE(fleet.WaitUntilServed(i));
  if (value.empty()) value = fleet.Connect(0)("GET", key).Text();
  for (int i = 0; i < fleet.members(); ++i) EXPECT_EQ(fleet.Connect(i)("GET", key), value);
  fleet.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::fleet_engines_test
