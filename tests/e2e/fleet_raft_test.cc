// A fleet whose members keep what is agreed themselves: voters die, hang, come back, and are asked
// by members that do not vote, under load.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>

#include "tests/e2e/fleet_load.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::fleet_raft_test {
namespace {

// Of what was under way to an owner that died or hung.
constexpr char kUnknown[] = "may or may not have been";

void ExpectOnlyUnknown(const FleetLoad& load, int member) {
  for (const std::string& error : load.Errors(member)) {
    EXPECT_TRUE(Has(error, kUnknown)) << "a client of member " << member << ": " << error;
  }
}

void ExpectWhole(FleetWorld* fleet, FleetLoad* load) {
  for (int i = 0; i < fleet->members(); ++i) {
    EXPECT_TRUE(fleet->WaitUntilServed(i)) << "member " << i;
    EXPECT_TRUE(load->WaitForMore(i, 100));
  }
  load->Stop();
  for (int i = 0; i < fleet->members(); ++i) load->Verify(fleet->member(i).port());
  fleet->ExpectCopiesEqual();
}

// Another member than that one.
int OtherThan(const FleetWorld& fleet, int member) { return (member + 1) % fleet.members(); }

bool WaitUntilAnotherLeads(const FleetWorld& fleet, int before) {
  return Eventually([&] {
    const int leader = fleet.VotesLeader(OtherThan(fleet, before));
    return leader >= 0 && leader != before;
  });
}

TEST(FleetRaft, TheVoterThatLeadsIsKilledAndComesBackTwice) {
  FleetWorld fleet({.lease_ms = 2000, .engine = "raft"});
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < fleet.members(); ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  for (int round = 0; round < 2; ++round) {
    const int leader = fleet.WaitForVotesLeader(0);
    fleet.member(leader).Kill();
    for (int i = 0; i < fleet.members(); ++i) {
      if (i == leader) continue;
      EXPECT_TRUE(fleet.WaitUntilServed(i)) << "member " << i;
      EXPECT_TRUE(load.WaitForMore(i, 100));
    }
    EXPECT_TRUE(WaitUntilAnotherLeads(fleet, leader));
    fleet.member(leader).Restart();
    EXPECT_TRUE(fleet.WaitUntilServed(leader));
  }
  ExpectWhole(&fleet, &load);
  for (int i = 0; i < fleet.members(); ++i) {
    for (const std::string& error : load.Errors(i)) {
      // Each may be one that was killed.
      EXPECT_TRUE(error == "closed" || Has(error, kUnknown)) << error;
    }
  }
}

// What is lost with an owner is known (FleetFaults): so here it is one who owns nothing.
TEST(FleetRaft, AVoterThatOnlyLeadsIsMissedByNobodysClients) {
  FleetWorld fleet({.lease_ms = 3000, .engine = "raft"});
  const int leader = fleet.WaitForVotesLeader(0);
  ASSERT_EQ(fleet.Connect(leader)("PROXY", "FLEET", "DRAIN"), "OK");
  ASSERT_TRUE(Eventually([&] {
    for (int shard = 0; shard < fleet.shards(); ++shard) {
      const int owner = fleet.OwnerOf(shard);
      if (owner < 0 || owner == leader) return false;
    }
    return true;
  }));
  std::vector<uint16_t> ports;
  for (int i = 0; i < fleet.members(); ++i) {
    if (i != leader) ports.push_back(fleet.member(i).port());
  }
  FleetLoad load(ports);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(load.WaitForMore(i, 200));
  ASSERT_EQ(fleet.WaitForVotesLeader(leader), leader) << "nothing has made it another one";
  fleet.member(leader).Kill();
  // Until another leads, and beyond the leases that the one before gave.
  EXPECT_TRUE(WaitUntilAnotherLeads(fleet, leader));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(3500);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(load.WaitForMore(i, 50));
  }
  fleet.member(leader).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(leader));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(load.WaitForMore(i, 200));
    load.ExpectNoErrors(i);
  }
  load.Stop();
  for (int i = 0; i < fleet.members(); ++i) load.Verify(fleet.member(i).port());
  fleet.ExpectCopiesEqual();
}

TEST(FleetRaft, TheVoterThatLeadsHangsAndGoesOn) {
  FleetWorld fleet({.lease_ms = 2000, .engine = "raft"});
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < fleet.members(); ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  const int leader = fleet.WaitForVotesLeader(0);
  fleet.member(leader).Signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_TRUE(WaitUntilAnotherLeads(fleet, leader));
  fleet.member(leader).Signal(SIGCONT);
  ExpectWhole(&fleet, &load);
  for (int i = 0; i < fleet.members(); ++i) {
    if (i != leader) ExpectOnlyUnknown(load, i);
  }
}

TEST(FleetRaft, AMemberThatDoesNotVoteJoinsAndOutlivesAVoter) {
  FleetWorld fleet({.shards = 4, .members = 4, .started = 3, .lease_ms = 2000, .engine = "raft"});
  std::vector<uint16_t> ports = fleet.Ports();
  ports.pop_back();
  FleetLoad load(ports);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  fleet.StartMember(3);
  EXPECT_TRUE(fleet.WaitUntilSpread());
  EXPECT_TRUE(fleet.WaitUntilServed(3));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(load.WaitForMore(i, 100));
    load.ExpectNoErrors(i);
  }
  const int leader = fleet.WaitForVotesLeader(3);
  fleet.member(leader).Kill();
  for (int i = 0; i < 4; ++i) {
    if (i == leader) continue;
    EXPECT_TRUE(fleet.WaitUntilServed(i)) << "member " << i;
  }
  fleet.member(leader).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(leader));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(load.WaitForMore(i, 100));
    if (i != leader) ExpectOnlyUnknown(load, i);
  }
  load.Stop();
  for (int i = 0; i < 4; ++i) load.Verify(fleet.member(i).port());
  fleet.ExpectCopiesEqual();
}

// Asks for it at that member, and waits for what becomes of it.
std::string ChangeVoters(const FleetWorld& fleet, int asked, const char* what, int voter) {
  Client client = fleet.Connect(asked);
  const std::string address = fleet.VoterAddress(voter);
  EXPECT_EQ(client("PROXY", "FLEET", "VOTER", what, address), "OK");
  std::string change;
  EXPECT_TRUE(Eventually([&] {
    change = client("PROXY", "FLEET").Field("change").bytes;
    return change.starts_with(address) && !Has(change, " is being ");
  })) << change;
  return change.substr(std::min(address.size(), change.size()));
}

TEST(FleetRaft, AVoterComesAndAnotherGoesAndTheNewOnesDecide) {
  FleetWorld fleet({.members = 4, .lease_ms = 2000, .engine = "raft", .joiners = 1});
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  EXPECT_EQ(fleet.Voters(3), (std::set<int>{0, 1, 2}));
  EXPECT_TRUE(Has(ChangeVoters(fleet, 1, "REMOVE", 0), " was not removed: of 3 voters none is"));
  EXPECT_EQ(ChangeVoters(fleet, 1, "ADD", 3), " was added");
  EXPECT_EQ(ChangeVoters(fleet, 3, "REMOVE", 0), " was removed");
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(Eventually([&] { return fleet.Voters(i) == std::set<int>{1, 2, 3}; }));
    ASSERT_TRUE(load.WaitForMore(i, 100));
    load.ExpectNoErrors(i);
  }
  // One that votes no more, and one of three that do.
  fleet.member(0).Kill();
  fleet.member(1).Kill();
  for (const int left : {2, 3}) {
    EXPECT_TRUE(fleet.WaitUntilServed(left)) << "member " << left;
    EXPECT_TRUE(load.WaitForMore(left, 100));
    ExpectOnlyUnknown(load, left);
  }
  // With files of before.
  fleet.RestartMembers({0, 1});
  ExpectWhole(&fleet, &load);
  // Who was away hears of it with the rest of what it missed.
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(Eventually([&] { return fleet.Voters(i) == std::set<int>{1, 2, 3}; })) << i;
  }
}

TEST(FleetRaft, AllAreKilledAtOnceAndFindAllAgain) {
  FleetWorld fleet({.lease_ms = 2000, .engine = "raft"});
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < fleet.members(); ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  const Reply before = fleet.Connect(0)("PROXY", "FLEET");
  for (int i = 0; i < fleet.members(); ++i) fleet.member(i).Kill();
  fleet.RestartMembers({0, 1, 2});
  const Reply after = fleet.Connect(0)("PROXY", "FLEET");
  EXPECT_EQ(after.Field("id").bytes, before.Field("id").bytes) << "it is no new fleet";
  ExpectWhole(&fleet, &load);
}

TEST(FleetRaft, OneVoterOfThreeServesNothingUntilThereAreTwo) {
  FleetWorld fleet({.lease_ms = 2000, .engine = "raft"});
  const std::string key = fleet.KeyOn(0);
  ASSERT_EQ(fleet.Connect(0)("SET", key, "v"), "OK");
  const int leader = fleet.WaitForVotesLeader(0);
  const int left = OtherThan(fleet, leader);
  const int third = OtherThan(fleet, left);
  fleet.member(leader).Kill();
  fleet.member(third).Kill();
  Client client = fleet.Connect(left);
  EXPECT_TRUE(Eventually([&] { return client("GET", key).Text().starts_with("-CLUSTERDOWN "); }));
  Reply fleet_seen;
  EXPECT_TRUE(Eventually([&] {
    fleet_seen = client("PROXY", "FLEET");
    return fleet_seen.Field("leader") == "" && fleet_seen.Field("lease_left_ms") == ":0" &&
           Has(fleet_seen.Field("trouble").bytes, "no voter of raft led the others within");
  })) << fleet_seen;
  EXPECT_EQ(client("PING"), "PONG");
  fleet.member(third).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(left));
  EXPECT_EQ(client("GET", key), "v");
  fleet.member(leader).Restart();
  EXPECT_TRUE(fleet.WaitUntilServed(leader));
  fleet.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::fleet_raft_test
