// Where the time of requests went: PROXY TRACE, PROXY SLOWLOG, and the events of LATENCY.

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::trace_test {
namespace {

class Trace : public testing::TestWithParam<int> {
 protected:
  Trace() : cluster_({.shards = 2, .workers = GetParam()}) {}

  // Asked by a client of its own: it is under way once it is seen to be.
  void Begin(const Words& words) {
    tracer_.Append(words);
    tracer_.Flush();
    AwaitTrace();
    // Each worker looks from its next tick on, which is before what it is asked once that was due.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client_("PING"), "PONG");
  }
  // A client waits for one. (To ask for another would be to hold up who comes next.)
  void AwaitTrace() {
    EXPECT_TRUE(
        Eventually([&] { return Has(client_("CLIENT", "LIST").bytes, " cmd=proxy|trace "); }));
  }
  static int64_t Number(const Reply& request, const char* name) {
    return request.Field(name).integer;
  }
  // Of all parts.
  static void ExpectWhole(const Reply& request) {
    EXPECT_EQ(Number(request, "took_us"), Number(request, "in_gemel_us") +
                                              Number(request, "on_the_wire_us") +
                                              Number(request, "at_the_node_us"))
        << request;
  }
  // A key of that shard.
  std::string KeyOf(int shard) const {
    for (int i = 0;; ++i) {
      const std::string key = "user:" + std::to_string(i);
      if (cluster_.ShardOf(key) == shard) return key;
    }
  }

  Cluster cluster_;
  Client client_ = cluster_.Connect();
  Client tracer_ = cluster_.Connect();
};

TEST_P(Trace, ShowsWhatMatches) {
  const std::string first = KeyOf(0);
  const std::string second = KeyOf(1);
  Begin({"PROXY", "TRACE", "user:*", "60", "COUNT", "4"});
  EXPECT_EQ(client_("SET", "other", "v"), "OK");
  EXPECT_EQ(client_("SET", first, "v"), "OK");
  EXPECT_EQ(client_("GET", second), "(nil)");
  EXPECT_EQ(client_("PING"), "PONG");
  EXPECT_EQ(client_("MGET", "other", first, second), "[v v (nil)]");
  EXPECT_TRUE(client_("LPUSH", first, "wrong type").IsError());
  const Reply seen = tracer_.Read();  // before its time is over
  const Reply& requests = seen.Field("requests");
  ASSERT_EQ(requests.items.size(), 4u) << seen;
  const std::vector<std::string> commands = {"[SET " + first + " v]", "[GET " + second + "]",
                                             "[MGET other " + first + " " + second + "]",
                                             "[LPUSH " + first + " wrong type]"};
  const std::vector<std::string> keys = {first, second, "other", first};
  for (size_t i = 0; i < commands.size(); ++i) {
    const Reply& request = requests.items[i];
    EXPECT_EQ(request.Field("command").Text(), commands[i]);
    EXPECT_EQ(request.Field("key").Text(), keys[i]);
    EXPECT_TRUE(Has(request.Field("client").bytes, "127.0.0.1:")) << request;
    EXPECT_GT(Number(request, "at_the_node_us") + Number(request, "on_the_wire_us"), 0) << request;
    ExpectWhole(request);
  }
  EXPECT_GE(Number(seen, "looked_at"), 4);
  // It is over, and nothing is left of it.
  EXPECT_EQ(client_("PROXY", "TRACE", "none", "0.05").Field("requests").items.size(), 0u);
}

TEST_P(Trace, TellsTheNodesTimeFromItsOwn) {
  const std::string slow = KeyOf(0);
  const std::string quick = KeyOf(1);
  client_("SET", slow, "v");
  client_("SET", quick, "v");
  client_("CONFIG", "SET", "slowlog-log-slower-than", "100000", "latency-monitor-threshold", "100");
  client_("SLOWLOG", "RESET");
  // Both copies of the shard are busy: a write waits for them.
  for (int copy = 0; copy < cluster_.copies(); ++copy) {
    RawSocket socket(cluster_.node(0, copy).port());
    socket.Send(Encode({"PING"}));
    socket.Read(7);
    socket.Send(Encode({"DEBUG", "SLEEP", "0.5"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it has begun
    Client another = cluster_.Connect();
    EXPECT_EQ(another("APPEND", slow, "x"), copy == 0 ? ":2" : ":3");
    EXPECT_EQ(another("GET", quick), "v");
    socket.Read(5);
  }
  const Reply logged = client_("PROXY", "SLOWLOG", "-1");
  ASSERT_FALSE(logged.items.empty());
  for (const Reply& entry : logged.items) {
    EXPECT_EQ(entry.Field("command").Text(), "[APPEND " + slow + " x]");
    ExpectWhole(entry);
    EXPECT_GT(Number(entry, "at_the_node_us"), Number(entry, "took_us") / 2) << entry;
  }
  // SLOWLOG itself is as Redis's.
  EXPECT_EQ(client_("SLOWLOG", "GET", "1").items.at(0).items.size(), 6u);
  const std::string latest = client_("LATENCY", "LATEST").Text();
  EXPECT_TRUE(Has(latest, "[at-the-node :")) << latest;
  EXPECT_FALSE(Has(latest, "[on-the-wire :")) << latest;
}

TEST_P(Trace, EndsByItself) {
  // By its time, and at once where its client is ended.
  const Reply seen = client_("PROXY", "TRACE", "nothing like it", "0.1");
  EXPECT_EQ(seen.Field("requests").items.size(), 0u);
  const std::string id = std::to_string(tracer_("CLIENT", "ID").integer);
  tracer_.Append({"PROXY", "TRACE", "*", "60"});
  tracer_.Flush();
  AwaitTrace();
  EXPECT_TRUE(client_("PROXY", "TRACE", "*", "0.001").IsError()) << "one at a time";
  EXPECT_EQ(client_("CLIENT", "KILL", "ID", id), ":1");
  EXPECT_TRUE(Eventually([&] { return !client_("PROXY", "TRACE", "*", "0.001").IsError(); },
                         std::chrono::seconds(30)));
}

TEST_P(Trace, WhatIsNoTrace) {
  for (const Words& words :
       {Words{"PROXY", "TRACE", "*", "0"}, Words{"PROXY", "TRACE", "*", "61"},
        Words{"PROXY", "TRACE", "*", "-1"}, Words{"PROXY", "TRACE", "*", "nan"},
        Words{"PROXY", "TRACE", "*", "x"}, Words{"PROXY", "TRACE", "*", "1", "COUNT"},
        Words{"PROXY", "TRACE", "*", "1", "COUNT", "0"},
        Words{"PROXY", "TRACE", "*", "1", "COUNT", "10001"},
        Words{"PROXY", "TRACE", "*", "1", "MOST", "1"}, Words{"PROXY", "TRACE", "*"},
        Words{"PROXY", "SLOWLOG", "x"}, Words{"PROXY", "SLOWLOG", "1", "2"}}) {
    EXPECT_TRUE(client_.Run(words).IsError()) << words.back();
  }
  EXPECT_EQ(client_("MULTI"), "OK");
  EXPECT_EQ(client_("PROXY", "TRACE", "*", "1"), "QUEUED");
  EXPECT_TRUE(client_("EXEC").items.at(0).IsError());
}

// Clients that ask meanwhile have their answers, all of them and in order.
TEST_P(Trace, HoldsNobodyUp) {
  Begin({"PROXY", "TRACE", "*", "0.5", "COUNT", "10000"});
  RawSocket socket(cluster_.proxy().port());
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "k" + std::to_string(i);
    socket.Send(Encode({"SET", key, key}) + Encode({"GET", key}));
    expected += "+OK\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n";
  }
  EXPECT_EQ(socket.Read(expected.size()), expected);
  const Reply seen = tracer_.Read();
  EXPECT_GT(seen.Field("requests").items.size(), 0u);
  EXPECT_LE(Number(seen, "looked_at"), 10000);
  for (const Reply& request : seen.Field("requests").items) ExpectWhole(request);
}

INSTANTIATE_TEST_SUITE_P(Workers, Trace, testing::Values(1, 2));

}  // namespace
}  // namespace gemel::e2e::trace_test
