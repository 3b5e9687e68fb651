// The only copy in sync comes back with what it had saved: never old values, unless somebody says
// so.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::data_loss_test {
namespace {

class DataLoss : public ::testing::TestWithParam<bool> {};

TEST_P(DataLoss, OldValuesOfTheOnlyCopyInSync) {
  const bool miss = GetParam();
  Cluster cluster(
      {.shards = 1,
       .sections = {{"health", kImpatientProbes},
                    {"write", miss ? "on_data_loss = \"miss\"" : "on_data_loss = \"refuse\""}}});
  Client client = cluster.Connect();
  cluster.node(0, 1).Kill();
  EXPECT_EQ(client("SET", "k", "old"), "OK");
  EXPECT_EQ(cluster.node(0, 0).Connect()("SAVE"), "OK");
  EXPECT_EQ(client("SET", "k", "new"), "OK");
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start(/*with_dump=*/true);
  ASSERT_EQ(cluster.node(0, 0).Connect()("EXISTS", "k"), ":1");
  if (miss) {
    EXPECT_TRUE(Eventually([&] {
      const std::string value = client("GET", "k").Text();
      EXPECT_NE(value, "old");
      return value == "(nil)";
    })) << cluster.proxy().Log();
  } else {
    const std::string node = cluster.node(0, 0).address();
    const auto down = [&] {
      const std::string value = client("GET", "k").Text();
      EXPECT_NE(value, "old");
      return value.find("PROXY PROMOTE a " + node + " FORCE accepts it as it is") !=
             std::string::npos;
    };
    EXPECT_TRUE(Eventually(down)) << client("GET", "k").Text();
    EXPECT_TRUE(client("PROXY", "PROMOTE", "a", node).Text().starts_with("-ERR"));
    EXPECT_TRUE(client("PROXY", "PROMOTE", "a", node, "FORCE").Text().starts_with("OK"));
    EXPECT_EQ(client("GET", "k"), "old");
  }
  EXPECT_EQ(client("SET", "k", "newer"), "OK");
  cluster.node(0, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
}

// Both copies are lost, one after the other, and the one that has everything returns with it.
TEST(DataOnDisk, OfACopyThatKeepsEveryWriteIsServedAtOnce) {
  Cluster cluster({.shards = 2,
                   .sections = {{"health", kImpatientProbes}},
                   .redis_options = {"--appendonly", "yes", "--appendfsync", "always"}});
  Client client = cluster.Connect();
  const std::string key = cluster.KeyOn(0);
  const std::string other = cluster.KeyOn(1);
  cluster.node(0, 1).Kill();
  EXPECT_EQ(client("SET", key, "v"), "OK");
  cluster.node(0, 0).Kill();
  EXPECT_TRUE(client("GET", key).Text().starts_with("-CLUSTERDOWN"));
  EXPECT_EQ(client("SET", other, "v"), "OK");
  cluster.node(0, 0).Start();
  EXPECT_TRUE(Eventually([&] { return client("GET", key).Text() == "v"; }))
      << client("GET", key).Text();
  EXPECT_EQ(client("SET", key, "w"), "OK");
  cluster.node(0, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
}

INSTANTIATE_TEST_SUITE_P(, DataLoss, ::testing::Bool());

class AckLoss : public ::testing::TestWithParam<std::string> {
 protected:
  ClusterOptions Options(int copies = 2) const {
    return {.shards = 1, .copies = copies, .sections = {{"write", "ack = \"" + GetParam() + "\""}}};
  }
  static bool EqualNow(Cluster& cluster, int copy) {
    return cluster.node(0, copy).Digest() == cluster.node(0, 0).Digest();
  }
};

// Whatever `ack` says: what was on both copies is not emptied by a primary that has nothing.
TEST_P(AckLoss, AnEmptyPrimaryIsNotTheTruth) {
  for (const int copies : {2, 3}) {
    for (const bool proxy_first : {true, false}) {
      Cluster cluster(Options(copies));
      {
        Client client = cluster.Connect();
        for (int i = 0; i < 100; ++i) client("SET", "k" + std::to_string(i), std::to_string(i));
      }
      for (int copy = 1; copy < copies; ++copy) {
        ASSERT_TRUE(Eventually([&] { return EqualNow(cluster, copy); }));
      }
      cluster.proxy().Kill();
      cluster.node(0, 0).Kill();
      if (proxy_first) {
        cluster.proxy().Restart();
        cluster.node(0, 0).Start();
      } else {
        cluster.node(0, 0).Start();
        cluster.proxy().Restart();
      }
      Client client = cluster.Connect();
      for (int i = 0; i < 100; ++i) {
        const std::string key = "k" + std::to_string(i);
        ASSERT_TRUE(Eventually([&] {
          const std::string value = client("GET", key).Text();
          EXPECT_NE(value, "(nil)") << key;
          return value == std::to_string(i) || value == "(nil)";
        })) << client("GET", key).Text();
      }
      EXPECT_EQ(client("SET", "k0", "new"), "OK");
      cluster.ExpectCopiesEqual();
      EXPECT_EQ(client("GET", "k1"), "1");
    }
  }
}

// It hears of the replica later: a moment is waited for.
TEST_P(AckLoss, TheCopyThatHasTheDataIsWaitedFor) {
  Cluster cluster(Options());
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  ASSERT_TRUE(Eventually([&] { return EqualNow(cluster, 1); }));
  cluster.proxy().Kill();
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start();
  cluster.node(0, 1).Pause();
  cluster.proxy().Restart();
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Status(0).Node(cluster.node(0, 0).address()).health == "up"; }));
  cluster.node(0, 1).Resume();
  EXPECT_EQ(cluster.Connect()("GET", "k"), "v");
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(cluster.Connect()("GET", "k"), "v");
}

// What an `ack` may lose where gemel and the primary are lost together: with "all" nothing that was
// acknowledged; else the writes that were on their way to the other copies, and only those.
TEST_P(AckLoss, WhatMayBeLost) {
  Cluster cluster(Options());
  RawSocket socket(cluster.proxy().port());
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "long-ago", "v"), "OK");
  EXPECT_EQ(client("SET", "k", "old"), "OK");
  ASSERT_TRUE(Eventually([&] { return EqualNow(cluster, 1); }));
  cluster.node(0, 1).Pause();
  if (GetParam() != "all") {
    EXPECT_EQ(client("SET", "k", "new"), "OK");
  } else {
    // It is not acknowledged while the replica hangs.
    socket.Send(Encode({"SET", "k", "new"}));
    ASSERT_TRUE(Eventually([&] { return cluster.node(0, 0).Connect()("GET", "k") == "new"; }));
  }
  cluster.proxy().Kill();
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start();
  cluster.node(0, 1).Resume();
  cluster.proxy().Restart();
  Client again = cluster.Connect();
  EXPECT_EQ(again("GET", "long-ago"), "v");
  const std::string value = again("GET", "k").Text();
  EXPECT_TRUE(value == "old" || value == "new") << value;
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(again("GET", "k"), value);
}

INSTANTIATE_TEST_SUITE_P(, AckLoss, ::testing::Values("all", "primary", "any"));

}  // namespace
}  // namespace gemel::e2e::data_loss_test
