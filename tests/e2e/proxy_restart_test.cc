// The proxy itself stops or dies: nothing acknowledged is lost, roles and stale marks stay.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::proxy_restart_test {
namespace {

ClusterOptions Options(int workers = 1) {
  return {.shards = 2, .workers = workers, .sections = {{"health", kImpatientProbes}}};
}

TEST(ProxyRestart, AfterTermEverythingIsAsItWas) {
  Cluster cluster(Options());
  {
    Client client = cluster.Connect();
    for (int i = 0; i < 200; ++i) client("SET", "k" + std::to_string(i), std::to_string(i));
  }
  const ShardStatus before = cluster.Status(0);
  EXPECT_EQ(cluster.proxy().Stop(), 0);
  cluster.proxy().Restart();
  // The copies were in sync when it stopped in order: no resync is needed.
  Client client = cluster.Connect();
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(client("GET", "k" + std::to_string(i)), std::to_string(i));
  }
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(cluster.Status(0).epoch, before.epoch);
  cluster.ExpectCopiesEqual();
}

TEST(ProxyRestart, PromotionOutlivesIt) {
  for (const bool in_order : {true, false}) {
    Cluster cluster(Options());
    const std::string key = cluster.KeyOn(0);
    EXPECT_EQ(cluster.Connect()("SET", key, "v"), "OK");
    cluster.node(0, 0).Kill();
    EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
    EXPECT_EQ(cluster.Connect()("SET", key, "w"), "OK");
    const int64_t epoch = cluster.Status(0).epoch;
    if (in_order) {
      EXPECT_EQ(cluster.proxy().Stop(), 0);
    } else {
      cluster.proxy().Kill();
    }
    cluster.proxy().Restart();
    const ShardStatus shard = cluster.Status(0);
    EXPECT_EQ(shard.primary, cluster.node(0, 1).address());
    EXPECT_GE(shard.epoch, epoch);
    EXPECT_EQ(shard.Node(cluster.node(0, 0).address()).state, "stale");
    EXPECT_EQ(cluster.Connect()("GET", key), "w");
    cluster.node(0, 0).Start();
    cluster.ExpectCopiesEqual();
    EXPECT_EQ(cluster.Connect()("GET", key), "w");
  }
}

TEST(ProxyRestart, StaleMarkOutlivesItAndTheNodesRestart) {
  for (const bool in_order : {true, false}) {
    Cluster cluster(Options());
    const std::string key = cluster.KeyOn(0);
    EXPECT_EQ(cluster.Connect()("SET", key, "old"), "OK");
    // The replica hangs, misses a write, and wakes up only after the proxy was started anew.
    cluster.node(0, 1).Pause();
    EXPECT_EQ(cluster.Connect()("SET", key, "new"), "OK");
    EXPECT_EQ(cluster.Status(0).Node(cluster.node(0, 1).address()).state, "stale");
    if (in_order) {
      EXPECT_EQ(cluster.proxy().Stop(), 0);
    } else {
      cluster.proxy().Kill();
    }
    cluster.proxy().Restart();
    EXPECT_EQ(cluster.Status(0).Node(cluster.node(0, 1).address()).state, "stale");
    cluster.node(0, 1).Resume();
    cluster.ExpectCopiesEqual();
    EXPECT_EQ(cluster.Connect()("GET", key), "new");
  }
}

// The proxy is killed while clients write: what was acknowledged is there afterwards, and what was
// in flight is on both copies or on none.
void KilledUnderLoad(int workers) {
  Cluster cluster(Options(workers));
  int64_t acknowledged = 0;
  for (int round = 0; round < 3; ++round) {
    Client client = cluster.Connect();
    for (int i = 0; i < 200; ++i)
      ASSERT_EQ(client("INCR", "n"), ":" + std::to_string(++acknowledged));
    RawSocket socket(cluster.proxy().port());
    std::string burst;
    for (int i = 0; i < 2000; ++i) {
      burst += Encode({"RPUSH", "list:" + std::to_string(i % 50), std::to_string(round)});
    }
    socket.Send(burst);
    cluster.proxy().Kill();
    cluster.proxy().Restart();
    ASSERT_TRUE(cluster.WaitUntilInSync());
    cluster.ExpectCopiesEqual();
    EXPECT_EQ(cluster.Connect()("GET", "n"), std::to_string(acknowledged));
  }
}

TEST(ProxyRestart, KilledUnderLoad) { KilledUnderLoad(1); }
TEST(ProxyRestart, KilledUnderLoadThreaded) { KilledUnderLoad(2); }

// A node that hung has not read all that the killed proxy had sent: that is not applied after what
// the next one sends.
TEST(ProxyRestart, WhatAKilledProxyLeftComesBeforeEverythingOrNotAtAll) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"timeouts", "request_ms = 30000"}}});
  RedisNode& node = cluster.node(0, 0);
  EXPECT_EQ(cluster.Connect()("SET", "k", "first"), "OK");
  RawSocket socket(cluster.proxy().port());
  // A new client may have only a few requests under way until it has had replies.
  for (int i = 0; i < 100; ++i) socket.Send(Encode({"SET", "k", "first"}));
  socket.Read(500);
  node.Pause();
  std::string burst;
  for (int i = 0; i < 1500; ++i) burst += Encode({"SET", "k", std::string(1000, 'x')});
  socket.SendSome(burst);
  ASSERT_TRUE(Eventually([&] { return cluster.Status(0).Node(node.address()).pending >= 100; }))
      << cluster.Connect()("PROXY", "SHARDS").Text();
  cluster.proxy().Kill();
  cluster.proxy().Restart();
  node.Resume();
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "new"), "OK");
  // A node reads 16 kB of a connection between two commands of another.
  Client direct = node.Connect();
  for (int i = 0; i < 500; ++i) ASSERT_EQ(direct("PING"), "PONG");
  EXPECT_EQ(direct("GET", "k"), "new");
}

TEST(ProxyRestart, NodeThatRestartedMeanwhileLostItsData) {
  Cluster cluster(Options());
  const std::string key = cluster.KeyOn(0);
  EXPECT_EQ(cluster.Connect()("SET", key, "v"), "OK");
  EXPECT_EQ(cluster.proxy().Stop(), 0);
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start();
  cluster.proxy().Restart();
  EXPECT_EQ(cluster.Connect()("GET", key), "v");
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(cluster.Connect()("GET", key), "v");
}

TEST(ProxyRestart, DamagedStateIsRefused) {
  Cluster cluster(Options());
  EXPECT_EQ(cluster.proxy().Stop(), 0);
  const std::string folder = cluster.proxy().folder() + "/state";
  int damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string text = ReadFile(entry.path());
    if (text.empty()) continue;
    WriteFile(entry.path(), text.substr(0, text.size() / 2));
    ++damaged;
  }
  EXPECT_GE(damaged, 1);
  const Finished finished = RunProgram({GemelBinary(), "-c", cluster.proxy().config_path()});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.output.find("state"), std::string::npos) << finished.output;
}

}  // namespace
}  // namespace gemel::e2e::proxy_restart_test
