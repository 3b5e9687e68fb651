// Publish/subscribe: what clients get is what they get from Redis, whichever worker has them and
// whatever becomes of the nodes.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::channels_test {
namespace {

// Client 0 or 1 says that line, and then these read a reply or a message each, in this order.
struct Step {
  size_t who;
  std::string line;
  std::vector<size_t> read;
};
using Scene = std::vector<Step>;

// Of both protocols.
const std::vector<Scene> kScenes = {
    {{0, "SUBSCRIBE a", {0}},
     {1, "PUBLISH a hello", {1, 0}},
     {1, "PUBLISH b nobody", {1}},
     {1, "PUBLISH a \"\"", {1, 0}},
     {0, "UNSUBSCRIBE a", {0}},
     {1, "PUBLISH a gone", {1}}},
    {{0, "SUBSCRIBE a b a", {0, 0, 0}},
     {0, "SUBSCRIBE b c", {0, 0}},
     {1, "PUBLISH a x", {1, 0}},
     {0, "UNSUBSCRIBE a none", {0, 0}},
     {1, "PUBLISH c y", {1, 0}},
     {0, "UNSUBSCRIBE b c", {0, 0}}},
    {{0, "PSUBSCRIBE a* A?", {0, 0}},
     {0, "SUBSCRIBE ab", {0}},
     {1, "PUBLISH ab x", {1, 0, 0}},
     {1, "PUBLISH Ab x", {1, 0}},
     {1, "PUBLISH AB x", {1, 0}},
     {1, "PUBLISH bb x", {1}},
     {1, "PUBSUB NUMPAT", {1}},
     {1, "PUBSUB CHANNELS", {1}},
     {1, "PUBSUB NUMSUB ab none", {1}},
     {0, "PUNSUBSCRIBE a*", {0}},
     {1, "PUBLISH ab y", {1, 0}},
     {0, "PUNSUBSCRIBE", {0}},
     {0, "UNSUBSCRIBE", {0}},
     {1, "PUBSUB NUMPAT", {1}}},
    {{0, "PSUBSCRIBE h[a-c]llo \\*x", {0, 0}},
     {1, "PUBLISH hbllo x", {1, 0}},
     {1, "PUBLISH hdllo x", {1}},
     {1, "PUBLISH *x x", {1, 0}},
     {1, "PUBLISH yx x", {1}}},
    {{0, "UNSUBSCRIBE", {0}},
     {0, "PUNSUBSCRIBE", {0}},
     {0, "SUNSUBSCRIBE", {0}},
     {0, "UNSUBSCRIBE x y", {0, 0}},
     {0, "SUNSUBSCRIBE x", {0}},
     {0, "GET k", {0}}},
    {{0, "SSUBSCRIBE a b", {0, 0}},
     {0, "SUBSCRIBE a", {0}},
     {1, "SPUBLISH a x", {1, 0}},
     {1, "PUBLISH a y", {1, 0}},
     {1, "PUBSUB SHARDCHANNELS b*", {1}},
     {1, "PUBSUB SHARDNUMSUB a b c", {1}},
     {1, "PUBSUB CHANNELS", {1}},
     {0, "SUNSUBSCRIBE a", {0}},
     {1, "SPUBLISH a x", {1}},
     {0, "SUNSUBSCRIBE", {0}}},
    {{0, "MULTI", {0}},
     {0, "SUBSCRIBE a", {0}},
     {0, "SET k v", {0}},
     {0, "EXEC", {0}},
     {1, "PUBLISH a x", {1, 0}},
     {0, "UNSUBSCRIBE a", {0}},
     {0, "GET k", {0}}},
    {{0, "SUBSCRIBE a", {0}},
     {1, "MULTI", {1}},
     {1, "SET k v", {1}},
     {1, "PUBLISH a x", {1}},
     {1, "GET k", {1}},
     {1, "EXEC", {1, 0}}},
    {{0, "SUBSCRIBE a", {0}},
     {0, "RESET", {0}},
     {1, "PUBLISH a x", {1}},
     {0, "GET k", {0}},
     {0, "SUBSCRIBE a", {0}},
     {1, "PUBLISH a x", {1, 0}}},
    {{0, "SUBSCRIBE a", {0}},
     {0, "PING", {0}},
     {0, "PING hello", {0}},
     {0, "PING a b", {0}},
     {0, "GET k", {0}},
     {0, "CLIENT LIST x", {0}},
     {0, "HELLO 9", {0}},
     {0, "MULTI", {0}},
     {0, "PUBLISH b x", {0}},
     {0, "SUBSCRIBE", {0}},
     {0, "nonsense", {0}},
     {0, "UNSUBSCRIBE a", {0}},
     {0, "PING", {0}}},
    {{0, "SUBSCRIBE a", {0}}, {0, "QUIT", {0}}, {1, "GET k", {1}}},
    {{0, "PUBLISH a", {0}},
     {0, "PUBSUB CHANNELS a b", {0}},
     {0, "PUBSUB NUMSUB", {0}},
     {0, "PUBSUB nonsense", {0}},
     {0, "PSUBSCRIBE", {0}}},
    {{0, "CLIENT REPLY OFF", {}},
     {0, "SUBSCRIBE", {}},
     {0, "PSUBSCRIBE a*", {0}},
     {1, "PUBLISH ab x", {1, 0}},
     {0, "NOSUCH", {}},
     {0, "PUNSUBSCRIBE a*", {0}},
     {0, "CLIENT REPLY ON", {0}}},
    {{0, "SUBSCRIBE a", {0}}, {1, "EVAL redis.call('publish','a','x')\\_return\\_1 1 k", {1, 0}}},
};

// Shards, workers.
class Channels : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  Channels() : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}) {}

  int64_t NumSub(const std::string& channel) {
    return cluster_.Connect()("PUBSUB", "NUMSUB", channel).items.at(1).integer;
  }

  Cluster cluster_;
};

TEST_P(Channels, ClientsGetWhatRedisSays) {
  RedisNode alone;
  for (const char* protocol : {"2", "3"}) {
    for (size_t scene = 0; scene < kScenes.size(); ++scene) {
      std::vector<std::string> told[2];
      std::string where;
      for (const bool gemel : {true, false}) try {
          Client(alone.port())("FLUSHALL");
          cluster_.Connect()("FLUSHALL");
          const uint16_t port = gemel ? cluster_.proxy().port() : alone.port();
          std::vector<std::string>& all = told[gemel ? 0 : 1];
          Wire wires[2] = {Wire(port), Wire(port)};
          for (Wire& wire : wires) wire.Ask({"HELLO", protocol});
          for (const Step& step : kScenes[scene]) {
            where = step.line;
            wires[step.who].Send(Encode(WordsOf(step.line)));
            for (const size_t who : step.read) {
              all.push_back(step.line + ": " + std::to_string(who) + " " + wires[who].Read());
            }
          }
          // Nothing more has come.
          if (kScenes[scene][1].line != "QUIT") all.push_back("PING: " + wires[0].Ask({"PING"}));
          all.push_back("PING: " + wires[1].Ask({"PING"}));
        } catch (const std::runtime_error& error) {
          FAIL() << (gemel ? "gemel: " : "redis: ") << error.what() << " in scene " << scene
                 << " behind " << where;
        }
      EXPECT_EQ(told[0], told[1]) << "scene " << scene << " RESP" << protocol;
    }
  }
  EXPECT_TRUE(Eventually([&] { return NumSub("a") == 0; }));
}

// Whoever publishes behind a SUBSCRIBE that gemel has read is heard, though a node that is silent
// holds the confirmation up.
TEST_P(Channels, WhatIsPublishedBehindASubscribeComes) {
  const auto read_it = [&](const std::string& id) {
    const std::string list = cluster_.Connect()("CLIENT", "LIST", "ID", id).bytes;
    return list.find("subscribe") != std::string::npos;
  };
  const std::vector<std::vector<Words>> ways = {
      {{"PUBLISH", "#", "x"}},
      {{"MULTI"}, {"SET", "k", "v"}, {"PUBLISH", "#", "x"}, {"EXEC"}},
      {{"EVAL", "return redis.call('publish', ARGV[1], 'x')", "1", "k", "#"}}};
  for (int i = 0; i < 40; ++i) {
    const bool silent = i == 0;
    const std::string channel = "new" + std::to_string(i);
    if (silent) cluster_.node(cluster_.ShardOf(channel), 1).Pause();
    Wire subscriber(cluster_.proxy().port());
    Client publisher = cluster_.Connect();
    std::string id = subscriber.Ask({"CLIENT", "ID"});
    id = id.substr(1, id.size() - 3);
    const bool pattern = i % 2 == 1;
    subscriber.Send(
        Encode({pattern ? "PSUBSCRIBE" : "SUBSCRIBE", pattern ? channel + "*" : channel}));
    EXPECT_TRUE(Eventually([&] { return read_it(id); }));
    for (Words words : ways[static_cast<size_t>(i) % 3]) {
      std::replace(words.begin(), words.end(), std::string("#"), channel);
      EXPECT_FALSE(publisher.Run(words).IsError()) << channel;
    }
    subscriber.Read();
    const std::string message = pattern ? Encode({"pmessage", channel + "*", channel, "x"})
                                        : Encode({"message", channel, "x"});
    EXPECT_EQ(subscriber.Read(), message);
    if (silent) cluster_.node(cluster_.ShardOf(channel), 1).Resume();
  }
  EXPECT_TRUE(cluster_.WaitUntilInSync());
}

// A client of RESP3 has its own message before the answer, as with Redis.
TEST_P(Channels, OnesOwnMessageComesBeforeTheAnswer) {
  RedisNode alone;
  std::string told[2];
  for (const bool gemel : {true, false}) {
    Wire wire(gemel ? cluster_.proxy().port() : alone.port());
    wire.Ask({"HELLO", "3"});
    wire.Ask({"SUBSCRIBE", "own"});
    wire.Ask({"PSUBSCRIBE", "o*"});
    std::string all;
    for (int i = 0; i < 100; ++i) all += Encode({"PUBLISH", i % 10 == 9 ? "of" : "own", "x"});
    wire.Send(all);
    for (int i = 0; i < 290; ++i) told[gemel ? 0 : 1] += wire.Read();
  }
  EXPECT_EQ(told[0], told[1]);
}

// What the old primary was sent is heard, and behind it what the new one is sent.
TEST_P(Channels, NothingIsLostWhenARoleIsHandedOver) {
  Wire subscriber(cluster_.proxy().port());
  subscriber.Ask({"SUBSCRIBE", "count"});
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::thread publishes([&] {
    Client publisher = cluster_.Connect();
    while (!stop) {
      EXPECT_FALSE(publisher("PUBLISH", "count", std::to_string(published)).IsError());
      ++published;
    }
  });
  const int shard = cluster_.ShardOf("count");
  Client operators = cluster_.Connect();
  for (int round = 0; round < 6; ++round) {
    const int before = published;
    EXPECT_TRUE(Eventually([&] { return published > before + 50; }));
    const RedisNode& next = cluster_.node(shard, 1 - round % 2);
    EXPECT_EQ(operators("PROXY", "PROMOTE", cluster_.Status(shard).name, next.address())
                  .bytes.substr(0, 2),
              "OK");
    EXPECT_TRUE(cluster_.WaitUntilPrimary(shard, next));
  }
  stop = true;
  publishes.join();
  for (int i = 0; i < published; ++i) {
    ASSERT_EQ(subscriber.Read(), Encode({"message", "count", std::to_string(i)}));
  }
}

// One subscription at each node however many listen, and none when nobody does.
TEST_P(Channels, ANodeIsSubscribedOnce) {
  std::vector<std::unique_ptr<Wire>> wires;
  for (int i = 0; i < 40; ++i) {
    wires.push_back(std::make_unique<Wire>(cluster_.proxy().port()));
    wires.back()->Ask({"SUBSCRIBE", "news"});
    wires.back()->Ask({"PSUBSCRIBE", "n*"});
  }
  for (int shard = 0; shard < cluster_.shards(); ++shard) {
    for (int copy = 0; copy < cluster_.copies(); ++copy) {
      Client node = cluster_.node(shard, copy).Connect();
      EXPECT_TRUE(Eventually([&] {
        const Reply told = node("PUBSUB", "NUMSUB", "news");
        return told.items.size() == 2 && told.items[1] == ":1";
      }));
    }
  }
  EXPECT_EQ(cluster_.Connect()("PUBLISH", "news", "x"), ":80");
  for (auto& wire : wires) {
    EXPECT_EQ(wire->Read(), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
    EXPECT_EQ(wire->Read(), "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$1\r\nx\r\n");
  }
  wires.clear();
  for (int shard = 0; shard < cluster_.shards(); ++shard) {
    Client node = cluster_.node(shard, 0).Connect();
    EXPECT_TRUE(Eventually([&] { return node("PUBSUB", "CHANNELS").items.empty(); }));
  }
  EXPECT_EQ(NumSub("news"), 0);
}

// Whoever publishes on a node: each message of the copy that counts, once.
TEST_P(Channels, WhatNodesSayThemselvesIsHeardOnce) {
  Wire wire(cluster_.proxy().port());
  Client client = cluster_.Connect();
  wire.Ask({"PSUBSCRIBE", "__keyevent@1__:*"});
  // gemel has its own in place: what an operator sets from now on stays.
  for (int shard = 0; shard < cluster_.shards(); ++shard) {
    for (int copy = 0; copy < cluster_.copies(); ++copy) {
      Client node = cluster_.node(shard, copy).Connect();
      EXPECT_TRUE(Eventually([&] {
        return !node("CONFIG", "GET", "notify-keyspace-events").items.at(1).bytes.empty();
      }));
    }
  }
  for (int shard = 0; shard < cluster_.shards(); ++shard) {
    for (int copy = 0; copy < cluster_.copies(); ++copy) {
      EXPECT_EQ(
          cluster_.node(shard, copy).Connect()("CONFIG", "SET", "notify-keyspace-events", "KEA"),
          "OK");
    }
  }
  EXPECT_EQ(client("SELECT", "1"), "OK");
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_EQ(client("SET", key, "v"), "OK");
    EXPECT_EQ(wire.Read(), Encode({"pmessage", "__keyevent@1__:*", "__keyevent@1__:set", key}));
    EXPECT_EQ(client("DEL", key), ":1");
    EXPECT_EQ(wire.Read(), Encode({"pmessage", "__keyevent@1__:*", "__keyevent@1__:del", key}));
  }
  wire.Ask({"SUBSCRIBE", "direct"});
  for (int shard = 0; shard < cluster_.shards(); ++shard) {
    for (const int copy : {1, 0}) {
      cluster_.node(shard, copy).Connect()("PUBLISH", "direct", std::to_string(copy));
    }
    EXPECT_EQ(wire.Read(), Encode({"message", "direct", "0"})) << "of the primary alone";
  }
}

// Nothing comes twice, nothing out of order, and what is published when all is well again comes.
TEST_P(Channels, SurviveTheEndOfNodes) {
  Wire subscriber(cluster_.proxy().port());
  subscriber.Ask({"SUBSCRIBE", "count"});
  Client publisher = cluster_.Connect();
  int64_t published = 0;
  int64_t heard = 0;
  int64_t lost = 0;
  const auto publish = [&] { publisher("PUBLISH", "count", std::to_string(++published)); };
  // All that comes until the one that was published last.
  const auto read_all = [&] {
    for (bool last = false; !last;) {
      const std::string message = subscriber.Read();
      const size_t end = message.size() - 2;
      const size_t begin = message.rfind('\n', end - 1) + 1;
      const int64_t number = std::stoll(message.substr(begin, end - begin));
      ASSERT_GT(number, heard) << message;
      lost += number - heard - 1;
      heard = number;
      last = number == published;
    }
  };
  const int shard = cluster_.ShardOf("count");
  for (int round = 0; round < 2; ++round) {
    publish();
    read_all();
    RedisNode& killed = cluster_.node(shard, round % 2);
    killed.Kill();
    for (int i = 0; i < 20; ++i) publish();
    killed.Start();
    ASSERT_TRUE(cluster_.WaitUntilInSync());
    EXPECT_TRUE(cluster_.WaitUntilPrimary(shard, cluster_.node(shard, 1 - round % 2)));
    publish();
    read_all();
  }
  EXPECT_LT(lost, 10);
}

TEST_P(Channels, WhoIsTooSlowIsCutOff) {
  RawSocket slow(cluster_.proxy().port());
  slow.Send(Encode({"SUBSCRIBE", "large"}));
  slow.Read(5);
  Wire quick(cluster_.proxy().port());
  quick.Ask({"SUBSCRIBE", "large"});
  Client publisher = cluster_.Connect();
  const std::string payload(1 << 20, 'x');
  const std::string message = Encode({"message", "large", payload});
  bool ended = false;
  for (int i = 0; i < 200 && !ended; ++i) {
    ended = publisher("PUBLISH", "large", payload) == ":1";
    ASSERT_EQ(quick.Read(), message) << i;
  }
  EXPECT_TRUE(ended);
  EXPECT_LT(slow.ReadUntilClosed().size(), 200u << 20);
  EXPECT_EQ(cluster_.Figure("client_output_overruns"), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, Channels, ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::get<0>(info.param) == 1 ? "OneShard" : "TwoShardsThreaded";
                         });

}  // namespace
}  // namespace gemel::e2e::channels_test
