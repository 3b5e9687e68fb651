// The only copy in sync comes back with what it had saved: never old values, unless somebody says
// so.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"

namespace gemel::e2e {
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
  cluster.node(0, 0).Start();
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

}  // namespace
}  // namespace gemel::e2e
