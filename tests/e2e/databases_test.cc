// SELECT and what goes with it: each client has a database, and all of them share the links.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::databases_test {
namespace {

constexpr const char* kMarks = "abcdefghij";

// What is a part of it in gemel and Redis alike.
std::string Keyspace(Client& client) {
  const std::string info = client("INFO", "keyspace").bytes;
  std::string text;
  for (size_t at = 0; (at = info.find("db", at)) != std::string::npos; at += 2) {
    text += info.substr(at, info.find(",avg_ttl", at) - at) + " ";
  }
  return text;
}

// Shards, workers.
class Databases : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  Databases() : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}) {}
  Cluster cluster_;
};

INSTANTIATE_TEST_SUITE_P(Ways, Databases, ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::string(std::get<1>(info.param) == 1 ? "One" : "TwoThreaded");
                         });

// Before these nothing is there.
std::vector<Words> TriedOnBoth() {
  return {
      {"SELECT", "3"},
      {"SET", "{t}k", "three"},
      {"SELECT", "0"},
      {"GET", "{t}k"},
      {"SET", "{t}k", "zero"},
      {"SELECT", "3"},
      {"GET", "{t}k"},
      {"DBSIZE"},
      {"KEYS", "*"},
      {"TYPE", "{t}k"},
      {"RANDOMKEY"},
      {"SELECT", "16"},
      {"SELECT", "-1"},
      {"SELECT", "x"},
      {"SELECT", "99999999999999999999"},
      {"GET", "{t}k"},
      {"MOVE", "{t}k", "3"},
      {"MOVE", "{t}k", "16"},
      {"MOVE", "{t}k", "-1"},
      {"MOVE", "{t}k", "x"},
      {"MOVE", "{t}none", "4"},
      {"MOVE", "{t}k", "0"},  // it is there
      {"MOVE", "{t}k", "4"},
      {"EXISTS", "{t}k"},
      {"SELECT", "4"},
      {"GET", "{t}k"},
      {"COPY", "{t}k", "{t}copy"},
      {"COPY", "{t}k", "{t}k", "DB", "5"},
      {"COPY", "{t}k", "{t}k", "DB", "5"},
      {"COPY", "{t}k", "{t}k", "DB", "0", "REPLACE"},
      {"COPY", "{t}k", "{t}k", "DB", "4"},
      {"COPY", "{t}k", "{t}k", "DB", "16"},
      {"COPY", "{t}k", "{t}k", "DB", "x"},
      {"COPY", "{t}k", "{t}k", "DB"},
      {"SELECT", "5"},
      {"MGET", "{t}k", "{t}copy"},
      {"SPOP", "{t}set"},
      {"SADD", "{t}set", "m"},
      {"SPOP", "{t}set"},
      {"XADD", "{t}stream", "1-*", "f", "v"},
      {"EVAL", "return redis.call('incrby', KEYS[1], 7)", "1", "{t}n"},
      {"PEXPIRE", "{t}n", "100000000"},
      {"SELECT", "0"},
      {"MGET", "{t}k", "{t}n"},
      {"SWAPDB", "0", "5"},
      {"MGET", "{t}k", "{t}n"},
      {"SWAPDB", "0", "0"},
      {"SWAPDB", "0", "16"},
      {"SWAPDB", "x", "1"},
      {"FLUSHDB"},
      {"DBSIZE"},
      {"SELECT", "5"},
      {"DBSIZE"},
      {"RESET"},
      {"DBSIZE"},
      {"SELECT", "15"},
      {"SET", "{t}last", "v"},
  };
}

TEST_P(Databases, AreRediss) {
  RedisNode alone;
  Client gemel = cluster_.Connect();
  Client redis = alone.Connect();
  for (const Words& words : TriedOnBoth()) {
    const std::string expected = redis.Run(words).Text();
    std::string got = gemel.Run(words).Text();
    // An error that a shard gives to its part of a command names the shard.
    if (const size_t named = got.find(" shard '"); named != std::string::npos) {
      got.erase(named, got.find("':", named) + 2 - named);
    }
    EXPECT_EQ(got, expected) << words[0] << " " << (words.size() > 1 ? words[1] : "");
    EXPECT_EQ(Keyspace(gemel), Keyspace(redis)) << words[0];
  }
  const Reply found =
      gemel("SCAN", cluster_.shards() == 1 ? "0" : std::to_string(cluster_.ShardOf("{t}last")),
            "COUNT", "1000");
  EXPECT_EQ(found.items.at(1), "[{t}last]") << found;
  EXPECT_NE(gemel("CLIENT", "INFO").bytes.find(" db=15 "), std::string::npos);
  EXPECT_EQ(gemel("CONFIG", "GET", "databases"), "[databases 16]");
  EXPECT_EQ(gemel("FLUSHALL"), "OK");
  EXPECT_EQ(Keyspace(gemel), "");
  cluster_.ExpectCopiesEqual();
}

// Their requests stand in the same lines, and each finds what it wrote.
TEST_P(Databases, OfManyClientsAtOnce) {
  constexpr int kClients = 12;
  std::vector<Client> clients;
  std::vector<std::map<std::string, std::string>> models(kClients);
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(cluster_.Connect());
    EXPECT_EQ(clients.back()("SELECT", std::to_string(i % 4)), "OK");
  }
  std::mt19937 random(20261127);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::vector<std::string>> expected(kClients);
    for (int i = 0; i < kClients; ++i) {
      auto& model = models[static_cast<size_t>(i)];
      for (int depth = 0; depth < 20; ++depth) {
        // Of each database three clients have keys; no two of them have the same.
        const std::string key = "k" + std::to_string(i / 4) + kMarks[random() % 10];
        if (random() % 2 == 0) {
          model[key] = std::to_string(i) + "." + std::to_string(random());
          clients[static_cast<size_t>(i)].Append({"SET", key, model[key]});
          expected[static_cast<size_t>(i)].push_back("OK");
        } else {
          clients[static_cast<size_t>(i)].Append({"GET", key});
          expected[static_cast<size_t>(i)].push_back(model.contains(key) ? model[key] : "(nil)");
        }
      }
    }
    for (int i = 0; i < kClients; ++i) {
      for (const std::string& reply : expected[static_cast<size_t>(i)]) {
        ASSERT_EQ(clients[static_cast<size_t>(i)].Read(), reply) << "client " << i;
      }
    }
  }
  cluster_.ExpectCopiesEqual();
}

// Some keys in each of four databases; the same names in all of them.
void Fill(Cluster& cluster, const std::string& value, int keys = 50) {
  for (const char* database : {"0", "1", "2", "3"}) {
    Client client = cluster.Connect();
    client("SELECT", database);
    for (int i = 0; i < keys; ++i) {
      const std::string number = std::to_string(i);
      client.Append({"SET", "string:" + number, value + database});
      client.Append({"SADD", "set:" + number, value, database});
      client.Append({"SPOP", "set:" + number});
      client.Append({"EXPIRE", "string:" + number, "1000000"});
    }
    for (int i = 0; i < 4 * keys; ++i) EXPECT_FALSE(client.Read().IsError());
  }
}
void ExpectFilled(Cluster& cluster, const std::string& value) {
  for (const char* database : {"0", "1", "2", "3"}) {
    Client client = cluster.Connect();
    client("SELECT", database);
    EXPECT_EQ(client("GET", "string:7"), value + database);
  }
}

TEST(DatabasesAndFaults, AReplicaThatHangsIsRepairedKeyByKey) {
  Cluster cluster({.shards = 1, .sections = {{"health", kImpatientProbes}}});
  Fill(cluster, "old");
  cluster.node(0, 1).Pause();
  Fill(cluster, "new");
  Client client = cluster.Connect();
  client("SELECT", "2");
  client("MOVE", "string:7", "9");
  client("COPY", "string:8", "string:8", "DB", "9");
  client("DEL", "string:9");
  ASSERT_TRUE(Eventually(
      [&] { return cluster.Status(0).Node(cluster.node(0, 1).address()).state != "in-sync"; }));
  cluster.node(0, 1).Resume();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
  // Not copied whole.
  EXPECT_EQ(
      cluster.node(0, 0).Connect()("INFO", "stats").bytes.find("sync_full:0") != std::string::npos,
      true);
  EXPECT_EQ(client("EXISTS", "string:7"), ":0");
  client("SELECT", "9");
  EXPECT_EQ(client("MGET", "string:7", "string:8"), "[new2 new2]");
}

TEST(DatabasesAndFaults, AReplicaThatIsKilledAndAPrimaryThatIsLost) {
  Cluster cluster({.shards = 1, .sections = {{"health", kImpatientProbes}}});
  Fill(cluster, "old");
  cluster.node(0, 1).Kill();
  Fill(cluster, "new");
  cluster.node(0, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
  cluster.node(0, 0).Kill();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  ExpectFilled(cluster, "new");
  Fill(cluster, "newer");
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  cluster.ExpectCopiesEqual();
  ExpectFilled(cluster, "newer");
}

TEST(DatabasesAndFaults, ACopyKeyByKeyIsOfAllDatabases) {
  Cluster cluster(
      {.shards = 1,
       .sections = {{"health", kImpatientProbes}},
       .redis_options = {"--rename-command", "REPLICAOF", "", "--rename-command", "SLAVEOF", ""}});
  Fill(cluster, "old");
  cluster.node(0, 1).Kill();
  cluster.node(0, 1).Start();
  Client beside = cluster.node(0, 1).Connect();
  beside("SELECT", "5");
  beside("SET", "extra", "v");
  EXPECT_TRUE(cluster.WaitUntilInSync()) << cluster.proxy().Log();
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(beside("DBSIZE"), ":0");
}

TEST(DatabasesAndFaults, TheAuditLooksIntoAllOfThem) {
  Cluster cluster({.shards = 1});
  Fill(cluster, "v", 5);
  Client beside = cluster.node(0, 1).Connect();
  beside("SELECT", "3");
  beside("SET", "string:1", "bypassed");
  beside("SET", "extra", "bypassed");
  beside("SELECT", "1");
  beside("DEL", "string:1");
  const Reply report = cluster.Connect()("PROXY", "AUDIT", "a").items.at(0);
  EXPECT_EQ(report.Field("differences"), ":3") << report;
  EXPECT_EQ(report.Field("repaired"), ":3") << report;
  cluster.ExpectCopiesEqual();
}

TEST(DatabasesAndFaults, OldKeysOfTheOnlyCopyAreDeletedInAllOfThem) {
  Cluster cluster(
      {.shards = 1,
       .sections = {{"health", kImpatientProbes}, {"write", "on_data_loss = \"miss\""}}});
  cluster.node(0, 1).Kill();
  Fill(cluster, "old", 10);
  EXPECT_EQ(cluster.node(0, 0).Connect()("SAVE"), "OK");
  Fill(cluster, "new", 10);
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start(/*with_dump=*/true);
  for (const char* database : {"0", "3"}) {
    Client client = cluster.Connect();
    client("SELECT", database);
    EXPECT_TRUE(Eventually([&] {
      const std::string value = client("GET", "string:7").Text();
      EXPECT_NE(value, std::string("old") + database);
      return value == "(nil)";
    })) << cluster.proxy().Log();
  }
}

// Where a removal is told of, in which database counts.
TEST(DatabasesAndFaults, KeysThatExpireAndAreEvicted) {
  Cluster cluster({.shards = 1});
  std::vector<Client> clients;
  for (const char* database : {"0", "1", "2"}) {
    clients.push_back(cluster.Connect());
    clients.back()("SELECT", database);
  }
  for (int round = 0; round < 200; ++round) {
    for (Client& client : clients) {
      const std::string key = "k" + std::to_string(round % 20);
      client.Append({"HSET", key, "f", "v"});
      client.Append({"PEXPIRE", key, std::to_string(5 + round % 13)});
      client.Append({"HINCRBY", key, "n", "1"});
    }
    for (Client& client : clients) {
      for (int i = 0; i < 3; ++i) EXPECT_FALSE(client.Read().IsError());
    }
  }
  for (Client& client : clients) EXPECT_EQ(client("SET", "kept", "v"), "OK");
  EXPECT_TRUE(Eventually([&] {
    return cluster.node(0, 0).Digest() == cluster.node(0, 1).Digest() &&
           cluster.node(0, 0).Connect()("DBSIZE") == ":1";
  })) << cluster.proxy().Log();
  for (Client& client : clients) EXPECT_EQ(client("DBSIZE"), ":1");
}

TEST(DatabasesOfNodes, AShardThatHasOneOfItsOwn) {
  Cluster cluster({.shards = 1, .shard_lines = "database = 3"});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(client("SELECT", "0"), "OK");
  EXPECT_EQ(client("SELECT", "1"),
            "-ERR DB index is out of range: shard 'a' has one database of its nodes for itself "
            "([[shard]] database): there is no other");
  EXPECT_EQ(client("SELECT", "16"), "-ERR DB index is out of range");
  for (const Words& words : {Words{"MOVE", "k", "0"}, Words{"MOVE", "k", "1"},
                             Words{"COPY", "k", "k", "DB", "0"}, Words{"SWAPDB", "0", "3"}}) {
    EXPECT_EQ(client.Run(words), "-ERR DB index is out of range") << words[0];
  }
  EXPECT_EQ(client("CONFIG", "GET", "databases"), "[databases 1]");
  EXPECT_EQ(client("DBSIZE"), ":1");
  EXPECT_EQ(client("INFO", "keyspace").bytes, "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n");
  Client beside = cluster.node(0, 0).Connect();
  EXPECT_EQ(beside("DBSIZE"), ":0");
  EXPECT_EQ(beside("SET", "k", "of somebody else"), "OK");
  beside("SELECT", "3");
  EXPECT_EQ(beside("GET", "k"), "v");
  // What it empties is its own.
  EXPECT_EQ(client("FLUSHALL", "SYNC"), "OK");
  EXPECT_EQ(beside("GET", "k"), "(nil)");
  beside("SELECT", "0");
  EXPECT_EQ(beside("GET", "k"), "of somebody else");
  EXPECT_TRUE(client("FLUSHALL", "NOW").IsError());
}

TEST(DatabasesOfNodes, ThatHaveFewer) {
  Cluster cluster({.shards = 1, .redis_options = {"--databases", "4"}});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  const std::string refusal = client("SELECT", "1").Text();
  EXPECT_NE(refusal.find("of shard 'a' has fewer than [proxy] databases = 16, or does not allow "
                         "SELECT"),
            std::string::npos)
      << refusal;
  EXPECT_EQ(client("GET", "k"), "v");
  cluster.ExpectCopiesEqual();
}

TEST(DatabasesOfNodes, AreAsManyAsTheConfigSays) {
  Cluster cluster({.shards = 1,
                   .sections = {{"proxy", "databases = 4"}},
                   .redis_options = {"--databases", "4"}});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SELECT", "3"), "OK");
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(client("SELECT", "4"), "-ERR DB index is out of range");
  EXPECT_EQ(client("MOVE", "k", "4"), "-ERR DB index is out of range");
  EXPECT_EQ(client("GET", "k"), "v");
}

}  // namespace
}  // namespace gemel::e2e::databases_test
