// What gemel sets on real nodes (maxmemory, notify-keyspace-events), and what they get back.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::node_settings_test {
namespace {

constexpr char kEight[] = "8388608";
constexpr char kNine[] = "9437184";
constexpr char kSixteen[] = "16777216";
constexpr char kEvents[] = "notify-keyspace-events";
const Words kLru = {"--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru"};

std::string Setting(const RedisNode& node, const std::string& name = "maxmemory") {
  return node.Connect()("CONFIG", "GET", name).items.at(1).bytes;
}

bool Gets(const RedisNode& node, const std::string& value, const std::string& name = "maxmemory") {
  return Eventually([&] { return Setting(node, name) == value; });
}

bool Tells(const RedisNode& node) {
  return Eventually([&] {
    const std::string flags = Setting(node, kEvents);
    return Has(flags, "E") && (Has(flags, "A") || (Has(flags, "x") && Has(flags, "e")));
  });
}

// What PROXY SHARDS says of a node.
std::string Shown(Client client, const std::string& address, const std::string& field) {
  for (const Reply& shard : client("PROXY", "SHARDS").items) {
    for (const Reply& node : shard.Field("nodes").items) {
      if (node.Field("address").bytes == address) return node.Field(field).bytes;
    }
  }
  return "(no such node)";
}

bool Shows(uint16_t port, const RedisNode& node, const std::string& field,
           const std::string& value) {
  return Eventually([&] { return Shown(Client(port), node.address(), field) == value; });
}

TEST(NodeSettings, AreSetAndFollowAPromotion) {
  Cluster cluster({.shards = 1, .redis_options = kLru});
  RedisNode& first = cluster.node(0, 0);
  RedisNode& second = cluster.node(0, 1);
  EXPECT_TRUE(Gets(second, kNine)) << Setting(second);
  EXPECT_EQ(Setting(first), kEight);
  EXPECT_TRUE(Tells(first) && Tells(second));
  const uint16_t port = cluster.proxy().port();
  EXPECT_TRUE(Shows(port, second, "maxmemory", kNine));
  EXPECT_TRUE(Shows(port, second, "maxmemory_own", kEight));
  EXPECT_TRUE(Shows(port, second, "maxmemory_policy", "allkeys-lru"));
  EXPECT_TRUE(Shows(port, second, "notifications", "on"));
  EXPECT_TRUE(Shows(port, second, "settings", ""));
  EXPECT_TRUE(cluster.proxy().Logs(second.address() + " has maxmemory '9437184' now"));
  first.Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, second));
  EXPECT_TRUE(Gets(second, kEight)) << "it decides now";
  first.Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(Gets(first, kNine));
  EXPECT_EQ(Setting(second), kEight);
  EXPECT_TRUE(Tells(first)) << "it began again from its options";
}

TEST(NodeSettings, TheLeastLimitIsTheShardsAndNoWriteFails) {
  Cluster cluster({.shards = 1, .redis_options = kLru});
  RedisNode& primary = cluster.node(0, 0);
  ASSERT_TRUE(Gets(cluster.node(0, 1), kNine));
  primary.Connect()("CONFIG", "SET", "maxmemory", kSixteen);
  EXPECT_TRUE(Shows(cluster.proxy().port(), primary, "maxmemory_own", kSixteen));
  EXPECT_TRUE(Gets(primary, kEight)) << "the other copy may use no more";
  EXPECT_TRUE(cluster.proxy().Logs(cluster.node(0, 1).address() + " may use no more"));
  Client client = cluster.Connect();
  const std::string value(1024, 'v');
  for (int i = 0; i < 16000; ++i) {
    const Reply reply = client("SET", "key:" + std::to_string(i), value);
    ASSERT_EQ(reply, "OK");
  }
  EXPECT_TRUE(cluster.Status(0).AllInSync());
  EXPECT_EQ(cluster.Status(0).primary, primary.address());
}

int64_t Evicted(const RedisNode& node) {
  const std::string text = node.Connect()("INFO", "stats").bytes;
  const size_t at = text.find("evicted_keys:");
  return std::stoll(text.substr(at + 13));
}

// The replica follows: it has the margin for what it has not heard of yet.
TEST(NodeSettings, ThePrimaryEvictsAndTheOtherCopyDoesNot) {
  Cluster cluster({.shards = 1, .redis_options = kLru});
  ASSERT_TRUE(Gets(cluster.node(0, 1), kNine));
  ASSERT_TRUE(Tells(cluster.node(0, 0)) && Tells(cluster.node(0, 1)));
  Client client = cluster.Connect();
  const std::string value(1024, 'v');
  for (int i = 0; i < 30000; ++i) {
    ASSERT_EQ(client("SET", "key:" + std::to_string(i), value), "OK");
  }
  EXPECT_GT(Evicted(cluster.node(0, 0)), 10000);
  EXPECT_LT(Evicted(cluster.node(0, 1)), 1000);
  EXPECT_TRUE(cluster.Status(0).AllInSync());
}

// Of reads from the primary: by them the other copy evicts once it is promoted.
TEST(NodeSettings, TheOtherCopyIsToldOfReads) {
  Cluster cluster({.shards = 1, .redis_options = kLru});
  RedisNode& replica = cluster.node(0, 1);
  Client client = cluster.Connect();
  ASSERT_EQ(client("SET", "read", "v"), "OK");
  ASSERT_EQ(client("SET", "not read", "v"), "OK");
  EXPECT_TRUE(Eventually([&] {
    for (int i = 0; i < 200; ++i) client("GET", "read");
    return Has(replica.Connect()("INFO", "commandstats").bytes, "cmdstat_touch:");
  }));
  EXPECT_GT(cluster.Status(0).nodes.size(), 1u);
  EXPECT_TRUE(Eventually([&] {
    client("GET", "read");
    const int64_t idle = replica.Connect()("OBJECT", "IDLETIME", "not read").integer;
    const int64_t of_read = replica.Connect()("OBJECT", "IDLETIME", "read").integer;
    for (int i = 0; i < 50; ++i) client("GET", "read");
    return idle >= 2 && of_read < idle;
  }));
}

TEST(NodeSettings, AreTakenBackWhenANodeOrAShardLeaves) {
  Words options = kLru;
  options.insert(options.end(), {"--notify-keyspace-events", "Kg"});
  ReloadWorld world({.redis_options = options});
  RedisNode& leaves = world.node("a", 1);
  RedisNode& goes = world.node("b", 1);
  RedisNode& stays = world.node("a", 0);
  ASSERT_TRUE(Gets(leaves, kNine) && Gets(goes, kNine));
  ASSERT_TRUE(Tells(leaves) && Tells(goes) && Tells(stays));
  world.file().shard("a").nodes.pop_back();
  world.ReloadAndSettle();
  EXPECT_TRUE(Gets(leaves, kEight));
  EXPECT_TRUE(Gets(leaves, "gK", kEvents)) << Setting(leaves, kEvents);
  EXPECT_TRUE(Gets(stays, "gK", kEvents)) << "it has nobody to be equal to";
  world.file().RemoveShard("b");
  world.ReloadAndSettle();
  EXPECT_TRUE(Gets(goes, kEight));
  EXPECT_TRUE(Gets(goes, "gK", kEvents));
}

TEST(NodeSettings, AreTakenBackWhenTheyAreTurnedOff) {
  ReloadWorld world({.shards = 1, .redis_options = kLru});
  RedisNode& primary = world.node("a", 0);
  RedisNode& replica = world.node("a", 1);
  ASSERT_TRUE(Gets(replica, kNine));
  ASSERT_TRUE(Tells(primary) && Tells(replica));
  world.file().options["removals"]["set_limits"] = "false";
  world.ReloadAndSettle();
  EXPECT_TRUE(Gets(replica, kEight));
  EXPECT_TRUE(Tells(replica));
  EXPECT_TRUE(
      Has(Shown(world.Connect(), replica.address(), "settings"), "maxmemory is left alone"));
  EXPECT_EQ(world.Connect()("CONFIG", "SET", "removals.follow", "no"), "OK");
  EXPECT_TRUE(Gets(primary, "", kEvents));
  EXPECT_TRUE(Gets(replica, "", kEvents));
  EXPECT_EQ(world.Connect()("CONFIG", "SET", "removals.follow", "yes"), "OK");
  EXPECT_TRUE(Tells(replica));
}

TEST(NodeSettings, WhatAnOperatorSetsIsTheNodesOwn) {
  ReloadWorld world({.shards = 1, .redis_options = kLru});
  RedisNode& replica = world.node("a", 1);
  ASSERT_TRUE(Gets(replica, kNine));
  ASSERT_TRUE(Tells(replica));
  replica.Connect()("CONFIG", "SET", "maxmemory", kSixteen);
  replica.Connect()("CONFIG", "SET", kEvents, "KEg");
  EXPECT_TRUE(Shows(world.port(), replica, "maxmemory_own", kSixteen));
  EXPECT_TRUE(Tells(replica));
  EXPECT_EQ(Setting(replica), kSixteen) << "it is more than is needed";
  replica.Connect()("CONFIG", "SET", "maxmemory", "4mb");
  EXPECT_TRUE(Gets(world.node("a", 0), "4194304"));
  EXPECT_TRUE(Gets(replica, "5242880"));
  world.file().shard("a").nodes.pop_back();
  world.ReloadAndSettle();
  EXPECT_TRUE(Gets(replica, "4194304"));
  EXPECT_TRUE(Gets(replica, "gKE", kEvents)) << Setting(replica, kEvents);
  EXPECT_TRUE(Gets(world.node("a", 0), kEight));
}

TEST(NodeSettings, NotificationsOfItsOwnStay) {
  Cluster cluster({.shards = 1, .redis_options = {"--notify-keyspace-events", "Kg$"}});
  RedisNode& node = cluster.node(0, 0);
  ASSERT_TRUE(Tells(node));
  Client listener = node.Connect();
  listener("SUBSCRIBE", "__keyspace@0__:mine");
  cluster.Connect()("SET", "mine", "1");
  EXPECT_EQ(listener.Read(), "[message __keyspace@0__:mine set]");
}

TEST(NodeSettings, AUserThatMayNotUseConfigIsSaidOnce) {
  Words options = kLru;
  options.insert(options.end(),
                 {"--user", "gemel", "on", ">secret", "~*", "&*", "+@all", "-config"});
  Cluster cluster({.shards = 1,
                   .shard_lines = "user = \"gemel\"\npassword = \"secret\"",
                   .redis_options = options});
  RedisNode& replica = cluster.node(0, 1);
  const std::string address = replica.address();
  EXPECT_TRUE(Eventually([&] {
    const std::string said = Shown(cluster.Connect(), address, "settings");
    return Has(said, "see to it that it is set to Exe") && Has(said, "set it to 9437184 there");
  })) << Shown(cluster.Connect(), address, "settings");
  EXPECT_TRUE(cluster.proxy().Logs(address + " refuses CONFIG GET notify-keyspace-events (NOPERM"));
  EXPECT_EQ(Shown(cluster.Connect(), address, "maxmemory"), kEight) << "INFO says it";
  EXPECT_EQ(Shown(cluster.Connect(), address, "notifications"), "unknown");
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  EXPECT_EQ(Setting(replica), kEight);
  // It is allowed.
  replica.Connect()("ACL", "SETUSER", "gemel", "+config");
  EXPECT_TRUE(Gets(replica, kNine));
  EXPECT_TRUE(Shows(cluster.proxy().port(), replica, "notifications", "on"));
  EXPECT_TRUE(Shows(cluster.proxy().port(), replica, "settings", ""));
}

TEST(NodeSettings, AGemelThatIsKilledKnowsThemAgain) {
  ReloadWorld world({.shards = 1, .redis_options = kLru});
  RedisNode& replica = world.node("a", 1);
  ASSERT_TRUE(Gets(replica, kNine));
  ASSERT_TRUE(Tells(replica));
  world.proxy().Kill();
  EXPECT_EQ(Setting(replica), kNine) << "no node loses its limit";
  world.proxy().Restart();
  ASSERT_TRUE(world.WaitUntilSettled());
  EXPECT_TRUE(Shows(world.port(), replica, "maxmemory", kNine));
  EXPECT_TRUE(Shows(world.port(), replica, "maxmemory_own", kEight));
  EXPECT_EQ(Setting(replica), kNine);
  world.file().shard("a").nodes.pop_back();
  world.ReloadAndSettle();
  EXPECT_TRUE(Gets(replica, kEight));
  EXPECT_TRUE(Gets(replica, "", kEvents));
}

}  // namespace
}  // namespace gemel::e2e::node_settings_test
