// A node dies, hangs or comes back empty, under load: clients see no error, nothing acknowledged is
// lost, nothing is applied twice, and the copies end equal.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::promotion_test {
namespace {

ClusterOptions Options(int workers) {
  return {.shards = 2,
          .workers = workers,
          .sections = {{"health", kImpatientProbes},
                       {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}}};
}

class Promotion : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, Promotion, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(Promotion, KilledPrimaryUnderLoad) {
  Cluster cluster(Options(GetParam()));
  const int64_t epoch = cluster.Status(0).epoch;
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(1000));
  cluster.node(0, 0).Kill();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(load.WaitForMore(1000));
  const ShardStatus shard = cluster.Status(0);
  EXPECT_GT(shard.epoch, epoch);
  EXPECT_EQ(shard.Node(cluster.node(0, 0).address()).state, "stale");
  EXPECT_EQ(shard.Node(cluster.node(0, 0).address()).health, "down");
  EXPECT_EQ(cluster.Status(1).primary, cluster.node(1, 0).address());
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(load.WaitForMore(1000));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, BothShardsTurnByTurn) {
  // Every node of the cluster is killed once, each time after the copies were made equal again.
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  for (int shard = 0; shard < 2; ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      EXPECT_TRUE(load.WaitForMore(300));
      cluster.node(shard, copy).Kill();
      EXPECT_TRUE(cluster.WaitUntilPrimary(shard, cluster.node(shard, 1 - copy)));
      EXPECT_TRUE(load.WaitForMore(300));
      cluster.node(shard, copy).Start();
      ASSERT_TRUE(cluster.WaitUntilInSync());
    }
  }
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, APrimaryThatBecomesReadOnlyLosesItsPlace) {
  // Somebody makes the primary a REPLICAOF replica of its own replica: it refuses writes, which the
  // other copy has applied.
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(0, 0).Connect()("REPLICAOF", "127.0.0.1", std::to_string(cluster.node(0, 1).port()));
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(load.WaitForMore(500));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, HungPrimaryUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(0, 0).Pause();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(load.WaitForMore(500));
  // It wakes, and applies what it had been sent and not answered: it is stale, nobody reads it.
  cluster.node(0, 0).Resume();
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_TRUE(cluster.WaitUntilInSync());
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, KilledReplicaUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(1, 1).Kill();
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Status(1).Node(cluster.node(1, 1).address()).state == "stale"; }));
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_EQ(cluster.Status(1).primary, cluster.node(1, 0).address());
  cluster.node(1, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, HungReplicaUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(0, 1).Pause();
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Status(0).Node(cluster.node(0, 1).address()).state == "stale"; }));
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(0, 1).Resume();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, PrimaryThatRestartsAtOnceComesBackEmpty) {
  // So fast that no probe need see it down: its run_id tells that its data is gone.
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start();
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(cluster.WaitUntilInSync());
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Promotion, StoppedPrimaryUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  cluster.node(0, 0).Stop();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(load.WaitForMore(500));
  load.Stop();
  load.Verify(cluster.proxy().port());
}

TEST(PromotionOfAnIdleShard, KeepsTheData) {
  Cluster cluster(Options(1));
  Client client = cluster.Connect();
  const std::string key = cluster.KeyOn(0);
  EXPECT_EQ(client("SET", key, "v"), "OK");
  cluster.node(0, 0).Kill();
  EXPECT_EQ(client("GET", key), "v");
  EXPECT_EQ(client("SET", key, "w"), "OK");
  EXPECT_EQ(client("GET", key), "w");
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(cluster.proxy().Logs("shard 'a': promoted " + cluster.node(0, 1).address() +
                                   " to primary (epoch " + std::to_string(cluster.Status(0).epoch) +
                                   "); " + cluster.node(0, 0).address() + " is stale: "));
}

TEST(PromotionOfAnIdleShard, AStaleCopyIsNeverPromotedNorRead) {
  Cluster cluster({.shards = 1,
                   .sections = {{"health", kImpatientProbes},
                                {"timeouts", "request_ms = 1000\nreconnect_max_ms = 100"},
                                {"resync", "retry_ms = 3600000"}}});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "old"), "OK");
  cluster.node(0, 1).Pause();
  EXPECT_EQ(client("SET", "k", "new"), "OK");  // answered by the primary alone
  EXPECT_EQ(cluster.Status(0).Node(cluster.node(0, 1).address()).state, "stale");
  cluster.node(0, 0).Kill();
  cluster.node(0, 1).Resume();  // it answers, and holds "old" or "new", nobody knows
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Status(0).Node(cluster.node(0, 1).address()).health == "up"; }));
  for (int i = 0; i < 5; ++i) {
    const Reply reply = client("GET", "k");
    EXPECT_TRUE(reply.IsError()) << reply;
  }
  EXPECT_TRUE(client("SET", "k", "x").IsError());
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 0).address());
}

}  // namespace
}  // namespace gemel::e2e::promotion_test
