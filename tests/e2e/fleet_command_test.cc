// PROXY FLEET: what people see of a fleet, and how they have its shards spread.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/fleet_load.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::fleet_command_test {
namespace {

class FleetCommand : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Of, FleetCommand, ::testing::Values("paxos", "etcd", "zookeeper", "raft"),
                         [](const auto& info) { return std::string(info.param); });

// Every server of the coordinator that the engine knows of answers, and who leads is one of them.
TEST_P(FleetCommand, ShowsTheCoordinatorsServers) {
  const std::string engine = GetParam();
  FleetWorld fleet({.lease_ms = 3000, .engine = engine});
  if (engine == "raft") {
    EXPECT_EQ(fleet.Connect(0)("PROXY", "FLEET", "VOTER", "ADD", "nonsense")
                  .Text()
                  .find("-ERR a voter is given by its raft_listen, host:port"),
              0U);
  }
  for (int i = 0; i < fleet.members(); ++i) {
    Client client = fleet.Connect(i);
    Reply shown;
    EXPECT_TRUE(Eventually([&] {
      shown = client("PROXY", "FLEET");
      const Reply servers = shown.Field("servers");
      bool all = !servers.items.empty() && shown.Field("answer_ms").integer >= 0;
      bool leader_is_one = false;
      for (const Reply& server : servers.items) {
        all &= server.Field("reached") == "yes";
        all &= (server.Field("lag").integer >= 0) == (engine == "etcd" || engine == "raft");
        leader_is_one |= server.Field("name").bytes == shown.Field("leader").bytes;
      }
      if (engine == "paxos") return all && shown.Field("leader") == "leaderless";
      if (engine == "zookeeper") return all && shown.Field("leader") == "";
      return all && leader_is_one;
    })) << engine
        << ": " << shown;
    EXPECT_EQ(shown.Field("member"), "m" + std::to_string(i));
  }
}

// A member that owns none of the shards, or not all, has all nodes save, and waits for them.
TEST(FleetNodes, AreToldByAnyMember) {
  FleetWorld fleet({.lease_ms = 3000});
  int saves = 0;
  for (int i = 0; i < fleet.members(); ++i) {
    Client client = fleet.Connect(i);
    EXPECT_EQ(client("SAVE"), "OK");
    ++saves;
    for (int shard = 0; shard < fleet.shards(); ++shard) {
      for (int copy = 0; copy < 2; ++copy) {
        const std::string info = fleet.node(shard, copy).Connect()("INFO", "persistence").bytes;
        EXPECT_TRUE(Has(info, "rdb_bgsave_in_progress:0"));
        EXPECT_TRUE(Has(info, "rdb_saves:" + std::to_string(saves) + "\r\n")) << info;
      }
    }
    EXPECT_GT(client("LASTSAVE").integer, 0);
  }
}

TEST(FleetVoters, AreWordedAsTheyMustBeAndOfRaftAlone) {
  FleetWorld fleet({.members = 1, .lease_ms = 3000});
  Client client = fleet.Connect(0);
  EXPECT_EQ(client("PROXY", "FLEET", "VOTER", "ADD", "127.0.0.1:7600").Text(),
            "-ERR the servers that this fleet agrees by are none of its members: only with "
            "coordinator = \"raft\" it has voters");
  for (const Words& words : {Words{"VOTER"}, Words{"VOTER", "ADD"}, Words{"VOTER", "SET", "a:1"},
                             Words{"VOTERS", "ADD", "a:1"}}) {
    Words command = {"PROXY", "FLEET"};
    command.insert(command.end(), words.begin(), words.end());
    EXPECT_TRUE(client.Run(command).Text().starts_with("-ERR syntax error: PROXY FLEET"));
  }
}

int ShardsOf(const FleetWorld& fleet, int member) {
  int owned = 0;
  for (int shard = 0; shard < fleet.shards(); ++shard) owned += fleet.OwnerOf(shard) == member;
  return owned;
}

// The lease is so long that nothing moves by itself as long as the test runs: shards are spread
// once nobody has come or gone for two leases, and no member is silent for one.
TEST(FleetBalance, ShardsMoveToAMemberThatIsBackOnceItIsSaid) {
  FleetWorld fleet({.members = 2, .started = 1, .lease_ms = 60000, .engine = "etcd"});
  FleetLoad load({fleet.member(0).port()});
  ASSERT_TRUE(load.WaitForMore(0, 100));
  fleet.StartMember(1);
  Client first = fleet.Connect(0);
  Client second = fleet.Connect(1);
  const auto wait_until_seen = [&](const char* state) {
    return Eventually([&] {
      const Reply members = first("PROXY", "FLEET").Field("members");
      return members.items.size() == 2 && members.items[1].Field("state") == state;
    });
  };
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(wait_until_seen("up"));
    EXPECT_TRUE(load.WaitForMore(0, 200));
    EXPECT_EQ(ShardsOf(fleet, 0), 2) << "who has just come, or is back, may go again";
    // Whichever member it is said to.
    ASSERT_EQ((round == 0 ? first : second)("PROXY", "FLEET", "BALANCE"), "OK");
    ASSERT_TRUE(Eventually([&] { return ShardsOf(fleet, 1) == 1 && ShardsOf(fleet, 0) == 1; }));
    EXPECT_TRUE(fleet.WaitUntilServed(1));
    EXPECT_TRUE(load.WaitForMore(0, 200));
    if (round == 1) break;
    ASSERT_EQ(second("PROXY", "FLEET", "DRAIN"), "OK");
    ASSERT_TRUE(Eventually([&] { return ShardsOf(fleet, 0) == 2; }));
    ASSERT_TRUE(wait_until_seen("draining"));
    ASSERT_EQ(second("PROXY", "FLEET", "UNDRAIN"), "OK");
  }
  load.ExpectNoErrors(0);
  load.Stop();
  for (int i = 0; i < 2; ++i) load.Verify(fleet.member(i).port());
  fleet.ExpectCopiesEqual();
  // In order it would stay for a part of its lease.
  for (int i = 0; i < 2; ++i) fleet.member(i).Kill();
}

}  // namespace
}  // namespace gemel::e2e::fleet_command_test
