// Commands over the whole key space, which is several shards' together.

#include <gtest/gtest.h>

#include <set>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::key_space_test {
namespace {

std::set<std::string> ScanAll(Client& client, const Words& options) {
  std::set<std::string> keys;
  std::string cursor = "0";
  for (int i = 0; i < 10000; ++i) {
    Words words = {"SCAN", cursor};
    words.insert(words.end(), options.begin(), options.end());
    const Reply reply = client.Run(words);
    EXPECT_EQ(reply.items.size(), 2u) << reply;
    if (reply.items.size() != 2) break;
    for (const Reply& key : reply.items[1].items) keys.insert(key.bytes);
    cursor = reply.items[0].bytes;
    if (cursor == "0") return keys;
  }
  ADD_FAILURE() << "SCAN does not end";
  return keys;
}

class KeySpace : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, KeySpace, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(KeySpace, CountsListsScansAndFlushesEveryShard) {
  Cluster cluster({.shards = 3, .workers = GetParam()});
  Client client = cluster.Connect();
  EXPECT_EQ(client("DBSIZE"), ":0");
  EXPECT_EQ(client("RANDOMKEY"), "(nil)");
  EXPECT_EQ(client("KEYS", "*"), "[]");
  EXPECT_EQ(ScanAll(client, {}).size(), 0u);

  std::set<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.insert("key:" + std::to_string(i));
    client.Append({"SET", "key:" + std::to_string(i), "v"});
  }
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(client.Read(), "OK");
  client("RPUSH", "list", "x");
  EXPECT_EQ(client("DBSIZE"), ":1001");
  EXPECT_EQ(client("KEYS", "key:*").items.size(), 1000u);
  EXPECT_EQ(client("KEYS", "list"), "[list]");
  EXPECT_EQ(ScanAll(client, {"MATCH", "key:*"}), keys);
  EXPECT_EQ(ScanAll(client, {"MATCH", "key:*", "COUNT", "7"}), keys);
  EXPECT_EQ(ScanAll(client, {"COUNT", "100000"}).size(), 1001u);
  EXPECT_EQ(ScanAll(client, {"TYPE", "list"}), std::set<std::string>{"list"});
  EXPECT_TRUE(client("SCAN", "notacursor").IsError());
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) seen.insert(client("RANDOMKEY").bytes);
  EXPECT_GT(seen.size(), 20u);
  for (int shard = 0; shard < 3; ++shard) {
    EXPECT_NE(cluster.node(shard, 0).Connect()("DBSIZE"), ":0") << "shard " << shard;
  }
  cluster.ExpectCopiesEqual();

  EXPECT_EQ(client("FLUSHALL"), "OK");
  EXPECT_EQ(client("DBSIZE"), ":0");
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(client("FLUSHDB", "SYNC"), "OK");
  EXPECT_EQ(client("DBSIZE"), ":0");
  for (int shard = 0; shard < 3; ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      EXPECT_EQ(cluster.node(shard, copy).Connect()("DBSIZE"), ":0");
    }
  }
}

TEST_P(KeySpace, RandomKeyFindsTheOnlyKey) {
  Cluster cluster({.shards = 4, .copies = 1, .workers = GetParam()});
  Client client = cluster.Connect();
  client("SET", "only", "v");
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client("RANDOMKEY"), "only");
}

TEST_P(KeySpace, ScanGoesOnWhileKeysChange) {
  Cluster cluster({.shards = 2, .workers = GetParam()});
  Client client = cluster.Connect();
  std::set<std::string> stay;
  for (int i = 0; i < 500; ++i) {
    stay.insert("stay:" + std::to_string(i));
    client("SET", "stay:" + std::to_string(i), "v");
  }
  std::set<std::string> seen;
  std::string cursor = "0";
  int round = 0;
  do {
    const Reply reply = client("SCAN", cursor, "COUNT", "10");
    ASSERT_EQ(reply.items.size(), 2u) << reply;
    for (const Reply& key : reply.items[1].items) seen.insert(key.bytes);
    cursor = reply.items[0].bytes;
    client("SET", "come:" + std::to_string(round++), "v");
  } while (cursor != "0" && round < 10000);
  for (const std::string& key : stay) EXPECT_TRUE(seen.count(key)) << key;
}

TEST(KeyRing, KeysSpreadOverTheShards) {
  Cluster cluster({.shards = 4, .copies = 1});
  Client client = cluster.Connect();
  constexpr int kKeys = 4000;
  for (int i = 0; i < kKeys; ++i) client.Append({"SET", "key:" + std::to_string(i), "v"});
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(client.Read(), "OK");
  for (int shard = 0; shard < 4; ++shard) {
    const int64_t size = cluster.node(shard, 0).Connect()("DBSIZE").integer;
    EXPECT_GT(size, kKeys / 4 * 3 / 4);
    EXPECT_LT(size, kKeys / 4 * 5 / 4);
  }
}

}  // namespace
}  // namespace gemel::e2e::key_space_test
