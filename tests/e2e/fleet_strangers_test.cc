// Who does not belong to a fleet is refused with a sentence, and changes nothing: other gemels on
// its nodes, members with another file or another secret, and strangers at the members' own port.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::fleet_strangers_test {
namespace {

// The last member is another one in each test.
class FleetStrangers : public ::testing::Test {
 protected:
  static constexpr int kStranger = 2;

  // Its start ends with a sentence that has `part`, and the fleet goes on.
  void ExpectRefused(const std::string& config, const std::string& part) {
    const Finished finished = RunMember(fleet_.member(kStranger), config);
    EXPECT_EQ(finished.exit_code, 1) << finished.output;
    EXPECT_TRUE(Has(finished.output, part)) << finished.output;
    ExpectUntouched();
  }
  void ExpectUntouched() {
    for (int i = 0; i < kStranger; ++i) {
      EXPECT_TRUE(fleet_.member(i).running());
      EXPECT_TRUE(fleet_.WaitUntilServed(i));
    }
  }
  // The stranger's file without [fleet].
  std::string AloneConfig() const {
    const std::string config = fleet_.Config(kStranger);
    const size_t from = config.find("[fleet]");
    return config.substr(0, from) + config.substr(config.find("[[shard]]"));
  }
  static std::string Replaced(std::string text, const std::string& what, const std::string& by) {
    const size_t at = text.find(what);
    if (at == std::string::npos) throw std::runtime_error("no " + what + " in " + text);
    return text.replace(at, what.size(), by);
  }

  FleetWorld fleet_{{.started = 2, .lease_ms = 3000}};
};

TEST_F(FleetStrangers, AGemelAloneIsRefusedByTheNodesOfAFleet) {
  ExpectRefused(AloneConfig(), "another gemel serves the same nodes");
}

TEST_F(FleetStrangers, AMemberOfAnotherFleetIsRefusedByTheNodes) {
  ExpectRefused(fleet_.Config(kStranger, {{"fleet.name", "\"other\""}}),
                "another gemel serves the same nodes");
}

TEST_F(FleetStrangers, AMemberWithOtherShardsIsRefused) {
  RedisNode other;
  const std::string config = fleet_.Config(kStranger);
  ExpectRefused(config + "[[shard]]\nname = \"c\"\nprimary = \"" + other.address() + "\"\n",
                "the fleet has no shard \"c\"");
  ExpectRefused(Replaced(config, fleet_.node(1, 1).address(), other.address()),
                "shard \"b\" of the fleet does not have the node " + other.address());
  ExpectRefused(config.substr(0, config.rfind("[[shard]]")), "the fleet has a shard \"b\", too");
}

TEST_F(FleetStrangers, AMemberWithAnotherRingIsRefused) {
  ExpectRefused(fleet_.Config(kStranger, {{"ring", "points = 33"}}), "the fleet has another ring");
}

TEST_F(FleetStrangers, AMemberWithAnotherSecretIsToldThatIt) {
  fleet_.StartMember(kStranger, {{"fleet.secret", "\"another one of sixteen\""}});
  const int shard = fleet_.OwnerOf(0) == kStranger ? 1 : 0;
  const Reply reply = fleet_.Connect(kStranger)("SET", fleet_.KeyOn(shard), "v");
  EXPECT_TRUE(Has(reply.Text(), "secret")) << reply;
  for (int i = 0; i <= kStranger; ++i) EXPECT_EQ(fleet_.Connect(i)("PING"), "PONG");
  EXPECT_EQ(fleet_.member(kStranger).Stop(), 0);
  ExpectUntouched();
  fleet_.ExpectCopiesEqual();
}

TEST_F(FleetStrangers, OfTwoProcessesWithOneNameTheSecondOwnsNothing) {
  std::string config = fleet_.Config(kStranger, {{"fleet.member", "\"m0\""}});
  fleet_.member(kStranger).Start(config);
  EXPECT_TRUE(fleet_.member(kStranger).Logs("another process is the member \"m0\""));
  std::set<int> owners;
  for (int shard = 0; shard < fleet_.shards(); ++shard) owners.insert(fleet_.OwnerOf(shard));
  EXPECT_EQ(owners, (std::set<int>{0, 1}));
  EXPECT_FALSE(Has(fleet_.member(kStranger).Log(), "this member owns it now"));
  ExpectUntouched();
  EXPECT_EQ(fleet_.member(kStranger).Stop(), 0);
  ExpectUntouched();
  fleet_.ExpectCopiesEqual();
}

TEST_F(FleetStrangers, GarbageAtThePortOfMembersDoesNoHarm) {
  const std::string key = fleet_.KeyOn(0);
  ASSERT_EQ(fleet_.Connect(0)("SET", key, "v"), "OK");
  for (int i = 0; i < kStranger; ++i) {
    std::vector<std::string> all = {"\r\n", Encode({"GET", key}), "GET / HTTP/1.1\r\n\r\n",
                                    std::string(100000, '\0'), std::string(100000, '\xff')};
    unsigned seed = 1;
    for (int turn = 0; turn < 30; ++turn) {
      std::string& bytes = all.emplace_back();
      for (int at = 0; at < 2000; ++at) {
        bytes += static_cast<char>((seed = seed * 1103515245 + 12345) >> 16);
      }
    }
    for (const std::string& bytes : all) {
      RawSocket socket(fleet_.peer_port(i));
      socket.SendSome(bytes);
      socket.CloseWriting();
      EXPECT_FALSE(Has(socket.ReadUntilClosed(), "$1\r\nv"));
    }
    // Some stay without a word.
    std::vector<std::unique_ptr<RawSocket>> silent;
    for (int turn = 0; turn < 100; ++turn) {
      silent.push_back(std::make_unique<RawSocket>(fleet_.peer_port(i)));
    }
    EXPECT_TRUE(fleet_.WaitUntilServed(i));
  }
  ExpectUntouched();
  EXPECT_EQ(fleet_.Connect(1)("GET", key), "v");
}

TEST_F(FleetStrangers, AStateFolderOfAFleetIsRefusedByAGemelAlone) {
  for (int i = 0; i < kStranger; ++i) EXPECT_EQ(fleet_.member(i).Stop(), 0);
  const std::string config = fleet_.Config(0);
  const std::string alone =
      config.substr(0, config.find("[fleet]")) + config.substr(config.find("[[shard]]"));
  const Finished finished = RunMember(fleet_.member(0), alone);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(Has(finished.output, "is that of a member m0 of the fleet test (paxos)"))
      << finished.output;
  fleet_.member(0).Start(config);
  EXPECT_TRUE(fleet_.WaitUntilServed(0));
}

TEST_F(FleetStrangers, AReloadChangesWhatIsAMembersOwn) {
  const std::string key = fleet_.KeyOn(0);
  ASSERT_EQ(fleet_.Connect(0)("SET", key, "v"), "OK");
  WriteFile(fleet_.member(0).config_path(),
            fleet_.Config(0, {{"limits", "max_clients = 77"}, {"log", "level = \"debug\""}}));
  const Reply reply = fleet_.Connect(0)("PROXY", "RELOAD");
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_EQ(fleet_.Connect(0)("CONFIG", "GET", "maxclients"), "[maxclients 77]");
  EXPECT_EQ(fleet_.Connect(0)("GET", key), "v");
  ExpectUntouched();
  fleet_.ExpectCopiesEqual();
}

TEST(FleetAlone, AStartWithoutItsCoordinatorEndsWithASentence) {
  FleetWorld fleet({.shards = 1, .members = 1, .started = 0});
  fleet.PauseCoordinator();
  Finished finished = RunMember(fleet.member(0), fleet.Config(0));
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(Has(finished.output, "[fleet]: ")) << finished.output;
  fleet.ResumeCoordinator();
  fleet.StartMember(0);
  EXPECT_TRUE(fleet.WaitUntilServed(0));
}

// Nodes of shards may keep the registers, too; but a majority is to be there.
TEST(FleetAlone, DoesNotStartWithoutAMajorityOfTheRegisters) {
  FleetWorld fleet({.shards = 1, .members = 1, .started = 0});
  const std::string node = fleet.node(0, 0).address();
  const Finished finished = RunMember(
      fleet.member(0),
      fleet.Config(0, {{"fleet.servers", "[\"" + node + "\", \"127.0.0.1:1\", \"127.0.0.1:2\"]"}}));
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(Has(finished.output, "cannot be reached: 127.0.0.1:1: Connection refused"))
      << finished.output;
}

}  // namespace
}  // namespace gemel::e2e::fleet_strangers_test
