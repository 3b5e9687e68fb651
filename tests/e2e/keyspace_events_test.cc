// Keyspace notifications behind a SUBSCRIBE that gemel has read: a write that comes then brings its
// event, as with Redis, whichever connections and workers they came on.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::keyspace_events_test {
namespace {

// What is subscribed to, "#" being the key, and what brings an event there.
struct EventWay {
  Words subscribe;
  std::vector<Words> writes;
  std::string last;  // of these, as CLIENT LIST has it
  std::string channel;
  std::string event;
  bool one_shard = false;  // where there are several it may be refused
};
const std::vector<EventWay> kEventWays = {
    {{"SUBSCRIBE", "__keyspace@0__:#"}, {{"SET", "#", "v"}}, "set", "__keyspace@0__:#", "set"},
    {{"SUBSCRIBE", "__keyevent@0__:set"}, {{"SET", "#", "v"}}, "set", "__keyevent@0__:set", "#"},
    {{"PSUBSCRIBE", "__key*__:#"}, {{"MSET", "#", "v"}}, "mset", "__keyspace@0__:#", "set"},
    {{"PSUBSCRIBE", "__keyspace@*__:#"},
     {{"MULTI"}, {"LPUSH", "#", "v"}, {"EXEC"}},
     "exec",
     "__keyspace@0__:#",
     "lpush"},
    {{"PSUBSCRIBE", "*:#"}, {{"INCR", "#"}}, "incr", "__keyspace@0__:#", "incrby"},
    {{"SUBSCRIBE", "__keyspace@0__:#"},
     {{"EVAL", "return redis.call('sadd', KEYS[1], 'v')", "1", "#"}},
     "eval",
     "__keyspace@0__:#",
     "sadd"},
    {{"SUBSCRIBE", "__keyspace@0__:#"},
     {{"EVAL", "return redis.call('hset', ARGV[1], 'f', 'v')", "0", "#"}},
     "eval",
     "__keyspace@0__:#",
     "hset",
     true},
};

std::string With(std::string text, const std::string& key) {
  const size_t at = text.find('#');
  return at == std::string::npos ? text : text.replace(at, 1, key);
}
Words With(Words words, const std::string& key) {
  for (std::string& word : words) word = With(word, key);
  return words;
}

// Shards and workers.
class KeyspaceEvents : public ::testing::TestWithParam<int> {
 protected:
  KeyspaceEvents() : cluster_({.shards = GetParam(), .workers = GetParam()}) {
    // gemel has its own in place: what a client sets from now on stays.
    for (int i = 0; i < cluster_.shards() * cluster_.copies(); ++i) {
      Client node = cluster_.node(i / cluster_.copies(), i % cluster_.copies()).Connect();
      EXPECT_TRUE(Eventually([&] {
        return !node("CONFIG", "GET", "notify-keyspace-events").items.at(1).bytes.empty();
      }));
    }
    EXPECT_EQ(cluster_.Connect()("CONFIG", "SET", "notify-keyspace-events", "KEA"), "OK");
  }
  // gemel has read that command of the client's.
  bool WaitUntilRead(const std::string& id, const std::string& command) {
    return Eventually([&] {
      const std::string list = cluster_.Connect()("CLIENT", "LIST", "ID", id).bytes;
      return list.find(" cmd=" + command + " ") != std::string::npos;
    });
  }
  // What the subscriber is told first, and what it should be. With `silent` the primary of the key
  // is stopped until the write has been read.
  void Try(const EventWay& way, const std::string& key, bool silent) {
    RedisNode& primary = cluster_.node(cluster_.ShardOf(key), 0);
    Wire subscriber(cluster_.proxy().port());
    Client writer = cluster_.Connect();
    std::string id = subscriber.Ask({"CLIENT", "ID"});
    id = id.substr(1, id.size() - 3);
    const std::string writer_id = writer("CLIENT", "ID").Text().substr(1);
    if (silent) primary.Pause();
    subscriber.Send(Encode(With(way.subscribe, key)));
    const bool pattern = way.subscribe[0] == "PSUBSCRIBE";
    EXPECT_TRUE(WaitUntilRead(id, pattern ? "psubscribe" : "subscribe"));
    for (const Words& words : way.writes) writer.Append(With(words, key));
    writer.Flush();
    if (silent) {
      EXPECT_TRUE(WaitUntilRead(writer_id, way.last));
      primary.Resume();
    }
    for (size_t n = 0; n < way.writes.size(); ++n) EXPECT_FALSE(writer.Read().IsError());
    subscriber.Read();  // the confirmation
    // What is read behind it in any case.
    writer("PUBLISH", With(way.channel, key), "end");
    const std::string channel = With(way.channel, key);
    const auto message = [&](const std::string& text) {
      return pattern ? Encode({"pmessage", With(way.subscribe[1], key), channel, text})
                     : Encode({"message", channel, text});
    };
    told_ = subscriber.Read();
    wanted_ = message(With(way.event, key));
  }

  Cluster cluster_;
  std::string told_;
  std::string wanted_;
};

TEST_P(KeyspaceEvents, AWriteBehindASubscribeBringsThem) {
  for (int i = 0; i < 70; ++i) {
    const EventWay& way = kEventWays[static_cast<size_t>(i) % kEventWays.size()];
    if (way.one_shard && GetParam() > 1) continue;
    SCOPED_TRACE(way.subscribe[1] + " / " + way.last + " " + std::to_string(i));
    Try(way, "key" + std::to_string(i), /*silent=*/false);
    EXPECT_EQ(told_, wanted_);
  }
}

// Though nodes were not connected to yet for what they publish. They are not waited for longer than
// a second: so a try in which the test itself takes much of that does not count.
TEST_P(KeyspaceEvents, HoweverLateANodeIs) {
  int counted = 0;
  for (int i = 0; i < 50 && counted < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const EventWay& way = kEventWays[static_cast<size_t>(i) % 4];
    Try(way, "key" + std::to_string(i), /*silent=*/true);
    if (std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(500)) continue;
    ++counted;
    EXPECT_EQ(told_, wanted_) << i;
  }
  EXPECT_EQ(counted, 3);
}

const Words kTellsAll = {"--notify-keyspace-events", "KEA"};

// One SET, as soon as it is taken, and what a client is told that had subscribed before it.
void ExpectToHear(const Cluster& cluster, Wire* subscriber, const std::string& key) {
  Client writer = cluster.Connect();
  EXPECT_TRUE(Eventually([&] { return !writer("SET", key, "v").IsError(); }));
  writer("PUBLISH", "__keyspace@0__:" + key, "end");
  EXPECT_EQ(subscriber->Read(), Encode({"message", "__keyspace@0__:" + key, "set"}));
}

// Behind a start there is no connection yet on which nodes tell of keys.
TEST(KeyspaceEventsAnew, BehindAStart) {
  Cluster cluster({.workers = 2, .redis_options = kTellsAll});
  for (int i = 0; i < 10; ++i) {
    const std::string key = "key" + std::to_string(i);
    RedisNode& primary = cluster.node(cluster.ShardOf(key), 0);
    const bool late = i % 5 == 0;
    EXPECT_EQ(cluster.proxy().Stop(), 0);
    if (late) primary.Pause();
    cluster.proxy().Restart();
    Wire subscriber(cluster.proxy().port());
    subscriber.Send(Encode({"SUBSCRIBE", "__keyspace@0__:" + key}));
    Client writer = cluster.Connect();
    if (late) primary.Resume();
    subscriber.Read();
    ExpectToHear(cluster, &subscriber, key);
  }
}

TEST(KeyspaceEventsAnew, BehindAnUpgrade) {
  Cluster cluster({.workers = 2, .redis_options = kTellsAll});
  Wire before(cluster.proxy().port());
  before.Ask({"SUBSCRIBE", "__keyspace@0__:old"});
  for (int i = 0; i < 5; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_FALSE(cluster.Connect()("PROXY", "UPGRADE").IsError());
    ExpectToHear(cluster, &before, "old");
    before.Read();
    Wire subscriber(cluster.proxy().port());
    subscriber.Ask({"SUBSCRIBE", "__keyspace@0__:" + key});
    ExpectToHear(cluster, &subscriber, key);
  }
}

// Whoever subscribes while it is away is told so, and hears of what is written when it is back.
TEST(KeyspaceEventsAnew, WhereANodeIsBack) {
  Cluster cluster({.shards = 1, .copies = 1, .redis_options = kTellsAll});
  RedisNode& node = cluster.node(0, 0);
  for (int i = 0; i < 5; ++i) {
    const std::string key = "key" + std::to_string(i);
    // It comes back empty, and that is all that it had.
    EXPECT_FALSE(cluster.Connect()("FLUSHALL").IsError());
    node.Kill();
    EXPECT_TRUE(Eventually([&] { return cluster.Status(0).nodes[0].health == "down"; }));
    Wire subscriber(cluster.proxy().port());
    subscriber.Ask({"SUBSCRIBE", "__keyspace@0__:" + key});
    node.Start();
    ExpectToHear(cluster, &subscriber, key);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, KeyspaceEvents, ::testing::Values(1, 2),
                         [](const auto& ways) { return std::to_string(ways.param); });

}  // namespace
}  // namespace gemel::e2e::keyspace_events_test
