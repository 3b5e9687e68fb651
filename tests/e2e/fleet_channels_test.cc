// Publish/subscribe, keyspace events and client-side caching in a fleet: who is connected to one
// member hears what comes to pass in the shards of all, whoever owns them meanwhile.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/caching_client.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::fleet_channels_test {
namespace {

std::string MessageOf(const std::string& channel, const std::string& text) {
  return Encode({"message", channel, text});
}

// The member that owns no shard, of three with two shards.
int Idle(const FleetWorld& fleet) {
  std::set<int> idle = {0, 1, 2};
  for (int shard = 0; shard < fleet.shards(); ++shard) idle.erase(fleet.WaitForOwner(shard));
  if (idle.size() != 1) throw std::runtime_error("the shards are not spread");
  return *idle.begin();
}

class FleetChannels : public ::testing::TestWithParam<int> {
 protected:
  // On a busy machine no lease is lost that is not to be.
  FleetChannels() : fleet_({.workers = GetParam(), .lease_ms = 3000}) {}
  FleetWorld fleet_;
};

INSTANTIATE_TEST_SUITE_P(Workers, FleetChannels, ::testing::Values(1, 2),
                         ::testing::PrintToStringParamName());

TEST_P(FleetChannels, WhatAnyMemberPublishesIsHeardOnceAtEach) {
  std::vector<std::unique_ptr<Wire>> listeners;
  for (int i = 0; i < 3; ++i) {
    listeners.push_back(std::make_unique<Wire>(fleet_.member(i).port()));
    listeners.back()->Ask({"SUBSCRIBE", "c0"});
    for (int c = 1; c < 8; ++c) {
      EXPECT_EQ(listeners.back()->Ask({"SUBSCRIBE", "c" + std::to_string(c)})[0], '*');
    }
  }
  for (int round = 0; round < 20; ++round) {
    for (int from = 0; from < 3; ++from) {
      const std::string channel = "c" + std::to_string((round + from) % 8);
      const std::string text = std::to_string(round * 3 + from);
      EXPECT_EQ(fleet_.Connect(from)("PUBLISH", channel, text), ":1");
      for (const auto& listener : listeners) EXPECT_EQ(listener->Read(), MessageOf(channel, text));
    }
  }
  for (const auto& listener : listeners) {
    EXPECT_EQ(listener->Ask({"PING", "nothing else came"}), Encode({"pong", "nothing else came"}));
  }
}

TEST_P(FleetChannels, PatternsAndChannelsOfShardsAndScripts) {
  const int idle = Idle(fleet_);
  Wire listener(fleet_.member(idle).port());
  listener.Ask({"PSUBSCRIBE", "n*"});
  for (int shard = 0; shard < 2; ++shard) {
    const std::string channel = fleet_.KeyOn(shard, "s");
    listener.Ask({"SSUBSCRIBE", channel});
    for (int from = 0; from < 3; ++from) {
      fleet_.Connect(from)("SPUBLISH", channel, "x");
      EXPECT_EQ(listener.Read(), Encode({"smessage", channel, "x"}));
      fleet_.Connect(from)("EVAL", "return redis.call('PUBLISH', 'news', ARGV[1])", "1",
                           fleet_.KeyOn(shard), "y");
      EXPECT_EQ(listener.Read(), Encode({"pmessage", "n*", "news", "y"}));
    }
  }
}

TEST_P(FleetChannels, EventsOfKeysComeFromAllShards) {
  ASSERT_EQ(fleet_.Connect(0)("CONFIG", "SET", "notify-keyspace-events", "KEA"), "OK");
  Wire listener(fleet_.member(Idle(fleet_)).port());
  listener.Ask({"PSUBSCRIBE", "__keyspace@0__:*"});
  for (int shard = 0; shard < 2; ++shard) {
    const std::string key = fleet_.KeyOn(shard);
    for (int from = 0; from < 3; ++from) {
      EXPECT_EQ(fleet_.Connect(from)("SET", key, "v"), "OK");
      EXPECT_EQ(listener.Read(),
                Encode({"pmessage", "__keyspace@0__:*", "__keyspace@0__:" + key, "set"}));
    }
  }
}

TEST_P(FleetChannels, WhatWasReadIsToldOfWhenAnyMemberChangesIt) {
  CachingClient cache(fleet_.member(Idle(fleet_)).port());
  CachingClient prefixes(fleet_.member(Idle(fleet_)).port(), {"BCAST", "PREFIX", "key:"});
  for (int shard = 0; shard < 2; ++shard) {
    const std::string key = fleet_.KeyOn(shard);
    for (int from = 0; from < 3; ++from) {
      fleet_.Connect(0)("SET", key, "old");
      prefixes.Await();
      ASSERT_EQ(cache.Get(key), "$3\r\nold\r\n");
      EXPECT_EQ(fleet_.Connect(from)("SET", key, "new"), "OK");
      cache.Await();
      EXPECT_FALSE(cache.Has(key));
      prefixes.Await();
    }
    // Its own writes, too, and a client that tracks no more hears nothing.
    cache.Get(key);
    EXPECT_EQ(cache.Ask({"SET", key, "mine"}), "+OK\r\n");
    cache.Await();
    prefixes.Await();
    EXPECT_FALSE(cache.Has(key));
    cache.Get(key);
  }
  EXPECT_EQ(cache.all_told(), 0u);
  EXPECT_EQ(prefixes.keys_told(), 14u);
  const size_t told = cache.keys_told();
  EXPECT_EQ(cache.Ask({"CLIENT", "TRACKING", "OFF"}), "+OK\r\n");
  fleet_.Connect(0)("SET", fleet_.KeyOn(0), "x");
  EXPECT_EQ(cache.Ask({"PING"}), "+PONG\r\n");
  EXPECT_EQ(cache.keys_told(), told);
}

// What is published while nobody owns the shard, or just does, may be lost: so it is said again.
void PublishUntilHeard(const FleetWorld& fleet, int from, const std::string& channel,
                       Wire* listener) {
  Client publisher = fleet.Connect(from);
  EXPECT_TRUE(Eventually([&] {
    publisher("PUBLISH", channel, "again");
    return listener->Ask({"PING", "end"}) == MessageOf(channel, "again");
  }));
}

TEST_P(FleetChannels, WhoListensIsHeardOfByTheNextOwner) {
  const int idle = Idle(fleet_);
  Wire listener(fleet_.member(idle).port());
  CachingClient cache(fleet_.member(idle).port());
  std::vector<std::string> channels;
  for (int shard = 0; shard < 2; ++shard) {
    channels.push_back(fleet_.KeyOn(shard, "c"));
    listener.Ask({"SUBSCRIBE", channels.back()});
    fleet_.Connect(0)("SET", fleet_.KeyOn(shard), "v");
    cache.Get(fleet_.KeyOn(shard));
  }
  const int dead = fleet_.OwnerOf(0);
  const std::string key = fleet_.KeyOn(0);
  const int left = fleet_.OwnerOf(1);
  fleet_.member(dead).Kill();
  // It is told that any key may have changed, at the latest when the next one knows that it tracks.
  while (cache.Has(key)) cache.Await();
  ASSERT_TRUE(Eventually([&] {
    cache.Get(key);
    const size_t told = cache.keys_told();
    if (!(fleet_.Connect(left)("SET", key, "w") == "OK")) return false;
    cache.Ask({"PING"});
    return cache.keys_told() > told || !cache.Has(key);
  }));
  for (const std::string& channel : channels) PublishUntilHeard(fleet_, left, channel, &listener);
}

TEST_P(FleetChannels, WhatIsPublishedWhileAShardMovesInOrderIsHeard) {
  const int idle = Idle(fleet_);
  Wire listener(fleet_.member(idle).port());
  std::vector<std::string> channels;
  for (int shard = 0; shard < 2; ++shard) {
    channels.push_back(fleet_.KeyOn(shard, "c"));
    listener.Ask({"SUBSCRIBE", channels.back()});
  }
  const int leaves = fleet_.OwnerOf(0);
  const int stays = fleet_.OwnerOf(1);
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::thread publishing([&] {
    Client here = fleet_.Connect(idle);
    Client there = fleet_.Connect(stays);
    while (!stop && published < 100000) {
      Client& one = published % 2 == 0 ? here : there;
      const Reply said = one("PUBLISH", channels[0], std::to_string(published));
      EXPECT_FALSE(said.IsError()) << said;
      ++published;
      LetOthersRun();
    }
  });
  EXPECT_TRUE(Eventually([&] { return published > 200; }));
  EXPECT_EQ(fleet_.member(leaves).Stop(), 0);
  EXPECT_TRUE(Eventually([&] { return fleet_.OwnerOf(0) != leaves; }));
  const int then = published;
  EXPECT_TRUE(Eventually([&] { return published > then + 200; }));
  stop = true;
  publishing.join();
  for (int i = 0; i < published; ++i) {
    ASSERT_EQ(listener.Read(), MessageOf(channels[0], std::to_string(i)));
  }
}

TEST_P(FleetChannels, NobodyIsSubscribedForAMemberThatIsGone) {
  const int idle = Idle(fleet_);
  const std::string channel = fleet_.KeyOn(0, "c");
  Wire listener(fleet_.member(idle).port());
  listener.Ask({"SUBSCRIBE", channel});
  const auto heard = [&] {
    return fleet_.node(0, 0).Connect()("PUBSUB", "NUMSUB", channel).items.at(1).integer;
  };
  EXPECT_EQ(heard(), 1);
  fleet_.member(idle).Kill();
  EXPECT_TRUE(Eventually([&] { return heard() == 0; }));
  EXPECT_EQ(fleet_.Connect(fleet_.OwnerOf(0))("PUBLISH", channel, "x"), ":0");
}

TEST_P(FleetChannels, FunctionsAreKnownAtAllMembers) {
  const int idle = Idle(fleet_);
  const std::string code =
      "#!lua name=lib\nredis.register_function('who', function(keys) "
      "return redis.call('SET', keys[1], 'by who') end)";
  Client client = fleet_.Connect(idle);
  ASSERT_EQ(client("FUNCTION", "LOAD", code), "lib");
  for (int shard = 0; shard < 2; ++shard) {
    EXPECT_EQ(client("FCALL", "who", "1", fleet_.KeyOn(shard)), "OK");
    EXPECT_EQ(client("GET", fleet_.KeyOn(shard)), "by who");
  }
  for (int from = 0; from < 3; ++from) {
    EXPECT_TRUE(Eventually([&] {
      return fleet_.Connect(from)("FUNCTION", "LIST").items.size() == 1 &&
             fleet_.Connect(from)("FCALL", "who", "1", fleet_.KeyOn(from % 2)) == "OK";
    }));
  }
  // One that comes later has them, too, and what is deleted at one is gone at all.
  const int owner = fleet_.OwnerOf(0);
  fleet_.member(owner).Kill();
  fleet_.member(owner).Restart();
  EXPECT_TRUE(
      Eventually([&] { return fleet_.Connect(owner)("FUNCTION", "LIST").items.size() == 1; }));
  EXPECT_EQ(fleet_.Connect(owner)("FUNCTION", "DELETE", "lib"), "OK");
  for (int from = 0; from < 3; ++from) {
    EXPECT_TRUE(Eventually([&] {
      return fleet_.Connect(from)("FUNCTION", "LIST").items.empty() &&
             fleet_.Connect(from)("FCALL", "who", "1", fleet_.KeyOn(from % 2)).IsError();
    }));
  }
}

TEST_P(FleetChannels, ScriptsAreKnownWhereTheyWereShown) {
  const std::string text = "return 'hello'";
  const std::string sha = fleet_.Connect(0)("SCRIPT", "LOAD", text).bytes;
  for (int shard = 0; shard < 2; ++shard) {
    const std::string key = fleet_.KeyOn(shard);
    EXPECT_EQ(fleet_.Connect(0)("EVALSHA", sha, "1", key), "hello");
    // As with another Redis: clients show the text then.
    const Reply elsewhere = fleet_.Connect(1)("EVALSHA", sha, "1", key);
    EXPECT_TRUE(elsewhere.bytes.starts_with("NOSCRIPT")) << elsewhere;
  }
  EXPECT_EQ(fleet_.Connect(1)("EVAL", text, "1", fleet_.KeyOn(0)), "hello");
  EXPECT_EQ(fleet_.Connect(1)("EVALSHA", sha, "1", fleet_.KeyOn(1)), "hello");
}

}  // namespace
}  // namespace gemel::e2e::fleet_channels_test
