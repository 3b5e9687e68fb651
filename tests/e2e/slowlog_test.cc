// SLOWLOG and LATENCY of what gemel's clients asked, beside a bare redis-server's.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::slowlog_test {
namespace {

// The arguments of all that is logged, oldest first, and the name of who asked.
std::vector<std::string> Logged(Client client) {
  std::vector<std::string> logged;
  for (const Reply& entry : client("SLOWLOG", "GET", "-1").items) {
    EXPECT_EQ(entry.items.size(), 6u) << entry;
    logged.insert(logged.begin(), entry.items.at(3).Text() + " " + entry.items.at(5).Text());
  }
  return logged;
}

// A client of each of two workers, if there are two.
void Ask(Client client, const std::vector<Words>& commands) {
  client("CONFIG", "SET", "slowlog-max-len", "1000", "slowlog-log-slower-than", "0");
  client("SLOWLOG", "RESET");
  for (const Words& words : commands) client.Run(words);
  client("CONFIG", "SET", "slowlog-log-slower-than", "-1");
}

const std::vector<Words> kCommands = {
    {"PING"},
    {"client", "setname", "me"},
    {"SET", "k", std::string(129, 'A')},
    {"GET", "k"},
    {"get", "none"},
    {"GET"},
    {"NOSUCH", "x"},
    {"LPUSH", "k", "wrong type"},
    {"MSET", "a", "1", "b", "2", "c", "3"},
    {"MGET", "a", "b", "c"},
    {"DEL", "a", "b"},
    {"DBSIZE"},
    {"AUTH", "wrong"},
    {"AUTH", "user", "wrong"},
    {"HELLO", "2", "AUTH", "user", "wrong"},
    {"CONFIG", "SET", "requirepass", ""},
    {"EVAL", "return ARGV[1]", "1", "a", "x"},
    {"EVALSHA", std::string(40, 'a'), "1", "a"},
    {"SADD", "set", "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11",
     "12",   "13",  "14", "15", "16", "17", "18", "19", "20", "21", "22",
     "23",   "24",  "25", "26", "27", "28", "29", "30", "31", "32", "33"},
    {"SPOP", "set", "40"},
    {"INCRBYFLOAT", "f", "1.0"},
    {"MULTI"},
    {"SET", "a", "1"},
    {"GET", "a"},
    {"EXEC"},
    {"EXEC"},
    {"RPUSH", "l", "x"},
    {"BLPOP", "l", "0"},
    {"INFO", "server"},
    {"CLIENT", "GETNAME"},
};

TEST(Slowlog, WhatIsLoggedIsWhatRedisLogs) {
  RedisNode bare;
  Ask(bare.Connect(), kCommands);
  const std::vector<std::string> expected = Logged(bare.Connect());
  for (const int workers : {1, 2}) {
    SCOPED_TRACE(workers);
    Cluster cluster({.shards = 2, .copies = workers, .workers = workers});
    Client first = cluster.Connect();
    Ask(cluster.Connect(), kCommands);
    EXPECT_EQ(Logged(cluster.Connect()), expected);
  }
}

TEST(Slowlog, Replies) {
  RedisNode bare;
  Cluster cluster({.shards = 1, .copies = 1});
  RawSocket redis(bare.port());
  RawSocket gemel(cluster.proxy().port());
  const std::vector<Words> commands = {
      {"SLOWLOG", "LEN"},
      {"SLOWLOG", "GET"},
      {"SLOWLOG", "GET", "-2"},
      {"SLOWLOG", "GET", "x"},
      {"SLOWLOG", "RESET"},
      {"SLOWLOG", "HELP"},
      {"SLOWLOG"},
      {"SLOWLOG", "LEN", "x"},
      {"SLOWLOG", "GET", "1", "2"},
      {"LATENCY", "LATEST"},
      {"LATENCY", "RESET"},
      {"LATENCY", "RESET", "a", "b"},
      {"LATENCY", "HISTORY"},
      {"LATENCY", "HELP"},
      {"LATENCY", "HISTORY", "command"},
      {"LATENCY", "GRAPH", "x"},
      {"LATENCY", "DOCTOR"},
      {"LATENCY", "HISTOGRAM", "zadd", "x"},
      {"LATENCY", "NONE"},
      {"LATENCY", "HELP", "x"},
      {"CONFIG", "GET", "slowlog-max-len"},
      {"CONFIG", "GET", "latency-tracking-info-percentiles"},
      {"CONFIG", "GET", "latency-monitor-threshold"},
      {"HELLO", "3"},
      {"LATENCY", "DOCTOR"},
      {"LATENCY", "HISTOGRAM", "zadd"},
  };
  for (const Words& words : commands) {
    redis.Send(Encode(words) + Encode({"ECHO", "end of it"}));
    gemel.Send(Encode(words) + Encode({"ECHO", "end of it"}));
    const auto read = [](RawSocket* socket) {
      std::string text;
      while (!text.ends_with("$9\r\nend of it\r\n")) text += socket->Read(1);
      return text;
    };
    const std::string expected = read(&redis);
    const std::string got = read(&gemel);
    if (words[0] != "HELLO") {
      EXPECT_EQ(got, expected) << words[0] << " " << (words.size() > 1 ? words[1] : "");
    }
  }
}

// Each is asked while its node stands still for longer than the threshold.
TEST(Slowlog, ASlowCommandOfEveryKind) {
  for (const int workers : {1, 2}) {
    SCOPED_TRACE(workers);
    Cluster cluster({.shards = 2, .copies = 1, .workers = workers});
    Client admin = cluster.Connect();
    ASSERT_EQ(admin("CONFIG", "SET", "slowlog-log-slower-than", "100000",
                    "latency-monitor-threshold", "100"),
              "OK");
    const std::string key = cluster.KeyOn(0);
    const std::string other = cluster.KeyOn(1);
    const std::vector<Words> commands = {
        {"GET", key}, {"SET", key, std::string(200000, 'x')}, {"GET", key}, {"MGET", key, other},
        {"DBSIZE"},   {"EVAL", "return 1", "1", key},
    };
    for (const Words& words : commands) {
      Client client = cluster.Connect();
      cluster.node(0, 0).Pause();
      client.Append(words);
      client.Flush();
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      cluster.node(0, 0).Resume();
      client.Read();
      const Reply log = admin("SLOWLOG", "GET", "1");
      ASSERT_EQ(log.items.size(), 1u) << words[0];
      const Reply& args = log.items[0].items.at(3);
      ASSERT_EQ(args.items.size(), words.size()) << log;
      for (size_t i = 0; i < words.size(); ++i) {
        EXPECT_EQ(args.items[i].bytes.substr(0, 128), words[i].substr(0, 128));
      }
      EXPECT_GE(log.items[0].items.at(2).integer, 100000);
    }
    EXPECT_NE(admin("LATENCY", "LATEST").Text().find("command"), std::string::npos);
    EXPECT_GE(admin("LATENCY", "HISTORY", "fast-command").items.size(), 1u);
    EXPECT_TRUE(admin("LATENCY", "DOCTOR").bytes.starts_with("Dave, I have observed"));
    EXPECT_TRUE(admin("LATENCY", "GRAPH", "command").bytes.starts_with("command - high"));
    EXPECT_GE(admin("LATENCY", "RESET").integer, 2);
    EXPECT_EQ(admin("LATENCY", "LATEST"), "[]");
  }
}

TEST(Slowlog, TheHistogramOfBothWorkers) {
  Cluster cluster({.shards = 2, .copies = 1, .workers = 2});
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(cluster.Connect());
  for (int i = 0; i < 40; ++i)
    clients[static_cast<size_t>(i % 4)]("SET", "k" + std::to_string(i), "v");
  const Reply histogram = clients[0]("LATENCY", "HISTOGRAM", "set", "nosuch", "client");
  ASSERT_EQ(histogram.items.size(), 2u) << histogram;
  EXPECT_EQ(histogram.items[0], "set");
  EXPECT_EQ(histogram.items[1].Field("calls"), ":40");
  const Reply& buckets = histogram.items[1].Field("histogram_usec");
  ASSERT_GE(buckets.items.size(), 2u);
  EXPECT_EQ(buckets.items.back(), ":40");
}

TEST(Slowlog, ThresholdsAreKeptByARewriteOfTheFile) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  ASSERT_EQ(client("CONFIG", "SET", "slowlog-log-slower-than", "123", "slowlog-max-len", "7"),
            "OK");
  ASSERT_EQ(client("CONFIG", "SET", "latency-tracking-info-percentiles", "1 2"), "OK");
  EXPECT_TRUE(client("CONFIG", "SET", "latency-tracking-info-percentiles", "1 x").IsError());
  ASSERT_EQ(client("CONFIG", "REWRITE"), "OK");
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  EXPECT_EQ(client("CONFIG", "GET", "slowlog-log-slower-than"), "[slowlog-log-slower-than 123]");
  EXPECT_EQ(client("CONFIG", "GET", "slowlog-max-len"), "[slowlog-max-len 7]");
  EXPECT_EQ(client("CONFIG", "GET", "latency-tracking-info-percentiles"),
            "[latency-tracking-info-percentiles 1 2]");
}

}  // namespace
}  // namespace gemel::e2e::slowlog_test
