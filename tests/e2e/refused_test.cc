// What a pair cannot do yet without its copies growing apart is refused with a sentence, and
// changes nothing on either copy.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::refused_test {
namespace {

TEST(Refused, CommandsWithAnOutcomeOfTheirOwnOnAPair) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  client("SADD", "set", "a", "b", "c", "d", "e", "f");
  client("RPUSH", "list", "a", "b");
  client("XADD", "x", "1-1", "f", "v");
  client("XGROUP", "CREATE", "x", "g", "0");
  const std::string before = cluster.node(0, 0).Digest();
  const std::vector<Words> refused = {
      {"EVAL", "return redis.call('MOVE', 'set', 1)", "0"},
      {"SHUTDOWN"},
      {"FAILOVER"},
      {"REPLICAOF", "NO", "ONE"},
      {"MIGRATE", "127.0.0.1", "1", "k", "0", "10"},
  };
  for (const Words& words : refused) {
    std::string line;
    for (const std::string& word : words) line += word + " ";
    const Reply reply = client.Run(words);
    EXPECT_TRUE(reply.Text().starts_with("-ERR ")) << line << reply;
    EXPECT_NE(reply.Text().find("not supported"), std::string::npos) << line << reply;
  }
  EXPECT_EQ(client("PING"), "PONG");
  EXPECT_EQ(cluster.node(0, 0).Digest(), before);
  cluster.ExpectCopiesEqual();
}

TEST(Refused, ASingleCopyDoesThem) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  client("SADD", "set", "a");
  EXPECT_EQ(client("SPOP", "set"), "a");
  EXPECT_EQ(client("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", "1", "k", "v"), "OK");
  EXPECT_EQ(client("GET", "k"), "v");
  EXPECT_FALSE(client("XADD", "x", "*", "f", "v").IsError());
}

}  // namespace
}  // namespace gemel::e2e::refused_test
