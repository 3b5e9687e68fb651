// PROXY SHARDS and PROXY EXPLAIN tell the truth and send nothing.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::proxy_commands_test {
namespace {

TEST(ProxyCommands, ShardsNamesNodesAndRoles) {
  Cluster cluster({.shards = 3, .copies = 2, .workers = 2});
  const std::vector<ShardStatus> shards = cluster.Status();
  for (int i = 0; i < 3; ++i) {
    const ShardStatus& shard = shards[static_cast<size_t>(i)];
    EXPECT_EQ(shard.name, std::string(1, static_cast<char>('a' + i)));
    EXPECT_EQ(shard.primary, cluster.node(i, 0).address());
    EXPECT_GE(shard.epoch, 1);
    EXPECT_EQ(shard.held, 0);
    ASSERT_EQ(shard.nodes.size(), 2u);
    for (int copy = 0; copy < 2; ++copy) {
      const NodeStatus& node = shard.nodes[static_cast<size_t>(copy)];
      EXPECT_EQ(node.address, cluster.node(i, copy).address());
      EXPECT_EQ(node.role, copy == 0 ? "primary" : "replica");
      EXPECT_EQ(node.state, "in-sync");
      EXPECT_EQ(node.health, "up");
      EXPECT_EQ(node.pending, 0);
      const std::string info = cluster.node(i, copy).Connect()("INFO", "server").bytes;
      EXPECT_NE(info.find("run_id:" + node.run_id), std::string::npos) << node.run_id;
    }
  }
}

TEST(ProxyCommands, ExplainTellsWhereKeysGo) {
  Cluster cluster;
  Client client = cluster.Connect();
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  const Reply reply = client("PROXY", "EXPLAIN", "MSET", a, "1", b, "2");
  ASSERT_EQ(reply.items.size(), 2u) << reply;
  for (int i = 0; i < 2; ++i) {
    const Reply& key = reply.items[static_cast<size_t>(i)];
    EXPECT_EQ(key.Field("key"), i == 0 ? a : b);
    EXPECT_EQ(key.Field("shard"), i == 0 ? "a" : "b");
    EXPECT_EQ(key.Field("write_to"),
              "[" + cluster.node(i, 0).address() + " " + cluster.node(i, 1).address() + "]");
    EXPECT_EQ(key.Field("read_from"), cluster.node(i, 0).address());
    EXPECT_FALSE(key.Field("hash").bytes.empty());
    EXPECT_FALSE(key.Field("point").bytes.empty());
    EXPECT_FALSE(key.Field("why").bytes.empty());
  }
  EXPECT_EQ(client("PROXY", "EXPLAIN", "GET", "a{tag}b").items.at(0).Field("hashed"), "tag");
  // Nothing was sent, nothing was written.
  for (int shard = 0; shard < 2; ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      Client direct = cluster.node(shard, copy).Connect();
      EXPECT_EQ(direct("INFO", "commandstats").bytes.find("cmdstat_mset"), std::string::npos);
    }
  }
  // And it is true.
  EXPECT_EQ(client("MSET", a, "1", b, "2"), "OK");
  for (int copy = 0; copy < 2; ++copy) {
    EXPECT_EQ(cluster.node(0, copy).Connect()("GET", a), "1");
    EXPECT_EQ(cluster.node(0, copy).Connect()("EXISTS", b), ":0");
    EXPECT_EQ(cluster.node(1, copy).Connect()("GET", b), "2");
  }
}

TEST(ProxyCommands, ExplainGivesTheSentenceOfWhatIsRefused) {
  Cluster cluster;
  Client client = cluster.Connect();
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  const std::vector<Words> with_keys = {
      {"RENAME", a, b},         {"EVAL", "return 1", "2", a, b}, {"BLPOP", a, b, "0"},
      {"SORT", a, "BY", "w_*"}, {"COPY", a, a, "DB", "16"},
  };
  for (const Words& words : with_keys) {
    const Reply refused = client.Run(words);
    ASSERT_TRUE(refused.IsError()) << words[0] << refused;
    Words explain = {"PROXY", "EXPLAIN"};
    explain.insert(explain.end(), words.begin(), words.end());
    const Reply reply = client.Run(explain);
    ASSERT_FALSE(reply.items.empty()) << reply;
    for (const Reply& key : reply.items) {
      EXPECT_EQ(key.Field("why"), "refused: " + refused.bytes);
      EXPECT_EQ(key.Field("shard"), key.Field("key") == b ? "b" : "a") << reply;
      EXPECT_EQ(key.Field("write_to"), "[]");
      EXPECT_EQ(key.Field("read_from"), "");
      EXPECT_EQ(key.items.size(), 16u);
    }
  }
  const std::vector<Words> without = {
      {"FAILOVER"}, {"SHUTDOWN"}, {"XREAD", "BLOCK", "0", "STREAMS", a}, {"XREAD", "STREAMS", a}};
  for (const Words& words : without) {
    const Reply refused = client.Run(words);
    ASSERT_TRUE(refused.IsError()) << words[0] << refused;
    Words explain = {"PROXY", "EXPLAIN"};
    explain.insert(explain.end(), words.begin(), words.end());
    EXPECT_EQ(client.Run(explain), refused.Text());
  }
}

TEST(ProxyCommands, ExplainTellsReadFromWriteByTheArguments) {
  Cluster cluster({.shards = 1, .sections = {{"read", "from = \"replica\""}}});
  Client client = cluster.Connect();
  const std::vector<std::pair<Words, bool>> cases = {
      {{"GET", "k"}, false},
      {{"SET", "k", "v"}, true},
      {{"SORT", "k"}, false},
      {{"SORT", "k", "STORE", "l"}, true},
      {{"BITFIELD", "k", "GET", "u8", "0"}, false},
      {{"BITFIELD", "k", "SET", "u8", "0", "1"}, true},
      {{"PFCOUNT", "k"}, true},
      {{"PFCOUNT", "k", "l"}, false},
      {{"XADD", "k", "1-1", "f", "v"}, true},
  };
  for (const auto& [words, write] : cases) {
    Words explain = {"PROXY", "EXPLAIN"};
    explain.insert(explain.end(), words.begin(), words.end());
    EXPECT_EQ(client.Run(explain).items.at(0).Field("why"),
              std::string(write ? "a write goes to every copy in sync; a read: " : "") +
                  "reads go to a replica")
        << words[0];
  }
  for (const Words& words : {Words{"SPOP", "k"}, Words{"XADD", "k", "*", "f", "v"}}) {
    Words explain = {"PROXY", "EXPLAIN"};
    explain.insert(explain.end(), words.begin(), words.end());
    EXPECT_EQ(client.Run(explain).items.at(0).Field("why"),
              "the primary executes this write alone, and then what came of it goes to every other "
              "copy in sync; a read: reads go to a replica")
        << words[0];
  }
  EXPECT_EQ(client("PROXY", "EXPLAIN", "HSCAN", "k", "0").items.at(0).Field("why"),
            "the command must be read from the primary");
}

TEST(ProxyCommands, ExplainOfWhatHasNoKeys) {
  Cluster cluster;
  Client client = cluster.Connect();
  EXPECT_TRUE(client("PROXY", "EXPLAIN").IsError());
  EXPECT_TRUE(client("PROXY", "EXPLAIN", "NOSUCH", "k").IsError());
  EXPECT_TRUE(client("PROXY", "EXPLAIN", "GET").IsError());
  EXPECT_TRUE(client("PROXY", "NOSUCH").IsError());
  EXPECT_EQ(client("PROXY", "HELP").kind, Reply::Kind::kArray);
  EXPECT_EQ(client("PING"), "PONG");
}

// Each key is told in many lines.
TEST(ProxyCommands, ExplainIsOfSoManyKeysAtMost) {
  Cluster cluster({.copies = 1});
  Client client = cluster.Connect();
  Words explain = {"PROXY", "EXPLAIN", "MGET"};
  for (int i = 0; i < 1024; ++i) explain.push_back("k" + std::to_string(i));
  EXPECT_EQ(client.Run(explain).items.size(), 1024u);
  explain.push_back("one");
  EXPECT_EQ(client.Run(explain), "-ERR PROXY EXPLAIN takes a command of at most 1024 keys");
  for (int i = 0; i < 100000; ++i) explain.push_back("k");
  EXPECT_TRUE(client.Run(explain).IsError());
  EXPECT_EQ(client("PING"), "PONG");
}

TEST(ProxyCommands, ReadPoliciesReadWhereTheySay) {
  const std::map<std::string, int> serving = {{"primary", 0}, {"replica", 1}};
  for (const auto& [from, copy] : serving) {
    Cluster cluster({.shards = 1, .sections = {{"read", "from = \"" + from + "\""}}});
    Client client = cluster.Connect();
    client("SET", "k", "v");
    EXPECT_EQ(client("PROXY", "EXPLAIN", "GET", "k").items.at(0).Field("read_from"),
              cluster.node(0, copy).address());
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client("GET", "k"), "v");
    for (int other = 0; other < 2; ++other) {
      const std::string stats = cluster.node(0, other).Connect()("INFO", "commandstats").bytes;
      EXPECT_EQ(stats.find("cmdstat_get:") != std::string::npos, other == copy) << from;
    }
  }
}

TEST(ProxyCommands, BalancedReadsUseBothCopies) {
  Cluster cluster({.shards = 1, .sections = {{"read", "from = \"balanced\""}}});
  Client client = cluster.Connect();
  for (int i = 0; i < 2000; ++i) client.Append({"GET", "k"});
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.Read(), "(nil)");
  for (int copy = 0; copy < 2; ++copy) {
    const std::string stats = cluster.node(0, copy).Connect()("INFO", "commandstats").bytes;
    EXPECT_NE(stats.find("cmdstat_get:"), std::string::npos) << "copy " << copy;
  }
}

}  // namespace
}  // namespace gemel::e2e::proxy_commands_test
