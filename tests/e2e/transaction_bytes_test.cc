// Transactions as bytes: cut into any parts, among other commands, of thousands of commands, with
// large values; and those that are not to be had on several shards.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::transaction_bytes_test {
namespace {

// Shards, workers.
class TransactionBytes : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  TransactionBytes()
      : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}),
        shard_(cluster_.ShardOf("{t}")) {}

  // Sends the same to gemel, in parts of that size, and to a Redis, and compares so many replies.
  void ExpectSame(const std::string& bytes, size_t replies, const char* protocol, size_t part) {
    SCOPED_TRACE("RESP" + std::string(protocol) + ", parts of " + std::to_string(part));
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone_.port());
    gemel.Ask({"HELLO", protocol});
    redis.Ask({"HELLO", protocol});
    redis.Send(bytes);
    for (size_t at = 0; at < bytes.size(); at += part) {
      gemel.Send(std::string_view(bytes).substr(at, part));
    }
    for (size_t i = 0; i < replies; ++i) {
      const std::string got = gemel.Read();
      const std::string expected = redis.Read();
      // Some texts are too long to be shown.
      ASSERT_TRUE(got == expected)
          << "reply " << i << ": " << got.substr(0, 300) << " and " << expected.substr(0, 300);
    }
  }
  void ExpectRedissData() {
    cluster_.ExpectCopiesEqual();
    EXPECT_EQ(cluster_.node(shard_, 0).Digest(), alone_.Digest());
  }

  Cluster cluster_;
  RedisNode alone_;
  const int shard_;  // of the keys that are tagged {t}
};

INSTANTIATE_TEST_SUITE_P(Ways, TransactionBytes,
                         ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::string(std::get<1>(info.param) == 1 ? "One" : "TwoThreaded");
                         });

// A connection ends with QUIT, and what is queued with it.
TEST_P(TransactionBytes, QuitInsideIsAnsweredAtOnce) {
  for (const char* more : {"", "*1\r\n$4\r\nEXEC\r\n"}) {
    const std::string bytes =
        Encode({"MULTI"}) + Encode({"SET", "{t}a", "1"}) + Encode({"QUIT"}) + more;
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone_.port());
    gemel.Send(bytes);
    redis.Send(bytes);
    EXPECT_EQ(gemel.ReadUntilClosed(), redis.ReadUntilClosed());
  }
  EXPECT_EQ(cluster_.Connect()("GET", "{t}a"), "(nil)");
}

// Whatever a client's bytes are cut into, and whatever stands before and behind the blocks.
TEST_P(TransactionBytes, AreTheSameByteByByteAndAmongOthers) {
  const std::vector<std::string> lines = {
      "SET {t}a 1",  "INCR {t}a", "MULTI",        "INCR {t}a",  "SPOP {t}none", "GET {t}a",
      "PING",        "SELECT 1",  "INCR {t}a",    "EXEC",       "GET {t}a",     "SELECT 0",
      "GET {t}a",    "MULTI",     "NOSUCH",       "EXEC",       "INCR {t}a",    "WATCH {t}a",
      "GET {t}a",    "MULTI",     "SET {t}a 100", "EXEC",       "GET {t}a",     "MULTI",
      "GET {t}a",    "DISCARD",   "MULTI",        "EXEC",       "DEL {t}a",     "MULTI",
      "SADD {t}s 1", "SPOP {t}s", "EXEC",         "EXISTS {t}s"};
  std::string bytes;
  for (const std::string& line : lines) bytes += Encode(WordsOf(line));
  for (const size_t part : {size_t{1}, size_t{7}, bytes.size()}) {
    for (const char* protocol : {"2", "3"}) ExpectSame(bytes, lines.size(), protocol, part);
  }
  ExpectRedissData();
}

// Inline commands are commands.
TEST_P(TransactionBytes, MayBeTyped) {
  const std::string bytes = "MULTI\r\nset {t}a 'a b'\r\nget {t}a\r\n\r\nexec\r\nGET {t}a\r\n";
  for (const size_t part : {size_t{1}, bytes.size()}) ExpectSame(bytes, 5, "2", part);
}

TEST_P(TransactionBytes, OfThousandsOfCommands) {
  std::string bytes = Encode({"MULTI"});
  constexpr int kCommands = 5000;
  for (int i = 0; i < kCommands; ++i) {
    const std::string number = std::to_string(i);
    switch (i % 5) {
      case 0:
        bytes += Encode({"SET", "{t}" + number, number});
        break;
      case 1:
        bytes += Encode({"RPUSH", "{t}list", number});
        break;
      case 2:
        bytes += Encode({"HINCRBY", "{t}hash", std::to_string(i % 100), "1"});
        break;
      case 3:
        bytes += Encode({"GET", "{t}" + std::to_string(i - 3)});
        break;
      default:
        bytes += Encode({"SELECT", std::to_string(i / 5 % 4)});
    }
  }
  bytes += Encode({"EXEC"});
  for (const char* protocol : {"2", "3"}) {
    ExpectSame(bytes, kCommands + 2, protocol, bytes.size());
  }
  ExpectRedissData();
}

TEST_P(TransactionBytes, OfLargeValues) {
  const std::string value(4 << 20, 'v');
  const std::vector<Words> commands = {{"MULTI"},
                                       {"SET", "{t}large", value},
                                       {"STRLEN", "{t}large"},
                                       {"INCR", "{t}n"},
                                       {"GET", "{t}large"},
                                       {"EXEC"},
                                       {"STRLEN", "{t}large"},
                                       {"MULTI"},
                                       {"GET", "{t}large"},
                                       {"INCR", "{t}n"},
                                       {"EXEC"}};
  std::string bytes;
  for (const Words& words : commands) bytes += Encode(words);
  for (const char* protocol : {"2", "3"}) {
    ExpectSame(bytes, commands.size(), protocol, bytes.size());
  }
  ExpectRedissData();
}

// Many blocks of many clients at once, each of which knows what it must read.
TEST_P(TransactionBytes, OfManyClientsAtOnce) {
  constexpr int kClients = 20;
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(cluster_.Connect());
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < kClients; ++i) {
      const std::string key = "{" + std::to_string(i) + "}" + std::to_string(round % 5);
      Client& client = clients[static_cast<size_t>(i)];
      client.Append({"GET", key});
      client.Append({"MULTI"});
      client.Append({"SET", key, std::to_string(round)});
      client.Append({"INCRBY", key, "1000"});
      if (round % 2 == 1) client.Append({"SPOP", "{" + std::to_string(i) + "}none"});
      client.Append({"EXEC"});
      client.Append({"GET", key});
    }
    for (int i = 0; i < kClients; ++i) {
      Client& client = clients[static_cast<size_t>(i)];
      const std::string before = round < 5 ? "(nil)" : std::to_string(round - 5 + 1000);
      const std::string after = std::to_string(round + 1000);
      EXPECT_EQ(client.Read(), before);
      EXPECT_EQ(client.Read(), "OK");
      EXPECT_EQ(client.Read(), "QUEUED");
      EXPECT_EQ(client.Read(), "QUEUED");
      if (round % 2 == 1) {
        EXPECT_EQ(client.Read(), "QUEUED");
      }
      EXPECT_EQ(client.Read(), "[OK :" + after + (round % 2 == 1 ? " (nil)]" : "]"));
      EXPECT_EQ(client.Read(), after);
    }
  }
  cluster_.ExpectCopiesEqual();
}

// --- What is not to be had on several shards ---

constexpr const char* kAborted = "-EXECABORT Transaction discarded because of previous errors.";

TEST(TransactionsOnTwoShards, KeysLieOnOne) {
  Cluster cluster({.shards = 2});
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  Client client = cluster.Connect();
  // One by one, and in one command that is otherwise cut up.
  for (const Words& words : {Words{"SET", b, "1"}, Words{"GET", b}, Words{"MSET", a, "1", b, "1"},
                             Words{"DEL", a, b}, Words{"RENAME", a, b}}) {
    EXPECT_EQ(client("MULTI"), "OK");
    EXPECT_EQ(client("SET", a, "1"), "QUEUED");
    EXPECT_EQ(client.Run(words).Text().substr(0, 11), "-CROSSSLOT ") << words[0];
    EXPECT_EQ(client("SET", a, "1"), "QUEUED");
    EXPECT_EQ(client("EXEC"), kAborted);
  }
  EXPECT_EQ(client("MGET", a, b), "[(nil) (nil)]");
  // Each by itself is fine; what is of no key goes with any.
  for (const std::string& key : {a, b}) {
    client("MULTI");
    client("PING");
    client("SET", key, "1");
    client("SELECT", "1");
    client("SET", key, "2");
    client("SELECT", "0");
    EXPECT_EQ(client("EXEC"), "[PONG OK OK OK OK]");
  }
  cluster.ExpectCopiesEqual();
}

TEST(TransactionsOnTwoShards, WatchedKeysLieOnOne) {
  Cluster cluster({.shards = 2});
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  Client client = cluster.Connect();
  EXPECT_EQ(client("WATCH", a, b).Text().substr(0, 11), "-CROSSSLOT ");
  // Nothing is watched by that.
  EXPECT_EQ(client("SET", a, "0"), "OK");
  EXPECT_EQ(client("SET", b, "0"), "OK");
  EXPECT_EQ(client("WATCH", a), "OK");
  EXPECT_EQ(client("WATCH", b).Text().substr(0, 11), "-CROSSSLOT ");
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("SET", b, "1").Text().substr(0, 11), "-CROSSSLOT ");
  EXPECT_EQ(client("EXEC"), kAborted);
  // It is not watched any more, so that the other one can be.
  EXPECT_EQ(client("WATCH", b), "OK");
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("SET", b, "1"), "QUEUED");
  EXPECT_EQ(client("EXEC"), "[OK]");
  EXPECT_EQ(client("MGET", a, b), "[0 1]");
}

TEST(TransactionsOnTwoShards, WhatIsAboutAllShardsIsNotInOne) {
  Cluster cluster({.shards = 2});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "kept", "v"), "OK");
  for (const Words& words : {Words{"DBSIZE"}, Words{"FLUSHALL"}, Words{"FLUSHDB"},
                             Words{"KEYS", "*"}, Words{"SWAPDB", "0", "1"}}) {
    EXPECT_EQ(client("MULTI"), "OK");
    EXPECT_EQ(client("SET", "kept", "lost"), "QUEUED");
    const std::string error = client.Run(words).Text();
    EXPECT_TRUE(error.starts_with("-ERR ") && Has(error, "transaction")) << words[0] << error;
    EXPECT_EQ(client("EXEC"), kAborted) << words[0];
    EXPECT_EQ(client("GET", "kept"), "v") << words[0];
  }
}

}  // namespace
}  // namespace gemel::e2e::transaction_bytes_test
