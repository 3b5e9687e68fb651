// COMMAND INFO is what redis-server says of the same command: flags, categories, tips and key
// specifications.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::command_info_test {
namespace {

std::string Without(const std::vector<Reply>& items, size_t last) {
  std::string text;
  for (size_t i = 0; i < last; ++i) text += items[i].Text() + " ";
  return text;
}

TEST(CommandInfo, IsThatOfRedis) {
  Cluster cluster({.shards = 1});
  RedisNode bare;
  Client client = cluster.Connect();
  Client redis = bare.Connect();
  size_t compared = 0;
  for (const Reply& name : client("COMMAND", "LIST").items) {
    if (name.bytes.starts_with("proxy") || name.bytes == "client|setinfo") continue;
    const Reply ours = client("COMMAND", "INFO", name.bytes).items.at(0);
    const Reply theirs = redis("COMMAND", "INFO", name.bytes).items.at(0);
    ASSERT_EQ(ours.items.size(), 10u) << name;
    ASSERT_EQ(theirs.items.size(), 10u) << name;
    // Behind these are the subcommands: those that can be used here.
    EXPECT_EQ(Without(ours.items, 9), Without(theirs.items, 9));
    ++compared;
  }
  EXPECT_GT(compared, 280u);
}

TEST(CommandInfo, DocsAreThoseOfRedis) {
  Cluster cluster;
  RedisNode bare;
  Client client = cluster.Connect();
  Client redis = bare.Connect();
  for (const char* name : {"get", "SET", "xadd", "zadd", "memory|usage", "eval", "mget", "sort"}) {
    EXPECT_EQ(client("COMMAND", "DOCS", name), redis("COMMAND", "DOCS", name).Text()) << name;
  }
  EXPECT_EQ(client("COMMAND", "DOCS", "psync", "nosuch"), "[]");
  // And without a node at hand.
  for (int shard = 0; shard < 2; ++shard) {
    for (int copy = 0; copy < 2; ++copy) cluster.node(shard, copy).Kill();
  }
  EXPECT_EQ(client("COMMAND", "DOCS", "get").items.size(), 2u);
}

TEST(CommandInfo, ListsAreFilteredAsRedisDoes) {
  Cluster cluster({.shards = 1});
  RedisNode bare;
  std::set<std::string> all;
  for (const Reply& name : cluster.Connect()("COMMAND", "LIST").items) all.insert(name.bytes);
  for (const char* category : {"keyspace", "read", "write", "dangerous", "connection", "hash",
                               "fast", "blocking", "scripting", "transaction", "nosuch"}) {
    std::set<std::string> ours;
    std::set<std::string> theirs;
    for (const Reply& name :
         cluster.Connect()("COMMAND", "LIST", "FILTERBY", "ACLCAT", category).items) {
      if (!name.bytes.starts_with("proxy") && name.bytes != "client|setinfo") {
        ours.insert(name.bytes);
      }
    }
    for (const Reply& name :
         bare.Connect()("COMMAND", "LIST", "FILTERBY", "ACLCAT", category).items) {
      if (all.contains(name.bytes)) theirs.insert(name.bytes);
    }
    EXPECT_EQ(ours, theirs) << category;
  }
}

}  // namespace
}  // namespace gemel::e2e::command_info_test
