// Which nodes keep the registers of a fleet, and by whose password.

#include "proxy/fleet/register_keepers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/config_load.h"
#include "config/config_registers.h"

namespace gemel::register_keepers_test {
namespace {

FleetPlan PlanOf(const std::vector<std::pair<std::string, std::vector<std::string>>>& shards) {
  FleetPlan plan;
  for (const auto& [name, nodes] : shards) {
    ShardInfo& shard = plan.topology.shards.emplace_back();
    shard.name = name;
    for (const std::string& node : nodes) shard.copies.push_back({node, CopyState::kStale, "", ""});
  }
  return plan;
}

TEST(RegisterKeepers, AllNodesWhateverTheirOrder) {
  const auto keepers = KeepersOf(PlanOf({{"a", {"n:1", "n:2"}}, {"b", {"n:3", "n:4"}}}));
  EXPECT_EQ(keepers, KeepersOf(PlanOf({{"b", {"n:4", "n:3"}}, {"a", {"n:2", "n:1"}}})));
  EXPECT_EQ(keepers, (std::vector<std::string>{"n:1", "n:3", "n:2", "n:4"}));
}

TEST(RegisterKeepers, OfManyShardsOneNodeEachComesFirst) {
  std::vector<std::pair<std::string, std::vector<std::string>>> shards;
  for (int i = 10; i < 22; ++i) {
    shards.push_back(
        {"s" + std::to_string(i), {"n:1" + std::to_string(i), "n:2" + std::to_string(i)}});
  }
  const auto keepers = KeepersOf(PlanOf(shards));
  ASSERT_EQ(keepers.size(), kMostRegisterNodes);
  for (const auto& [name, nodes] : shards) {
    EXPECT_TRUE(std::find(keepers.begin(), keepers.end(), nodes[0]) != keepers.end()) << name;
  }
}

Config Load(const std::string& servers) {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(
      "[fleet]\ncoordinator = \"paxos\"\nmember = \"m\"\nsecret = \"0123456789abcdef\"\n"
      "listen = \"127.0.0.1:9000\"\n" +
          servers +
          "[[shard]]\nname = \"a\"\nprimary = \"h:1\"\nreplicas = [\"h:2\"]\nuser = \"ua\"\n"
          "password = \"pa\"\n"
          "[[shard]]\nname = \"b\"\nprimary = \"h:3\"\nreplicas = [\"h:4\"]\npassword = \"pb\"\n",
      "g.toml", &error);
  EXPECT_TRUE(config) << error.ToString();
  return *config;
}

// "user password database" of a node.
std::string Way(const RegisterKeepers& keepers, const std::string& node) {
  const std::optional<HiredisNode> way = keepers.Find(node);
  if (!way) return "none";
  EXPECT_EQ(way->address.ToString(), node);
  return way->user + " " + way->password + " " + std::to_string(way->database);
}

TEST(RegisterKeepers, ByTheShardsPassword) {
  RegisterKeepers keepers(Load(""));
  EXPECT_EQ(Way(keepers, "h:2"), "ua pa 15");
  EXPECT_EQ(Way(keepers, "h:3"), " pb 15");
  EXPECT_EQ(Way(keepers, "h:9"), "ua pa 15") << "one of a shard that is not known here yet";
  EXPECT_EQ(Way(keepers, "no address"), "none");
}

TEST(RegisterKeepers, ServersByTheFleets) {
  const std::string servers = "servers = [\"h:1\", \"o:1\", \"o:2\"]\n";
  EXPECT_EQ(Way(RegisterKeepers(Load(servers)), "h:1"), "ua pa 15");
  EXPECT_EQ(Way(RegisterKeepers(Load(servers)), "o:1"), "  15");
  const RegisterKeepers keepers(Load(servers + "user = \"uf\"\npassword = \"pf\"\n"));
  EXPECT_EQ(Way(keepers, "h:1"), "uf pf 15");
  EXPECT_EQ(Way(keepers, "o:1"), "uf pf 15");
}

TEST(RegisterKeepers, WhoIsNoNodeIsSpokenToAsTheCoordinatorIs) {
  const std::string servers = "servers = [\"h:1\", \"o:1\", \"tls:o:2\"]\n";
  const RegisterKeepers keepers(Load(servers));
  EXPECT_FALSE(keepers.Find("h:1")->of_coordinator);
  EXPECT_TRUE(keepers.Find("tls:o:2")->of_coordinator);
  EXPECT_TRUE(keepers.Find("tls:o:2")->address.tls);
  EXPECT_FALSE(RegisterKeepers(Load("")).Find("h:9")->of_coordinator);
}

}  // namespace
}  // namespace gemel::register_keepers_test
