// PROXY HOTKEYS and BIGKEYS, by what clients do and by what the audit finds.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::hot_keys_test {
namespace {

const Reply* Find(const Reply& keys, const std::string& key, const std::string& kind) {
  for (const Reply& one : keys.items) {
    if (one.Field("key") == key && one.Field("kind") == kind) return &one;
  }
  return nullptr;
}

class HotKeys : public ::testing::TestWithParam<int> {};

TEST_P(HotKeys, OfEachShardAndKind) {
  Cluster cluster({.workers = GetParam()});
  Client client = cluster.Connect();
  const std::string read = cluster.KeyOn(0, "read");
  const std::string written = cluster.KeyOn(1, "written");
  for (int i = 0; i < 20000; ++i) {
    client.Append({"GET", read});
    client.Append({"INCR", written});
    client.Append({"GET", "other" + std::to_string(i)});
    if (i % 500 < 499) continue;
    for (int j = 0; j < 1500; ++j) client.Read();
  }
  const Reply hot = client("PROXY", "HOTKEYS", "4");
  ASSERT_EQ(hot.items.size(), 4U);
  const Reply* first = Find(hot, "\"" + read + "\"", "read");
  const Reply* second = Find(hot, "\"" + written + "\"", "write");
  ASSERT_NE(first, nullptr) << hot;
  ASSERT_NE(second, nullptr) << hot;
  EXPECT_EQ(first->Field("shard"), "a");
  EXPECT_EQ(second->Field("shard"), "b");
  EXPECT_GT(first->Field("per_second").integer, 0);
  EXPECT_GT(first->Field("percent_of_shard").integer, 40);
  EXPECT_EQ(second->Field("percent_of_shard").integer, 100);
  EXPECT_LE(first->Field("at_least").integer, first->Field("per_second").integer);
  for (const char* wrong : {"0", "-1", "x", "1001"}) {
    EXPECT_TRUE(client("PROXY", "HOTKEYS", wrong).IsError()) << wrong;
    EXPECT_TRUE(client("PROXY", "BIGKEYS", wrong).IsError()) << wrong;
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, HotKeys, ::testing::Values(1, 2));

TEST(BigKeys, ByRequestsAndReplies) {
  Cluster cluster;
  Client client = cluster.Connect();
  for (int i = 0; i < 64; ++i) client("SET", "large\x01", std::string(200000, 'v'));
  const Reply big = client("PROXY", "BIGKEYS");
  const Reply* one = Find(big, "\"large\\x01\"", "write");
  ASSERT_NE(one, nullptr) << big;
  EXPECT_GE(one->Field("bytes").integer, 200000);
}

// One that no client sees as a whole.
TEST(BigKeys, ByTheAudit) {
  Cluster cluster;
  Client client = cluster.Connect();
  for (int i = 0; i < 3000; ++i) client.Append({"RPUSH", "list", std::string(100, 'x')});
  for (int i = 0; i < 3000; ++i) client.Read();
  client("PROXY", "AUDIT");
  const Reply big = client("PROXY", "BIGKEYS");
  const Reply* one = Find(big, "\"list\"", "memory");
  ASSERT_NE(one, nullptr) << big;
  EXPECT_GE(one->Field("bytes").integer, 300000);
}

}  // namespace
}  // namespace gemel::e2e::hot_keys_test
