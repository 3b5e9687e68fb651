// Publish/subscribe while shards come, and where shards share their servers.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::channels_reload_test {
namespace {

// A shard that comes is listened to, and where a channel of shards goes its subscribers follow.
TEST(ChannelsAndReloads, NewShardsAreHeardThreaded) {
  ReloadWorld world({.shards = 1, .copies = 1, .workers = 2});
  std::vector<std::unique_ptr<Wire>> wires;
  for (int i = 0; i < 6; ++i) {
    wires.push_back(std::make_unique<Wire>(world.proxy().port()));
    wires.back()->Ask({"SUBSCRIBE", "news"});
    for (int j = 0; j < 8; ++j) wires.back()->Ask({"SSUBSCRIBE", "s" + std::to_string(j)});
  }
  const std::string added = world.NewNode();
  world.file().shards.push_back({"z", {added}});
  world.ReloadAndSettle();
  Client node = world.node(added).Connect();
  EXPECT_TRUE(Eventually([&] { return node("PUBLISH", "news", "early") == ":1"; }));
  for (auto& wire : wires) EXPECT_EQ(wire->Read(), Encode({"message", "news", "early"}));
  Client client(world.proxy().port());
  for (int j = 0; j < 8; ++j) {
    const std::string channel = "s" + std::to_string(j);
    EXPECT_EQ(client("SPUBLISH", channel, "x"), ":6");
    for (auto& wire : wires) EXPECT_EQ(wire->Read(), Encode({"smessage", channel, "x"}));
  }
}

// Nor does a client miss what is published on a new shard as soon as the ring says so.
TEST(ChannelsAndReloads, NothingIsMissedWhileChannelsMoveThreaded) {
  ReloadWorld world({.shards = 1, .copies = 1, .workers = 2});
  constexpr int kChannels = 8;
  Wire subscribers[2] = {Wire(world.proxy().port()), Wire(world.proxy().port())};
  for (Wire& wire : subscribers) {
    for (int i = 0; i < kChannels; ++i) wire.Ask({"SUBSCRIBE", "c" + std::to_string(i)});
  }
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::thread publishes([&] {
    Client publisher(world.proxy().port());
    while (!stop) {
      const std::string channel = "c" + std::to_string(published % kChannels);
      EXPECT_EQ(publisher("PUBLISH", channel, std::to_string(published)), ":2");
      ++published;
    }
  });
  for (const char* name : {"x", "y", "z"}) {
    world.file().shards.push_back({name, {world.NewNode()}});
    world.ReloadAndSettle();
    const int before = published;
    EXPECT_TRUE(Eventually([&] { return published > before + 50; }));
  }
  stop = true;
  publishes.join();
  for (Wire& wire : subscribers) {
    // One shard may be quicker than another.
    std::multiset<std::string> heard;
    std::multiset<std::string> expected;
    for (int i = 0; i < published; ++i) {
      heard.insert(wire.Read());
      expected.insert(Encode({"message", "c" + std::to_string(i % kChannels), std::to_string(i)}));
    }
    EXPECT_EQ(heard, expected);
  }
}

// Two shards that have a database each of the same servers: each message once, and of what is said
// of keys each shard its own: to clients its database is the first.
TEST(ChannelsAndReloads, ShardsThatShareServersSpeakOnce) {
  const Words both = {"--bind", "127.0.0.1", "127.0.0.2"};
  RedisNode primary(both);
  RedisNode replica(both);
  ProxyProcess proxy;
  std::string config = "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) + "\"]\n";
  for (const int database : {1, 2}) {
    // An address is one shard's alone.
    const std::string host = database == 1 ? "127.0.0.1:" : "127.0.0.2:";
    config += "[[shard]]\nname = \"s" + std::to_string(database) + "\"\nprimary = \"" + host +
              std::to_string(primary.port()) + "\"\nreplicas = [\"" + host +
              std::to_string(replica.port()) + "\"]\ndatabase = " + std::to_string(database) + "\n";
  }
  proxy.Start(config);
  Client client(proxy.port());
  ASSERT_TRUE(Eventually([&] { return !client("SET", "k", "v").IsError(); }));
  Wire wire(proxy.port());
  wire.Ask({"SUBSCRIBE", "news"});
  wire.Ask({"PSUBSCRIBE", "__keyevent@*__:set"});
  Wire exact(proxy.port());
  exact.Ask({"SUBSCRIBE", "__keyevent@0__:set"});
  exact.Ask({"PSUBSCRIBE", "__keyspace@0__:*"});
  for (int i = 0; i < 10; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_EQ(client("PUBLISH", "news", text), ":1");
    EXPECT_EQ(wire.Read(), Encode({"message", "news", text}));
  }
  EXPECT_EQ(primary.Connect()("PUBLISH", "news", "direct"), ":2");
  EXPECT_EQ(wire.Read(), Encode({"message", "news", "direct"}));
  for (RedisNode* node : {&primary, &replica}) {
    Client direct = node->Connect();
    EXPECT_TRUE(Eventually([&] {
      return !direct("CONFIG", "GET", "notify-keyspace-events").items.at(1).bytes.empty();
    }));
    EXPECT_EQ(direct("CONFIG", "SET", "notify-keyspace-events", "KEA"), "OK");
  }
  for (int i = 0; i < 20; ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_EQ(client("SET", key, "v"), "OK");
    EXPECT_EQ(wire.Read(), Encode({"pmessage", "__keyevent@*__:set", "__keyevent@0__:set", key}));
    std::string told[2] = {exact.Read(), exact.Read()};
    std::sort(std::begin(told), std::end(told));
    EXPECT_EQ(told[0], Encode({"message", "__keyevent@0__:set", key}));
    EXPECT_EQ(told[1], Encode({"pmessage", "__keyspace@0__:*", "__keyspace@0__:" + key, "set"}));
  }
  EXPECT_EQ(client("PUBLISH", "news", "last"), ":1");
  EXPECT_EQ(wire.Read(), Encode({"message", "news", "last"}));
}

}  // namespace
}  // namespace gemel::e2e::channels_reload_test
