// MONITOR of all that gemel's clients ask, beside a bare redis-server's.

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::monitor_test {
namespace {

std::string ReadLine(RawSocket* socket) {
  std::string line;
  while (!line.ends_with("\r\n")) line += socket->Read(1);
  return line;
}

// What a watcher is told of these, without times and addresses.
std::vector<std::string> Watched(uint16_t port, const std::vector<Words>& commands) {
  RawSocket watcher(port);
  watcher.Send(Encode({"MONITOR"}));
  EXPECT_EQ(ReadLine(&watcher), "+OK\r\n");
  Client client(port);
  for (const Words& words : commands) client.Run(words);
  client("ECHO", "end");
  std::vector<std::string> lines;
  while (lines.empty() || lines.back().find("\"end\"") == std::string::npos) {
    const std::string line = ReadLine(&watcher);
    static const std::regex kLine(R"(\+\d+\.\d{6} \[(\d+) 127\.0\.0\.1:\d+\] (.*)\r\n)");
    std::smatch match;
    EXPECT_TRUE(std::regex_match(line, match, kLine)) << line;
    lines.push_back(match[1].str() + " " + match[2].str());
  }
  return lines;
}

const std::vector<Words> kCommands = {
    {"PING"},
    {"SET", "k", std::string("\0\x01\xff \"\\\n\r\t\a\b", 11)},
    {"GET"},
    {"NOSUCH"},
    {"SELECT", "3"},
    {"get", "k"},
    {"CONFIG", "GET", "maxclients"},
    {"CLIENT", "ID"},
    {"CLIENT", "LIST"},
    {"INFO"},
    {"AUTH", "wrong"},
    {"AUTH", "u", "wrong"},
    {"HELLO", "2", "AUTH", "u", "wrong"},
    {"MSET", "a", "1", "b", "2"},
    {"DBSIZE"},
    {"EVAL", "return 1", "0"},
    {"EVALSHA", std::string(40, 'a'), "0"},
    {"LPUSH", "k", "wrong type"},
    {"MULTI"},
    {"SET", "a", "1"},
    {"SELECT", "4"},
    {"GET", "a"},
    {"CONFIG", "GET", "maxclients"},
    {"EXEC"},
    {"MULTI"},
    {"SET"},
    {"EXEC"},
    {"EXEC"},
    {"MULTI"},
    {"SET", "a", "1"},
    {"DISCARD"},
    {"WATCH", "a"},
    {"SET", "a", "2"},
    {"MULTI"},
    {"SET", "a", "1"},
    {"EXEC"},
    {"RPUSH", "l", "x"},
    {"BLPOP", "l", "0"},
    {"PUBLISH", "c", "m"},
};

TEST(Monitor, LinesAreRedis) {
  RedisNode bare;
  const std::vector<std::string> expected = Watched(bare.port(), kCommands);
  for (const int workers : {1, 2}) {
    SCOPED_TRACE(workers);
    Cluster cluster({.shards = 2, .copies = workers, .workers = workers});
    EXPECT_EQ(Watched(cluster.proxy().port(), kCommands), expected);
    Client between = cluster.Connect();  // so that they sit the other way
    EXPECT_EQ(Watched(cluster.proxy().port(), kCommands), expected);
  }
}

// What a watcher is answered itself.
TEST(Monitor, AWatcherMayAskAndStop) {
  RedisNode bare;
  Cluster cluster({.shards = 1, .copies = 1});
  std::vector<std::string> got;
  for (const uint16_t port : {bare.port(), cluster.proxy().port()}) {
    RawSocket watcher(port);
    std::string text;
    for (const Words& words : std::vector<Words>{{"MONITOR"},
                                                 {"MONITOR"},
                                                 {"CLIENT", "LIST", "ID", "x"},
                                                 {"GET", "k"},
                                                 {"SET", "k"},
                                                 {"PUBLISH", "a", "b"},
                                                 {"CLIENT", "GETNAME"},
                                                 {"RESET"},
                                                 {"GET", "k"},
                                                 {"MULTI"},
                                                 {"MONITOR"},
                                                 {"EXEC"},
                                                 {"QUIT"}}) {
      watcher.Send(Encode(words));
    }
    text = watcher.ReadUntilClosed();
    static const std::regex kLine(R"(\+\d+\.\d{6} [^\r]*\r\n)");
    got.push_back(std::regex_replace(text, kLine, ""));
  }
  EXPECT_EQ(got[1], got[0]);
}

TEST(Monitor, IsSeenInTheListOfClients) {
  Cluster cluster({.shards = 1, .copies = 1, .workers = 2});
  Client client = cluster.Connect();
  {
    Client watcher = cluster.Connect();
    ASSERT_EQ(watcher("MONITOR"), "OK");
    EXPECT_NE(client("CLIENT", "LIST").bytes.find(" flags=O "), std::string::npos);
    EXPECT_NE(client("CLIENT", "LIST", "TYPE", "normal").bytes.find(" flags=O "),
              std::string::npos);
    EXPECT_NE(client("INFO", "clients").bytes.find("monitoring_clients:1"), std::string::npos);
  }
  EXPECT_TRUE(Eventually([&] {
    return client("INFO", "clients").bytes.find("monitoring_clients:0") != std::string::npos;
  }));
}

TEST(Monitor, AWatcherThatDoesNotReadIsCutOff) {
  Cluster cluster({.shards = 1,
                   .copies = 1,
                   .workers = 2,
                   .sections = {{"limits",
                                 "subscriber_output = \"1mb\"\n"
                                 "subscriber_output_soft = \"1mb\""}}});
  RawSocket first(cluster.proxy().port());
  RawSocket second(cluster.proxy().port());
  for (RawSocket* watcher : {&first, &second}) {
    watcher->Send(Encode({"MONITOR"}));
    ASSERT_EQ(ReadLine(watcher), "+OK\r\n");
  }
  Client client = cluster.Connect();
  const std::string argument(100000, 'x');
  EXPECT_TRUE(Eventually([&] {
    for (int i = 0; i < 20; ++i) client("ECHO", argument);
    return client("INFO", "clients").bytes.find("monitoring_clients:0") != std::string::npos;
  }));
  EXPECT_NE(client("INFO", "stats").bytes.find("client_output_overruns:2"), std::string::npos);
}

}  // namespace
}  // namespace gemel::e2e::monitor_test
