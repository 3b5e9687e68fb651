// EVALSHA and SCRIPT: gemel keeps what clients have shown, so that no node needs to know it.

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::scripts_test {
namespace {

constexpr const char* kIncrement = "return redis.call('incrby', KEYS[1], ARGV[1])";

// Shards, workers.
class Scripts : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  Scripts() : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}) {}
  std::string Load(const std::string& script) {
    return cluster_.Connect()("SCRIPT", "LOAD", script).bytes;
  }
  Cluster cluster_;
};

INSTANTIATE_TEST_SUITE_P(Ways, Scripts, ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::string(std::get<1>(info.param) == 1 ? "One" : "TwoThreaded");
                         });

TEST_P(Scripts, AreRediss) {
  RedisNode alone;
  Client gemel = cluster_.Connect();
  Client redis = alone.Connect();
  const std::string none(40, 'f');
  const std::string sha = redis("SCRIPT", "LOAD", kIncrement).bytes;
  std::string upper = sha;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  redis("SCRIPT", "FLUSH");
  const std::vector<Words> commands = {
      {"EVALSHA", sha, "1", "{t}k", "1"},
      {"SCRIPT", "EXISTS", sha},
      {"EVAL", kIncrement, "1", "{t}k", "1"},
      {"EVALSHA", sha, "1", "{t}k", "2"},
      {"EVALSHA", upper, "1", "{t}k", "2"},
      {"evalsha", sha, "1", "{t}k", "2"},
      {"SCRIPT", "EXISTS", sha, none, upper, "x"},
      {"EVALSHA", sha, "1", "{t}k"},  // its error
      {"EVALSHA", sha, "x", "{t}k", "2"},
      {"EVALSHA", sha, "3", "{t}k", "2"},
      {"EVALSHA", sha},
      {"EVALSHA", none, "1", "{t}k"},
      {"EVALSHA", "short", "1", "{t}k"},
      {"EVALSHA_RO", none, "1", "{t}k"},
      {"SCRIPT", "LOAD", "return redis.call('get', KEYS[1])"},
      {"EVALSHA_RO", "4e6d8fc8bb01276962cce5371fa795a7763657ae", "1", "{t}k"},
      {"EVAL_RO", "return redis.call('strlen', KEYS[1])", "1", "{t}k"},
      {"SCRIPT", "EXISTS", "4e6d8fc8bb01276962cce5371fa795a7763657ae"},
      {"SCRIPT", "LOAD", "return x y"},
      {"SCRIPT", "LOAD"},
      {"SCRIPT", "EXISTS"},
      {"MULTI"},
      {"EVALSHA", none, "1", "{t}k"},
      {"EVALSHA", sha, "1", "{t}k", "7"},
      {"SCRIPT", "LOAD", "return 3"},
      {"SCRIPT", "EXISTS", sha},
      {"EXEC"},
      {"SCRIPT", "FLUSH", "NEVER"},
      {"SCRIPT", "FLUSH", "SYNC"},
      {"SCRIPT", "EXISTS", sha},
      {"EVALSHA", sha, "1", "{t}k", "1"},
      {"SCRIPT", "FLUSH"},
      {"SCRIPT", "FLUSH", "async"},
      {"GET", "{t}k"},
  };
  for (const Words& words : commands) {
    const auto plain = [](const Reply& reply) {
      const std::string text = reply.Text();
      return text.substr(0, text.find(" script: "));
    };
    EXPECT_EQ(plain(gemel.Run(words)), plain(redis.Run(words))) << words[0] << " " << words.back();
  }
  cluster_.ExpectCopiesEqual();
}

// Nobody has to load it again: not where a node is new, and not when gemel is.
TEST_P(Scripts, AreKnownWhateverRestarts) {
  const std::string sha = Load(kIncrement);
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("k" + std::to_string(i));
  const auto all = [&](int expected) {
    Client client = cluster_.Connect();
    for (const std::string& key : keys) {
      EXPECT_EQ(client("EVALSHA", sha, "1", key, "1"), ":" + std::to_string(expected)) << key;
    }
  };
  all(1);
  cluster_.node(0, 0).Kill();
  all(2);
  cluster_.node(0, 0).Start();
  ASSERT_TRUE(cluster_.WaitUntilInSync());
  all(3);
  cluster_.node(0, 1).Kill();
  all(4);
  cluster_.node(0, 1).Start();
  ASSERT_TRUE(cluster_.WaitUntilInSync());
  EXPECT_EQ(cluster_.proxy().Stop(), 0);
  cluster_.proxy().Restart();
  all(5);
  cluster_.ExpectCopiesEqual();
}

// What was shown a while ago is there even if it is killed.
TEST_P(Scripts, AreKnownAfterACrash) {
  const std::string sha = Load(kIncrement);
  const std::string file = cluster_.proxy().folder() + "/state/scripts";
  ASSERT_TRUE(Eventually([&] { return ReadFile(file).find(kIncrement) != std::string::npos; }));
  cluster_.proxy().Kill();
  cluster_.proxy().Restart();
  EXPECT_EQ(cluster_.Connect()("EVALSHA", sha, "1", "k", "1"), ":1");
}

// What is queued is their texts.
TEST(ScriptsInATransaction, CountAsWhatIsSent) {
  Cluster cluster(
      {.shards = 1, .sections = {{"limits", "max_bulk = \"64kb\"\nmax_request = \"64kb\""}}});
  Client client = cluster.Connect();
  const std::string sha =
      client("SCRIPT", "LOAD", std::string(kIncrement) + " -- " + std::string(40000, 'x')).bytes;
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("EVALSHA", sha, "1", "k", "1"), "QUEUED");
  const std::string text = client("EVALSHA", sha, "1", "k", "1").Text();
  EXPECT_NE(text.find("the transaction is larger than [limits] max_request"), std::string::npos)
      << text;
  EXPECT_TRUE(client("EXEC").Text().starts_with("-EXECABORT"));
  EXPECT_EQ(client("EXISTS", "k"), ":0");
}

// Of more, or larger, keys than are copied.
TEST(ScriptsOfTooMuch, AreRefusedBeforehand) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  Words many = {"EVAL", "return 1", "65"};
  for (int i = 0; i < 65; ++i) many.push_back("{t}" + std::to_string(i));
  EXPECT_TRUE(client.Run(many).Text().find("may have 64 keys at most") != std::string::npos);
  many[2] = "64";
  EXPECT_EQ(client.Run(many), ":1");
  client("SET", "huge", "");
  // Two of 130 MB: more than is copied.
  for (const char* key : {"{h}1", "{h}2"}) client("SETRANGE", key, "136314880", "x");
  const std::string text =
      client("EVAL", "return redis.call('DEL', KEYS[1])", "2", "{h}1", "{h}2").Text();
  EXPECT_NE(text.find("MB of memory: gemel copies 256 MB at most after such a write"), text.npos)
      << text;
  EXPECT_EQ(client("EXISTS", "{h}1"), ":1");
  EXPECT_EQ(client("EVAL", "return redis.call('DEL', KEYS[1])", "1", "{h}1"), ":1");
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::scripts_test
