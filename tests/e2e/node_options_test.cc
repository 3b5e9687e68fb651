// CONFIG GET and SET of options that only the nodes have; SAVE and its kind; MEMORY.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::node_options_test {
namespace {

constexpr char kEntries[] = "hash-max-listpack-entries";
constexpr char kEvents[] = "notify-keyspace-events";

std::string Of(Client client, const std::string& name) {
  const Reply reply = client("CONFIG", "GET", name);
  return reply.items.size() == 2 ? reply.items[1].bytes : reply.Text();
}

bool AllHave(Cluster* cluster, const std::string& name, const std::string& value) {
  return Eventually([&] {
    for (int shard = 0; shard < cluster->shards(); ++shard) {
      for (int copy = 0; copy < cluster->copies(); ++copy) {
        RedisNode& node = cluster->node(shard, copy);
        if (node.running() && Of(node.Connect(), name) != value) return false;
      }
    }
    return true;
  });
}

TEST(NodeOptions, AreSetOnAllNodesThreaded) {
  Cluster cluster({.shards = 3, .workers = 2});
  for (int i = 0; i < 4; ++i) {  // of both workers
    const std::string value = std::to_string(100 + i);
    Client client = cluster.Connect();
    EXPECT_EQ(
        client("CONFIG", "SET", "Hash-Max-Listpack-Entries", value, "set-max-intset-entries", "77"),
        "OK");
    EXPECT_EQ(Of(cluster.Connect(), kEntries), value);
    EXPECT_TRUE(AllHave(&cluster, kEntries, value));
    EXPECT_TRUE(AllHave(&cluster, "set-max-intset-entries", "77"));
  }
  Client client = cluster.Connect();
  // With patterns, beside gemel's own.
  const std::string some = client("CONFIG", "GET", "*max*").Text();
  EXPECT_TRUE(Has(some, "maxclients ") && Has(some, std::string(kEntries) + " 103")) << some;
  EXPECT_EQ(client("CONFIG", "GET", "nosuchoption"), "[]");
  EXPECT_FALSE(Has(client("CONFIG", "GET", "*").Text(), "masterauth"));
  // gemel's own and the nodes' at once, or none of them.
  EXPECT_EQ(client("CONFIG", "SET", kEntries, "55", "maxclients", "7777"), "OK");
  EXPECT_EQ(Of(cluster.Connect(), "maxclients"), "7777");
  EXPECT_TRUE(AllHave(&cluster, kEntries, "55"));
  EXPECT_TRUE(client("CONFIG", "SET", kEntries, "56", "limits.max_bulk", "1").IsError());
  EXPECT_TRUE(AllHave(&cluster, kEntries, "55"));
  // Nor does anybody get it later.
  RedisNode& replica = cluster.node(0, 1);
  replica.Kill();
  replica.Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(AllHave(&cluster, kEntries, "55"));
}

TEST(NodeOptions, WhatANodeRefusesChangesNothing) {
  Cluster cluster;
  Client client = cluster.Connect();
  const std::string before = Of(cluster.Connect(), "hz");
  const Reply unknown = client("CONFIG", "SET", "hz", "33", "nosuchoption", "1");
  EXPECT_TRUE(
      Has(unknown.bytes, "Unknown option or number of arguments for CONFIG SET - 'nosuchoption'"))
      << unknown;
  EXPECT_TRUE(AllHave(&cluster, "hz", before));
  const Reply wrong = client("CONFIG", "SET", kEntries, "many");
  EXPECT_TRUE(Has(wrong.bytes,
                  "CONFIG SET failed (possibly related to argument 'hash-max-listpack-entries')"))
      << wrong;
  // One node that does not let itself be changed.
  RedisNode& last = cluster.node(1, 1);
  last.Connect()("ACL", "SETUSER", "default", "-config|set");
  const Reply refused = client("CONFIG", "SET", "hz", "44");
  EXPECT_TRUE(refused.IsError() && Has(refused.bytes, "nothing is changed")) << refused;
  EXPECT_TRUE(AllHave(&cluster, "hz", before));
  last.Connect()("ACL", "SETUSER", "default", "+config|set");
  EXPECT_EQ(client("CONFIG", "SET", "hz", "44"), "OK");
  // What is each node's, or gemel's to keep.
  for (const char* name : {"port", "dbfilename", "replica-read-only", "min-replicas-to-write",
                           "masterauth", "tls-port", "ACLFILE", "unixsocket"}) {
    const Reply reply = client("CONFIG", "SET", name, "1");
    EXPECT_TRUE(Has(reply.bytes, "CONFIG SET failed (possibly related to argument")) << reply;
  }
}

TEST(NodeOptions, WhereTheNodesDifferThatIsSaid) {
  Cluster cluster;
  Client client = cluster.Connect();
  cluster.node(1, 0).Connect()("CONFIG", "SET", kEntries, "9");
  const Reply reply = client("CONFIG", "GET", kEntries);
  EXPECT_TRUE(
      reply.IsError() &&
      Has(reply.bytes, "the nodes have different values of '" + std::string(kEntries) + "'") &&
      Has(reply.bytes, cluster.node(1, 0).address() + " has '9'"))
      << reply;
  const std::string all = client("CONFIG", "GET", "hash-max*").Text();
  EXPECT_FALSE(Has(all, kEntries)) << all;
  EXPECT_TRUE(Has(all, "hash-max-listpack-value")) << all;
  EXPECT_EQ(client("CONFIG", "SET", kEntries, "128"), "OK");
  EXPECT_EQ(Of(cluster.Connect(), kEntries), "128");
}

// A node that restarts, one that was away, and a gemel that begins anew.
TEST(NodeOptions, AreSetAgainOnNodesThatRestart) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  ASSERT_EQ(client("CONFIG", "SET", kEntries, "99", "maxmemory-policy", "allkeys-lfu", "maxmemory",
                   "100mb"),
            "OK");
  EXPECT_EQ(Of(cluster.Connect(), "maxmemory"), "104857600");
  RedisNode& replica = cluster.node(0, 1);
  replica.Kill();
  ASSERT_EQ(client("CONFIG", "SET", "set-max-intset-entries", "11"), "OK");
  replica.Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(AllHave(&cluster, kEntries, "99"));
  EXPECT_TRUE(AllHave(&cluster, "set-max-intset-entries", "11"));
  EXPECT_TRUE(AllHave(&cluster, "maxmemory-policy", "allkeys-lfu"));
  EXPECT_EQ(Of(cluster.Connect(), "maxmemory"), "104857600") << "the primary's";
  ASSERT_EQ(cluster.proxy().Stop(), 0);
  cluster.proxy().Restart();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  cluster.node(0, 0).Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, replica));
  cluster.node(0, 0).Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(AllHave(&cluster, kEntries, "99"));
  EXPECT_TRUE(AllHave(&cluster, "set-max-intset-entries", "11"));
}

TEST(NodeOptions, NewNodesAndShardsGetThem) {
  ReloadWorld world({.shards = 1});
  Client client = world.Connect();
  ASSERT_EQ(client("CONFIG", "SET", kEntries, "42"), "OK");
  const std::string one = world.NewNode();
  const std::string two = world.NewNode();
  world.file().shards.push_back({"new", {one, two}});
  world.ReloadAndSettle();
  for (const std::string& address : {one, two}) {
    EXPECT_TRUE(Eventually([&] { return Of(world.node(address).Connect(), kEntries) == "42"; }));
  }
}

// As Spring Session does at its start: it adds the letters that it misses. gemel's own are there
// besides, and are not shown.
TEST(NodeOptions, NotificationsOfTheClientAndOfGemel) {
  Cluster cluster;
  Client client = cluster.Connect();
  EXPECT_EQ(Of(cluster.Connect(), kEvents), "");
  EXPECT_EQ(client("CONFIG", "SET", kEvents, "Egx"), "OK");
  EXPECT_EQ(Of(cluster.Connect(), kEvents), "gxE");
  const auto tells = [&](RedisNode& node) {
    return Eventually([&] {
      const std::string flags = Of(node.Connect(), kEvents);
      return Has(flags, "g") && Has(flags, "x") && Has(flags, "e") && Has(flags, "E");
    });
  };
  EXPECT_TRUE(tells(cluster.node(0, 0)) && tells(cluster.node(1, 1)));
  EXPECT_EQ(Of(cluster.Connect(), kEvents), "gxE");
  Client listener = cluster.Connect();
  listener("PSUBSCRIBE", "__keyevent@0__:*");
  ASSERT_EQ(client("SET", "k", "v"), "OK");
  ASSERT_EQ(client("DEL", "k"), ":1");
  EXPECT_EQ(listener.Read(), "[pmessage __keyevent@0__:* __keyevent@0__:del k]");
  RedisNode& node = cluster.node(0, 0);
  node.Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  node.Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(tells(node)) << Of(node.Connect(), kEvents);
  EXPECT_EQ(Of(cluster.Connect(), kEvents), "gxE");
}

TEST(NodeOptions, CanBeSwitchedOff) {
  ReloadWorld world({.shards = 1});
  Client client = world.Connect();
  ASSERT_EQ(client("CONFIG", "SET", kEntries, "42"), "OK");
  world.file().options["commands"]["node_options"] = "false";
  world.Reload();
  EXPECT_TRUE(Has(client("CONFIG", "SET", kEntries, "43").bytes, "Unknown option"));
  EXPECT_EQ(client("CONFIG", "GET", kEntries), "[]");
  EXPECT_EQ(client("CONFIG", "GET", "save"), "[save ]");
}

TEST(NodeOptions, SavingIsThatOfAllNodes) {
  Cluster cluster;
  Client client = cluster.Connect();
  ASSERT_EQ(client("SET", "k", "v"), "OK");
  const int64_t before = client("LASTSAVE").integer;
  EXPECT_GT(before, 1600000000);
  EXPECT_TRUE(Eventually([&] {  // the time has whole seconds
    EXPECT_EQ(client("SAVE"), "OK");
    for (int shard = 0; shard < 2; ++shard) {
      for (int copy = 0; copy < 2; ++copy) {
        if (cluster.node(shard, copy).Connect()("LASTSAVE").integer <= before) return false;
      }
    }
    return client("LASTSAVE").integer > before;
  }));
  const int64_t saved = client("LASTSAVE").integer;
  EXPECT_TRUE(Eventually([&] {
    const Reply reply = client("BGSAVE");
    EXPECT_TRUE(reply == "Background saving started" || Has(reply.bytes, "in progress")) << reply;
    return client("LASTSAVE").integer > saved;
  }));
  EXPECT_EQ(client("BGSAVE", "now"), "-ERR syntax error");
  EXPECT_TRUE(Eventually([&] {
    const Reply reply = client("BGREWRITEAOF");
    return Has(reply.bytes, "Background append only file rewriting");
  }));
  cluster.node(0, 0).Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(Eventually([&] { return client("SAVE") == "OK"; })) << "of those that are there";
}

TEST(NodeOptions, MemoryOfTheNodes) {
  Cluster two;
  Cluster one({.shards = 1});
  RedisNode bare;
  Client redis = bare.Connect();
  for (Cluster* cluster : {&one, &two}) {
    Client client = cluster->Connect();
    ASSERT_EQ(client("SET", "k", "v"), "OK");
    const Reply stats = client("MEMORY", "STATS");
    const Reply of_redis = redis("MEMORY", "STATS");
    for (size_t i = 0; i < of_redis.items.size(); i += 2) {
      const std::string& name = of_redis.items[i].bytes;
      if (name.starts_with("db.")) continue;
      EXPECT_EQ(stats.Field(name).kind, of_redis.items[i + 1].kind) << name;
    }
    EXPECT_EQ(stats.Field("keys.count").integer, 1);
    int64_t peak = 0;
    for (int shard = 0; shard < cluster->shards(); ++shard) {
      peak +=
          cluster->node(shard, 0).Connect()("MEMORY", "STATS").Field("startup.allocated").integer;
    }
    EXPECT_EQ(stats.Field("startup.allocated").integer, peak);
    EXPECT_TRUE(Has(client("MEMORY", "DOCTOR").bytes, "Sam"));
    EXPECT_TRUE(Has(client("MEMORY", "MALLOC-STATS").bytes, "jemalloc"));
    EXPECT_EQ(client("MEMORY", "PURGE"), "OK");
    EXPECT_GT(client("MEMORY", "HELP").items.size(), 8u);
    EXPECT_EQ(client("MEMORY", "STATS", "more"), redis("MEMORY", "STATS", "more").Text());
  }
}

}  // namespace
}  // namespace gemel::e2e::node_options_test
