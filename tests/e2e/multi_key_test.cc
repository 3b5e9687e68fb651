// Commands on several keys: split and merged in argument order, refused where they need one shard.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::multi_key_test {
namespace {

constexpr const char* kCrossSlot = "-CROSSSLOT Keys in request don't hash to the same slot";

TEST(MultiKey, SplitsAndMergesInArgumentOrder) {
  for (const int workers : {1, 2}) {
    Cluster cluster({.shards = 3, .workers = workers});
    Client client = cluster.Connect();
    Words mset = {"MSET"};
    Words mget = {"MGET"};
    std::string expected = "[";
    for (int i = 0; i < 100; ++i) {
      const std::string key = "k" + std::to_string(i);
      mset.insert(mset.end(), {key, "v" + std::to_string(i)});
      mget.insert(mget.end(), {key, "none" + key});
      expected += (i > 0 ? " v" : "v") + std::to_string(i) + " (nil)";
    }
    EXPECT_EQ(client.Run(mset), "OK");
    EXPECT_EQ(client.Run(mget), expected + "]");
    EXPECT_EQ(client("MGET", "k2", "k1", "k2"), "[v2 v1 v2]");
    EXPECT_EQ(client("EXISTS", "k1", "k1", "k2", "none"), ":3");
    EXPECT_EQ(client("TOUCH", "k1", "k2", "k3", "none"), ":3");
    EXPECT_EQ(client("DEL", "k1", "k2", "k1", "none"), ":2");
    EXPECT_EQ(client("UNLINK", "k3", "k4", "k5", "none"), ":3");
    EXPECT_EQ(client("MSET", "a", "1", "a", "2"), "OK");
    EXPECT_EQ(client("GET", "a"), "2");
    EXPECT_EQ(client("LPUSH", "list", "x"), ":1");
    EXPECT_EQ(client("MGET", "list", "a"), "[(nil) 2]");
    EXPECT_EQ(client("MSET", "a"), "-ERR wrong number of arguments for 'mset' command");
    EXPECT_EQ(client("MSET", "a", "1", "b"), "-ERR wrong number of arguments for 'mset' command");
    EXPECT_EQ(client("MGET"), "-ERR wrong number of arguments for 'mget' command");
    cluster.ExpectCopiesEqual();
  }
}

TEST(MultiKey, TenThousandKeysInOneCommand) {
  Cluster cluster({.shards = 2});
  Client client = cluster.Connect();
  Words mset = {"MSET"};
  Words mget = {"MGET"};
  for (int i = 0; i < 10000; ++i) {
    mset.insert(mset.end(), {"k" + std::to_string(i), std::to_string(i)});
    mget.push_back("k" + std::to_string(i));
  }
  EXPECT_EQ(client.Run(mset), "OK");
  const Reply reply = client.Run(mget);
  ASSERT_EQ(reply.items.size(), 10000u);
  for (size_t i = 0; i < 10000; ++i) ASSERT_EQ(reply.items[i], std::to_string(i));
  mget[0] = "DEL";
  EXPECT_EQ(client.Run(mget), ":10000");
  EXPECT_EQ(client("DBSIZE"), ":0");
}

TEST(MultiKey, KeysOnSeveralShardsAreRefusedWhereOneIsNeeded) {
  Cluster cluster;
  Client client = cluster.Connect();
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  EXPECT_EQ(client("RENAME", a, b), kCrossSlot);
  EXPECT_EQ(client("SINTER", a, b), kCrossSlot);
  EXPECT_EQ(client("LMOVE", a, b, "LEFT", "LEFT"), kCrossSlot);
  EXPECT_EQ(client("ZUNIONSTORE", a, "1", b), kCrossSlot);
  EXPECT_EQ(client("MSETNX", a, "1", b, "2"), kCrossSlot);
  EXPECT_EQ(client("BITOP", "AND", a, a, b), kCrossSlot);
  EXPECT_EQ(client("XREAD", "STREAMS", a, b, "0", "0"), kCrossSlot);
  EXPECT_EQ(client("SORT", a, "STORE", b), kCrossSlot);
  EXPECT_EQ(client("EXISTS", a, b), ":0");
}

TEST(MultiKey, HashTagsKeepKeysTogether) {
  Cluster cluster({.shards = 4, .copies = 1});
  Client client = cluster.Connect();
  for (int tag = 0; tag < 20; ++tag) {
    const std::string name = "{user" + std::to_string(tag) + "}";
    EXPECT_EQ(client("MSETNX", name + ".a", "1", "x" + name + "y", "2", name, "3"), ":1");
    EXPECT_EQ(client("RENAME", name + ".a", name + ".b"), "OK");
    EXPECT_EQ(cluster.ShardOf(name + ".b"), cluster.ShardOf("user" + std::to_string(tag)));
  }
}

// Keys that only patterns name are found where their hash tag is the sorted key's.
TEST(MultiKey, SortWithPatternsOfOneHashTag) {
  Cluster cluster({.shards = 3, .copies = 2});
  RedisNode alone;
  Wire gemel(cluster.proxy().port());
  Wire redis(alone.port());
  const auto same = [&](const Words& words) {
    const std::string reply = gemel.Ask(words);
    EXPECT_EQ(reply, redis.Ask(words)) << words[0] << " " << words.back();
    return reply;
  };
  for (int tag = 0; tag < 6; ++tag) {
    const std::string t = "{t" + std::to_string(tag) + "}";
    for (int i = 0; i < 9; ++i) {
      const std::string n = std::to_string(i);
      same({"RPUSH", t + "list", n});
      same({"SET", t + "w_" + n, std::to_string(i * 5 % 9)});
      same({"SET", t + "v_" + n, "value " + n});
      same({"HSET", t + "h_" + n, "f", "field " + n, "w", std::to_string(i * 2 % 9)});
    }
    EXPECT_EQ(same({"SORT", t + "list", "BY", t + "w_*", "GET", t + "v_*"})[0], '*');
    same({"SORT_RO", t + "list", "BY", t + "h_*->w", "GET", "#", "GET", t + "h_*->f", "DESC"});
    same({"SORT", t + "list", "BY", "nosort", "GET", t + "v_*", "GET", t + "none_*"});
    same({"SORT", t + "list", "BY", t + "w_*", "ALPHA", "STORE", t + "to"});
    same({"LRANGE", t + "to", "0", "-1"});
    EXPECT_NE(gemel.Ask({"SORT", t + "list", "BY", "w_*"}).find("hash tag"), std::string::npos);
  }
  cluster.ExpectCopiesEqual();
}

TEST(MultiKey, AShardThatIsDownSpoilsItsOwnKeysOnly) {
  Cluster cluster(
      {.copies = 1, .sections = {{"timeouts", "request_ms = 1000\nreconnect_max_ms = 100"}}});
  Client client = cluster.Connect();
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  EXPECT_EQ(client("MSET", a, "1", b, "2"), "OK");
  cluster.node(1, 0).Kill();
  const Reply mget = client("MGET", b, a, b);
  ASSERT_EQ(mget.items.size(), 3u) << mget;
  EXPECT_TRUE(mget.items[0].IsError());
  EXPECT_EQ(mget.items[1], "1");
  EXPECT_TRUE(mget.items[2].IsError());
  for (const Reply& reply :
       {client("MSET", a, "3", b, "4"), client("DEL", a, b), client("DBSIZE")}) {
    EXPECT_TRUE(reply.IsError()) << reply;
    EXPECT_NE(reply.Text().find("shard 'b'"), std::string::npos) << reply;
  }
  EXPECT_EQ(client("PING"), "PONG");
  EXPECT_EQ(client("SET", a, "5"), "OK");
  EXPECT_EQ(client("GET", a), "5");
  cluster.node(1, 0).Start();
  EXPECT_TRUE(Eventually([&] { return client("SET", b, "6") == "OK"; }));
  EXPECT_EQ(client("MGET", a, b), "[5 6]");
}

}  // namespace
}  // namespace gemel::e2e::multi_key_test
