// A stale copy that comes back is made equal, while clients go on.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::resync_test {
namespace {

ClusterOptions Options() { return {.shards = 1, .sections = {{"health", kImpatientProbes}}}; }

TEST(Resync, KilledReplicaComesBackEqual) {
  Cluster cluster(Options());
  Client client = cluster.Connect();
  for (int i = 0; i < 500; ++i) client("SET", "k" + std::to_string(i), "v");
  cluster.node(0, 1).Kill();
  for (int i = 250; i < 750; ++i) ASSERT_EQ(client("SET", "k" + std::to_string(i), "w"), "OK");
  client("HSET", "h", "f", "v");
  client("EXPIRE", "h", "10000");
  cluster.node(0, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(cluster.node(0, 1).Connect()("DBSIZE"), ":751");
  // It is an ordinary server again, and is written to.
  EXPECT_EQ(cluster.node(0, 1).Connect()("ROLE").items.at(0), "master");
  EXPECT_EQ(client("SET", "after", "v"), "OK");
  EXPECT_EQ(cluster.node(0, 1).Connect()("GET", "after"), "v");
}

TEST(Resync, UnderLoad) {
  Cluster cluster(Options());
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 8});
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(load.WaitForMore(300));
    cluster.node(0, 1).Kill();
    EXPECT_TRUE(load.WaitForMore(300));
    cluster.node(0, 1).Start();
    ASSERT_TRUE(cluster.WaitUntilInSync());
    EXPECT_TRUE(load.WaitForMore(300));
  }
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

// While Redis's own replication makes the copy, it carries these over otherwise, or not at all.
TEST(Resync, WritesThatReplicationCarriesOverOtherwise) {
  Cluster cluster(Options());
  Client client = cluster.Connect();
  for (int i = 0; i < 300; ++i) client("SADD", "set", "m" + std::to_string(i));
  for (int i = 0; i < 100; ++i) client("SET", "k" + std::to_string(i), std::string(50000, 'v'));
  client("XADD", "stream", "1-1", "f", "v");
  client("XGROUP", "CREATE", "stream", "g", "0");
  client("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">");
  cluster.node(0, 1).Kill();
  ASSERT_EQ(client("SET", "k0", "w"), "OK");
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    Client writes = cluster.Connect();
    for (int i = 0; i < 100000 && !stop; ++i) {
      const std::string at = std::to_string(i % 1000);
      writes("BITFIELD", "b" + at, "OVERFLOW", "FAIL", "SET", "u2", std::to_string(100 + i), "9");
      writes("SORT", "set", "BY", "none*", "ALPHA", "STORE", "sorted" + at);
      writes("XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", "0");
      writes("EVAL",
             "return redis.call('BITFIELD',KEYS[1],'OVERFLOW','FAIL','SET','u2',ARGV[1],'9')", "1",
             "e" + at, std::to_string(100 + i));
      writes("MULTI");
      writes("BITFIELD", "t" + at, "OVERFLOW", "FAIL", "SET", "u2", std::to_string(100 + i), "9");
      writes("SET", "plain", at);
      EXPECT_EQ(writes("EXEC"), "[[(nil)] OK]");
    }
  });
  cluster.node(0, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  stop = true;
  writer.join();
  cluster.ExpectCopiesEqual();
  // How often an entry was delivered is in no digest.
  const auto delivered = [&](int copy) {
    return cluster.node(0, copy)
        .Connect()("XPENDING", "stream", "g", "-", "+", "1")
        .items.at(0)
        .items.at(3)
        .Text();
  };
  EXPECT_EQ(delivered(0), delivered(1));
}

TEST(Resync, OldPrimaryServesAgain) {
  Cluster cluster(Options());
  Client client = cluster.Connect();
  client("SET", "k", "1");
  cluster.node(0, 0).Kill();
  EXPECT_EQ(client("INCR", "k"), ":2");
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.node(0, 1).Kill();  // the promoted one: back to the first
  EXPECT_EQ(client("INCR", "k"), ":3");
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 0)));
  cluster.node(0, 1).Start();
  cluster.ExpectCopiesEqual();
}

TEST(Resync, NodeThatDiesInTheMiddleIsTriedAgain) {
  Cluster cluster(Options());
  Client client = cluster.Connect();
  const std::string value(100000, 'v');
  for (int i = 0; i < 300; ++i) ASSERT_EQ(client("SET", "k" + std::to_string(i), value), "OK");
  for (int round = 0; round < 3; ++round) {
    cluster.node(0, 1).Kill();
    ASSERT_EQ(client("INCR", "n"), ":" + std::to_string(round + 1));
    cluster.node(0, 1).Start();
    std::this_thread::sleep_for(std::chrono::milliseconds(50 * round));  // some way into the copy
    cluster.node(0, 1).Kill();
    cluster.node(0, 1).Start();
  }
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
}

TEST(Resync, DataAlreadyThereAtTheFirstStart) {
  // A gemel put before servers that differ: the primary of the config is right.
  RedisNode primary;
  RedisNode replica;
  primary.Connect()("SET", "k", "right");
  replica.Connect()("SET", "k", "wrong");
  replica.Connect()("SET", "other", "wrong");
  ProxyProcess proxy;
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\n[read]\nfrom = \"replica\"\n[[shard]]\nname = \"a\"\nprimary = \"" +
              primary.address() + "\"\nreplicas = [\"" + replica.address() + "\"]\n");
  Client client(proxy.port());
  EXPECT_EQ(client("GET", "k"), "right");
  EXPECT_EQ(client("GET", "other"), "(nil)");
  EXPECT_TRUE(Eventually([&] { return replica.Digest() == primary.Digest(); }));
  EXPECT_EQ(client("SET", "k", "new"), "OK");
  EXPECT_TRUE(Eventually([&] { return replica.Connect()("GET", "k") == "new"; }));
}

TEST(Resync, DivergedKeysAreMadeEqual) {
  // Somebody changes one copy behind the proxy's back: the first write whose replies differ shows
  // it.
  Cluster cluster(Options());
  Client client = cluster.Connect();
  EXPECT_EQ(client("RPUSH", "list", "a", "b"), ":2");
  cluster.node(0, 1).Connect()("RPUSH", "list", "bypassed");
  EXPECT_EQ(client("RPUSH", "list", "c"), ":3");
  EXPECT_TRUE(
      Eventually([&] { return cluster.node(0, 1).Digest() == cluster.node(0, 0).Digest(); }));
  EXPECT_EQ(client("LRANGE", "list", "0", "-1"), "[a b c]");
  cluster.ExpectCopiesEqual();
  // It was counted and told, and cost the copy nothing.
  const Reply shard = client("PROXY", "SHARDS").items.at(0);
  EXPECT_EQ(shard.Field("diverged"), ":1");
  EXPECT_EQ(shard.Field("repaired"), ":1");
  EXPECT_EQ(shard.Field("resyncs"), ":0");
  EXPECT_TRUE(cluster.proxy().Logs(
      "shard 'a': the copies answered RPUSH differently; its 1 key(s) are being repaired"));
}

}  // namespace
}  // namespace gemel::e2e::resync_test
