// Clients that track keys, of one worker or two: what they are told, and between which replies.

#include <gtest/gtest.h>

#include <string>

#include "backend/bytes/budget.h"
#include "proxy/session/held_pushes.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

std::string Invalidated(const std::string& key) {
  return ">2\r\n$10\r\ninvalidate\r\n" + Command({key});
}
const std::string kAllInvalidated = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

// Speaks RESP3, and tracks.
FakeClient& Tracker(World* world, Args options = {}, uint32_t worker = 0) {
  FakeClient& client = world->Connect(worker);
  world->Ask(client, {"HELLO", "3"});
  Args words = {"CLIENT", "TRACKING", "ON"};
  words.insert(words.end(), options.begin(), options.end());
  EXPECT_EQ(world->Ask(client, words), "+OK\r\n");
  return client;
}

// A push is behind the reply that it is about, also where that waits for others, or is put
// together.
TEST(SessionTrackingTest, APushComesBehindItsReply) {
  for (const uint32_t workers : {1u, 2u}) {
    World world(2, "", workers);
    FakeClient& client = Tracker(&world);
    FakeClient& writer = world.Connect(workers - 1);
    const std::string a = world.Key(0);
    const std::string b = world.Key(1);
    // The first reply is late: b's waits for it.
    client.Command({"GET", a});
    client.Command({"GET", b});
    for (int i = 0; i < 3; ++i) {
      world.Exchange();
      world.nodes[1].Serve();
    }
    writer.Command({"SET", b, "new"});
    for (int i = 0; i < 3; ++i) {
      world.Exchange();
      world.nodes[1].Serve();
      world.Turn();
    }
    EXPECT_EQ(writer.Take(), "+OK\r\n");
    EXPECT_EQ(client.Take(), "");
    world.Run();
    EXPECT_EQ(client.Take(), "$-1\r\n$-1\r\n" + Invalidated(b));
    // Of two shards, one of which is late.
    client.Command({"MGET", a, b});
    for (int i = 0; i < 3; ++i) {
      world.Exchange();
      world.nodes[1].Serve();
    }
    writer.Command({"SET", b, "newer"});
    for (int i = 0; i < 3; ++i) {
      world.Exchange();
      world.nodes[1].Serve();
      world.Turn();
    }
    EXPECT_EQ(writer.Take(), "+OK\r\n");
    EXPECT_EQ(client.Take(), "");
    world.Run();
    EXPECT_EQ(client.Take(), "*2\r\n$-1\r\n$3\r\nnew\r\n" + Invalidated(b));
    EXPECT_EQ(world.Ask(writer, {"SET", a, "x"}), "+OK\r\n");
    EXPECT_EQ(client.Take(), Invalidated(a));
  }
}

// Of prefixes nobody knows which reads are under way: what they bring may be old.
TEST(SessionTrackingTest, OfAPrefixItIsToldBehindReadsToo) {
  World world(2);
  FakeClient& client = Tracker(&world, {"BCAST"});
  FakeClient& writer = world.Connect();
  const std::string a = world.Key(0);
  const std::string b = world.Key(1);
  client.Command({"GET", a});
  writer.Command({"SET", b, "new"});
  for (int i = 0; i < 3; ++i) {
    world.Exchange();
    world.nodes[1].Serve();
    world.Turn();
  }
  EXPECT_EQ(client.Take(), Invalidated(b));
  world.Run();
  EXPECT_EQ(client.Take(), "$-1\r\n" + Invalidated(b));
  EXPECT_EQ(writer.Take(), "+OK\r\n");
  EXPECT_EQ(world.Ask(writer, {"SET", b, "newer"}), "+OK\r\n");
  EXPECT_EQ(client.Take(), Invalidated(b));
}

// What has nothing to do with a reply that is late does not wait for it.
TEST(SessionTrackingTest, APushDoesNotWaitForOthersReplies) {
  World world(2);
  FakeClient& client = Tracker(&world);
  FakeClient& writer = world.Connect();
  const std::string a = world.Key(0);
  const std::string b = world.Key(1);
  world.Ask(client, {"GET", b});
  client.Command({"GET", a});
  writer.Command({"SET", b, "new"});
  for (int i = 0; i < 3; ++i) {
    world.Exchange();
    world.nodes[1].Serve();
    world.Turn();
  }
  EXPECT_EQ(client.Take(), Invalidated(b));
  world.Run();
  EXPECT_EQ(client.Take(), "$-1\r\n");
}

TEST(SessionTrackingTest, OfTwoWorkersEachIsTold) {
  World world(2, "", 2);
  FakeClient& one = Tracker(&world, {}, 0);
  FakeClient& two = Tracker(&world, {}, 1);
  FakeClient& all = Tracker(&world, {"BCAST", "PREFIX", "k"}, 1);
  FakeClient& other = world.Connect(1);
  FakeClient& third = world.Connect(0);
  world.Ask(other, {"HELLO", "3"});
  EXPECT_EQ(world.Ask(third, {"CLIENT", "TRACKING", "ON", "REDIRECT", "4"}), "+OK\r\n");
  for (uint32_t shard = 0; shard < 2; ++shard) {
    const std::string key = world.Key(shard);
    for (FakeClient* client : {&one, &two, &third}) world.Ask(*client, {"GET", key});
    EXPECT_EQ(world.Ask(one, {"SET", key, "v"}), "+OK\r\n" + Invalidated(key));
    for (FakeClient* client : {&two, &all, &other}) EXPECT_EQ(client->Take(), Invalidated(key));
    EXPECT_EQ(third.Take(), "");
  }
  EXPECT_EQ(world.tracking_totals.clients, 4u);
  EXPECT_EQ(world.tracking_totals.prefixes(), 1u);
  for (FakeClient* client : {&one, &two, &all}) client->Close();
  world.Ask(third, {"RESET"});
  EXPECT_EQ(world.tracking_totals.clients, 0u);
  EXPECT_EQ(world.tracking_totals.prefixes(), 0u);
}

TEST(SessionTrackingTest, AFlushIsTold) {
  World world(1);
  FakeClient& client = Tracker(&world);
  FakeClient& writer = world.Connect();
  EXPECT_EQ(world.Ask(writer, {"FLUSHALL"}), "+OK\r\n");
  EXPECT_EQ(client.Take(), kAllInvalidated);
  EXPECT_EQ(world.Ask(client, {"FLUSHALL"}), "+OK\r\n" + kAllInvalidated);
}

// Keys are other shards' now, and what is under way was asked of those that had them.
TEST(SessionTrackingTest, AfterAChangeOfTheRingAllIsTold) {
  World world(1);
  FakeClient& client = Tracker(&world);
  world.workers[0]->trackers.OnPool(/*moved=*/false);
  world.Run();
  EXPECT_EQ(client.Take(), "");
  world.workers[0]->trackers.OnPool(/*moved=*/true);
  world.Run();
  EXPECT_EQ(client.Take(), kAllInvalidated);
  client.Command({"GET", "k"});
  world.workers[0]->trackers.OnPool(/*moved=*/true);
  world.Run();
  EXPECT_EQ(client.Take(), kAllInvalidated + "$-1\r\n" + kAllInvalidated);
}

// As a subscriber that takes nothing.
TEST(SessionTrackingTest, WhoTakesNothingIsCutOff) {
  World world(1, "[limits]\nsubscriber_output = \"16kb\"\nsubscriber_output_soft = \"16kb\"");
  FakeClient& client = Tracker(&world, {"BCAST"});
  FakeClient& writer = world.Connect();
  client.takes = 0;
  for (int i = 0; i < 1000 && !client.closed; ++i) world.Ask(writer, {"SET", "key", "v"});
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(world.tracking_totals.clients, 0u);
}

// What behind CLIENT CACHING is refused before it is carried out uses it up.
TEST(SessionTrackingTest, CachingIsForOneCommand) {
  World world(1);
  FakeClient& client = Tracker(&world, {"OPTOUT"});
  FakeClient& writer = world.Connect();
  const auto told = [&](const std::string& key) {
    world.Ask(writer, {"SET", key, "v"});
    return !client.Take().empty();
  };
  world.Ask(client, {"CLIENT", "CACHING", "NO"});
  world.Ask(client, {"GET"});
  world.Ask(client, {"GET", "a"});
  EXPECT_TRUE(told("a"));
  world.Ask(client, {"CLIENT", "CACHING", "NO"});
  world.Ask(client, {"CLIENT", "GETNAME"});
  world.Ask(client, {"GET", "a"});
  EXPECT_FALSE(told("a"));
}

TEST(HeldPushesTest, EachInItsTurn) {
  HeldPushes pushes;
  std::string out;
  const auto take = [&](size_t gone) {
    pushes.OnGone(gone, [&](std::string_view push) { out += push; });
    return std::exchange(out, {});
  };
  pushes.Add(2, "a");
  pushes.Add(1, "b");  // not before the one before it
  pushes.Add(3, "c");
  EXPECT_EQ(pushes.bytes(), 3u);
  EXPECT_EQ(take(1), "");
  EXPECT_EQ(take(1), "ab");
  EXPECT_EQ(take(5), "c");
  EXPECT_TRUE(pushes.empty());
  EXPECT_EQ(pushes.bytes(), 0u);
}

TEST(HeldPushesTest, EachBehindItsConfirmation) {
  const uint64_t before = Budget::Held();
  {
    HeldPushes pushes;
    std::string out;
    const auto take = [&](size_t gone) {
      pushes.OnGone(gone, [&](std::string_view push) { out += push; });
      return std::exchange(out, {});
    };
    EXPECT_FALSE(pushes.AddMessage("a", "0"));
    pushes.AwaitConfirmation(1, {"a", "b"});
    pushes.AwaitConfirmation(2, {"c"});
    EXPECT_TRUE(pushes.AddMessage("c", "c"));
    EXPECT_TRUE(pushes.AddMessage("a", "a"));
    EXPECT_EQ(take(1), "");
    EXPECT_FALSE(pushes.IsUnconfirmed("a"));
    EXPECT_TRUE(pushes.IsUnconfirmed("c"));
    EXPECT_TRUE(pushes.AddMessage("a", "A")) << "nor is one of its client overtaken";
    pushes.AwaitConfirmation(3, {"d"});
    EXPECT_TRUE(pushes.AddMessage("d", "d"));
    pushes.DropUnconfirmed({"c"});
    EXPECT_FALSE(pushes.IsUnconfirmed("c"));
    EXPECT_EQ(take(1), "aA");
    EXPECT_TRUE(pushes.any_unconfirmed());
    EXPECT_EQ(take(2), "d");
    EXPECT_TRUE(pushes.empty());
    EXPECT_EQ(pushes.bytes(), 0u);
    pushes.AwaitConfirmation(1, {"left"});
  }
  EXPECT_EQ(Budget::Held(), before);
}

}  // namespace
}  // namespace gemel::session_test
