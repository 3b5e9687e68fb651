// Subscribers of one worker: what they are told, what they may say, when they are cut off.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "backend/bytes/budget.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

void Publish(World* world, const std::string& messages) {
  world->workers[0]->channels.Deliver(messages);
  world->Run();
}

TEST(SessionChannelsTest, MessagesComeInTheClientsProtocol) {
  World world;
  FakeClient& two = world.Connect();
  FakeClient& three = world.Connect();
  world.Ask(three, {"HELLO", "3"});
  EXPECT_EQ(world.Ask(two, {"SUBSCRIBE", "a"}), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  EXPECT_EQ(world.Ask(three, {"SUBSCRIBE", "a", "b"}),
            ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
  Publish(&world, MessageOf("a", "1") + MessageOf("b", "2") + MessageOf("c", "3"));
  EXPECT_EQ(two.Take(), MessageOf("a", "1"));
  std::string pushes = MessageOf("a", "1") + MessageOf("b", "2");
  pushes[0] = pushes[MessageOf("a", "1").size()] = '>';
  EXPECT_EQ(three.Take(), pushes);
  // Large ones are shared, and read the same.
  const std::string large = MessageOf("a", std::string(100000, 'x'));
  Publish(&world, large + large);
  EXPECT_EQ(two.Take(), large + large);
  EXPECT_EQ(three.Take().size(), 2 * large.size());
}

TEST(SessionChannelsTest, AMessageStandsBetweenReplies) {
  World world(1);
  FakeClient& client = world.Connect();
  world.Ask(client, {"HELLO", "3"});
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.Send(Command({"GET", "k"}));
  std::string push = MessageOf("a", "1");
  push[0] = '>';
  world.workers[0]->channels.Deliver(MessageOf("a", "1"));
  world.Run();
  EXPECT_EQ(client.Take(), push + "$-1\r\n");
}

TEST(SessionChannelsTest, ASubscriberOfResp2MaySayLittle) {
  World world;
  FakeClient& client = world.Connect();
  world.Ask(client, {"PSUBSCRIBE", "a*"});
  EXPECT_EQ(
      world.Ask(client, {"GET", "k"}),
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
      "are allowed in this context\r\n");
  EXPECT_EQ(world.Ask(client, {"PING", "x"}), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  EXPECT_EQ(world.Ask(client, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(world.channel_counts.Different(ChannelKind::kPattern), 0u);
}

TEST(SessionChannelsTest, WhoLeavesIsNoSubscriberAnyMore) {
  World world;
  FakeClient& one = world.Connect();
  FakeClient& two = world.Connect();
  FakeClient& asks = world.Connect();
  world.Ask(one, {"SUBSCRIBE", "a", "b"});
  world.Ask(two, {"SUBSCRIBE", "a"});
  EXPECT_EQ(world.Ask(asks, {"PUBSUB", "NUMSUB", "a", "b"}),
            "*4\r\n$1\r\na\r\n:2\r\n$1\r\nb\r\n:1\r\n");
  EXPECT_NE(world.Ask(asks, {"CLIENT", "LIST", "TYPE", "pubsub"}).find(" sub=2 psub=0"),
            std::string::npos);
  one.Close();
  Publish(&world, MessageOf("a", "1") + MessageOf("b", "1"));
  EXPECT_EQ(two.Take(), MessageOf("a", "1"));
  EXPECT_EQ(world.Ask(asks, {"PUBSUB", "NUMSUB", "a", "b"}),
            "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:0\r\n");
  EXPECT_EQ(world.Ask(asks, {"CLIENT", "KILL", "TYPE", "pubsub"}), ":1\r\n");
  EXPECT_TRUE(two.closed);
  EXPECT_EQ(world.channel_counts.Different(ChannelKind::kChannel), 0u);
}

TEST(SessionChannelsTest, WhoTakesNothingIsCutOff) {
  World world(1, "[limits]\nsubscriber_output = \"16kb\"\nsubscriber_output_soft = \"8kb\"");
  FakeClient& client = world.Connect();
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.takes = 0;
  const std::string message = MessageOf("a", std::string(4000, 'x'));
  for (int i = 0; i < 5; ++i) Publish(&world, message);
  EXPECT_FALSE(client.closed);
  Publish(&world, message);
  EXPECT_TRUE(client.closed);
  EXPECT_STREQ(client.session.replies().out().overrun_limit(), "subscriber_output");
}

TEST(SessionChannelsTest, OrIfItIsSlowForAMinute) {
  World world(1, "[limits]\nsubscriber_output = \"16kb\"\nsubscriber_output_soft = \"8kb\"");
  FakeClient& client = world.Connect();
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.takes = 0;
  uint64_t& now_ms = world.workers[0]->context.now_ms;
  const std::string message = MessageOf("a", std::string(4000, 'x'));
  now_ms = 1000;
  for (int i = 0; i < 4; ++i) Publish(&world, message);
  now_ms = 60000;
  Publish(&world, MessageOf("a", "1"));
  EXPECT_FALSE(client.closed);
  now_ms = 62000;
  Publish(&world, MessageOf("a", "1"));
  EXPECT_TRUE(client.closed);
  EXPECT_STREQ(client.session.replies().out().overrun_limit(), "subscriber_output_soft");
}

// Not those when the answer comes: who leaves because of what it heard did hear it, and who comes
// behind it did not.
TEST(SessionChannelsTest, PublishIsAnsweredWithWhoWasThere) {
  World world(1);
  FakeClient& leaves = world.Connect();
  FakeClient& comes = world.Connect();
  FakeClient& asks = world.Connect();
  world.Ask(leaves, {"SUBSCRIBE", "a"});
  world.Ask(comes, {"PSUBSCRIBE", "b*"});
  asks.Send(Command({"PUBLISH", "a", "stop"}));
  leaves.Close();
  world.Run();
  EXPECT_EQ(asks.Take(), ":1\r\n");
  FakeClient& another = world.Connect();
  another.Send(Command({"HELLO", "3"}));
  asks.Send(Command({"PUBLISH", "bb", "x"}));
  another.Send(Command({"PSUBSCRIBE", "b*"}));
  EXPECT_EQ(world.channel_counts.CountOf(MakeChannelName(ChannelKind::kPattern, "b*")), 2u);
  world.Run();
  EXPECT_EQ(asks.Take(), ":1\r\n");
}

// Nothing is said to it, and its connection ends all the same once what it asked is done.
TEST(SessionChannelsTest, WhoWantsNoRepliesLeavesWhenAllIsDone) {
  World world(1);
  FakeClient& client = world.Connect();
  client.Send(Command({"CLIENT", "REPLY", "OFF"}) + Command({"GET", "k"}));
  client.End();
  EXPECT_FALSE(client.closed);
  world.Run();
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(client.received, "");
}

// Who says QUIT gets what it is owed, and no message behind it.
TEST(SessionChannelsTest, NoMessageComesBehindTheEnd) {
  World world(1);
  FakeClient& client = world.Connect();
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.Send(Command({"QUIT"}));
  world.workers[0]->channels.Deliver(MessageOf("a", "1"));
  world.Run();
  EXPECT_EQ(client.Take(), "+OK\r\n");
  EXPECT_TRUE(client.closed);
}

// A pool with another shard: what is wanted is asked for there before anybody publishes there.
TEST(SessionChannelsTest, WhatANewPoolPublishesWaitsForItsSubscriptions) {
  World world(1, "", 2);
  FakeClient& subscriber = world.Connect(1);
  FakeClient& publisher = world.Connect(0);
  EXPECT_EQ(world.Ask(subscriber, {"SUBSCRIBE", "a"}), Confirmed("a"));
  ChannelRegistry& registry = world.workers[1]->channels;
  registry.BeginChange();
  publisher.Send(Command({"PUBLISH", "a", "1"}));
  world.Run();
  EXPECT_EQ(publisher.Take(), "");
  registry.OnPool();
  world.Run();
  EXPECT_EQ(publisher.Take(), ":1\r\n");
  EXPECT_FALSE(world.channel_counts.under_way().any());
}

// So do writes, if anything is wanted of keys: before the change begins, or after.
TEST(SessionChannelsTest, AWriteWaitsForANewPoolIfAnyWantToHearOfKeys) {
  for (const bool before : {true, false}) {
    World world(1, "", 2);
    FakeClient& subscriber = world.Connect(1);
    FakeClient& writer = world.Connect(0);
    const Args subscribe = {"SUBSCRIBE", "__keyspace@0__:k"};
    ChannelRegistry& registry = world.workers[1]->channels;
    if (before) world.Ask(subscriber, subscribe);
    registry.BeginChange();
    if (!before) {
      EXPECT_EQ(world.Ask(writer, {"SET", "k", "v"}), "+OK\r\n");
      world.Ask(subscriber, subscribe);
    }
    EXPECT_EQ(world.Ask(writer, {"SET", "k", "v"}), "");
    registry.OnPool();
    world.Run();
    EXPECT_EQ(writer.Take(), "+OK\r\n");
    EXPECT_FALSE(world.channel_counts.under_way().about_keys());
    EXPECT_FALSE(world.channel_counts.under_way().any());
  }
}

TEST(SessionChannelsTest, AClientSubscribesToSoMuchAndNoMore) {
  World world(1, "[limits]\nclient_subscriptions = 3");
  FakeClient& client = world.Connect();
  world.Ask(client, {"PING", std::string(5000, 'x')});
  const uint64_t before = Budget::Held();
  world.Ask(client, {"SUBSCRIBE", "a", "b"});
  EXPECT_EQ(world.Ask(client, {"PSUBSCRIBE", "c", "d"}),
            "-ERR a client may subscribe to 3 channels and patterns at most ([limits] "
            "client_subscriptions)\r\n");
  world.Ask(client, {"PSUBSCRIBE", std::string(5000, 'x')});
  EXPECT_EQ(world.Ask(client, {"SUBSCRIBE", "a"}), Confirmed("a", 3));
  EXPECT_GT(client.session.Held(), 5000u);
  EXPECT_GT(Budget::Held(), before + 10000);
  const uint64_t with = Budget::Held();
  world.Ask(client, {"RESET"});
  EXPECT_LT(client.session.Held(), 5000u);
  EXPECT_LT(Budget::Held(), with - 10000);
}

// As with Redis, each in its turn, though the array is of one for each command.
TEST(SessionChannelsTest, OfSeveralItIsToldInATransactionToo) {
  for (const bool resp3 : {false, true}) {
    World world(1);
    FakeClient& client = world.Connect();
    if (resp3) world.Ask(client, {"HELLO", "3"});
    world.Ask(client, {"MULTI"});
    EXPECT_EQ(world.Ask(client, {"SUBSCRIBE", "a", "b"}), "+QUEUED\r\n");
    EXPECT_EQ(world.Ask(client, {"GET", "k"}), "+QUEUED\r\n");
    EXPECT_EQ(world.Ask(client, {"UNSUBSCRIBE", "b", "none"}), "+QUEUED\r\n");
    std::string told = Confirmed("a") + Confirmed("b", 2) + "$-1\r\n" + "*3\r\n" +
                       Bulk("unsubscribe") + Bulk("b") + ":1\r\n" + "*3\r\n" + Bulk("unsubscribe") +
                       Bulk("none") + ":1\r\n";
    if (resp3) std::replace(told.begin(), told.end(), '*', '>');
    EXPECT_EQ(world.Ask(client, {"EXEC"}), "*3\r\n" + told);
  }
}

// As with Redis, whose errors are replies like others.
TEST(SessionChannelsTest, WhoWantsNoRepliesIsToldOfNoErrors) {
  World world(1);
  FakeClient& client = world.Connect();
  client.Send(Command({"CLIENT", "REPLY", "OFF"}));
  EXPECT_EQ(world.Ask(client, {"SUBSCRIBE"}), "");
  EXPECT_EQ(world.Ask(client, {"SUBSCRIBE", "a"}), Confirmed("a"));
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "");
}

// Who hangs up while CLIENT PAUSE holds it is let go, and what it asked is not done.
TEST(SessionChannelsTest, WhoHangsUpInAPauseIsLetGo) {
  for (const bool all : {true, false}) {
    World world(1);
    world.workers[0]->context.pause.Begin(1000, all);
    FakeClient& client = world.Connect();
    client.Send(Command({"SET", "k", "v"}));
    world.Run();
    client.End();
    world.Run();
    EXPECT_TRUE(client.closed);
    world.workers[0]->context.pause.End();
    world.Run();
    EXPECT_TRUE(world.nodes[0].data.empty());
  }
}

}  // namespace
}  // namespace gemel::session_test
