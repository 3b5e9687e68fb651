// Members come and go in order: their clients find the door closed, and nobody else sees anything.

#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "tests/e2e/fleet_load.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::fleet_life_test {
namespace {

void ExpectWholeFleet(FleetWorld* fleet, FleetLoad* load) {
  load->Stop();
  for (int i = 0; i < fleet->members(); ++i) {
    if (fleet->member(i).running()) load->Verify(fleet->member(i).port());
  }
  fleet->ExpectCopiesEqual();
}

TEST(FleetLife, AnOwnerThatStopsInOrderIsMissedByNobodyElse) {
  FleetWorld fleet({.lease_ms = 3000});
  const int owner = fleet.WaitForOwner(0);
  std::vector<uint16_t> ports;
  for (int i = 0; i < fleet.members(); ++i) {
    if (i != owner) ports.push_back(fleet.member(i).port());
  }
  FleetLoad load(ports);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(load.WaitForMore(i, 200));
  EXPECT_EQ(fleet.member(owner).Stop(), 0);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(load.WaitForMore(i, 500));
  EXPECT_NE(fleet.WaitForOwner(0), owner);
  // And it comes back.
  fleet.member(owner).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(owner));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(load.WaitForMore(i, 500));
  for (int i = 0; i < 2; ++i) load.ExpectNoErrors(i);
  ExpectWholeFleet(&fleet, &load);
}

TEST(FleetLife, OneAfterTheOtherIsRestarted) {
  FleetWorld fleet({.lease_ms = 2000});
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < fleet.members(); ++i) {
    EXPECT_EQ(fleet.member(i).Stop(), 0);
    fleet.member(i).Restart();
    EXPECT_TRUE(fleet.WaitUntilServed(i));
    for (int j = 0; j < fleet.members(); ++j) EXPECT_TRUE(load.WaitForMore(j, 100));
  }
  for (int i = 0; i < fleet.members(); ++i) {
    for (const std::string& error : load.Errors(i)) EXPECT_EQ(error, "closed");
  }
  ExpectWholeFleet(&fleet, &load);
}

TEST(FleetLife, AMemberThatJoinsGetsAShardAndNobodySeesIt) {
  FleetWorld fleet({.members = 2, .started = 1, .lease_ms = 3000});
  FleetLoad load({fleet.member(0).port()});
  ASSERT_TRUE(load.WaitForMore(0, 200));
  fleet.StartMember(1);
  EXPECT_TRUE(fleet.WaitUntilSpread());
  EXPECT_TRUE(fleet.WaitUntilServed(1));
  ASSERT_TRUE(load.WaitForMore(0, 500));
  load.ExpectNoErrors(0);
  ExpectWholeFleet(&fleet, &load);
}

TEST(FleetLife, TheLastOneStopsInOrderAndTheNextFindsAllInSync) {
  FleetWorld fleet({.members = 2, .lease_ms = 2000});
  const std::string key = fleet.KeyOn(0);
  ASSERT_EQ(fleet.Connect(0)("SET", key, "v"), "OK");
  EXPECT_EQ(fleet.member(0).Stop(), 0);
  EXPECT_EQ(fleet.member(1).Stop(), 0);
  const size_t before = fleet.member(1).Log().size();
  fleet.member(1).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(1));
  EXPECT_EQ(fleet.Connect(1)("GET", key), "v");
  EXPECT_FALSE(Has(fleet.member(1).Log().substr(before), "stale"));
  fleet.member(0).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(0));
  EXPECT_EQ(fleet.Connect(0)("GET", key), "v");
  fleet.ExpectCopiesEqual();
}

TEST(FleetLife, AWitnessOwnsNothingAndItsClientsAreServed) {
  FleetWorld fleet({.lease_ms = 2000, .witnesses = {2}});
  const int owner = fleet.WaitForOwner(0);
  EXPECT_NE(owner, 2);
  EXPECT_NE(fleet.WaitForOwner(1), 2);
  const std::string key = fleet.KeyOn(0);
  EXPECT_EQ(fleet.Connect(2)("SET", key, "v"), "OK");
  // Of two members and a witness one may die.
  fleet.member(owner).Kill();
  EXPECT_TRUE(fleet.WaitUntilServed(2));
  EXPECT_EQ(fleet.Connect(2)("GET", key), "v");
  EXPECT_EQ(fleet.WaitForOwner(0), 1 - owner);
  EXPECT_EQ(fleet.WaitForOwner(1), 1 - owner);
  fleet.member(owner).Restart();
  EXPECT_TRUE(fleet.WaitUntilSpread());
  fleet.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::fleet_life_test
