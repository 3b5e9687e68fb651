// Subscribers of one worker: what they are told, what they may say, when they are cut off.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/bytes/budget.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

std::string Confirmed(const std::string& channel, int count = 1) {
  return "*3\r\n" + Bulk("subscribe") + Bulk(channel) + ":" + std::to_string(count) + "\r\n";
}
std::string Message(const std::string& channel, const std::string& text) {
  return Command({"message", channel, text});
}
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
  Publish(&world, Message("a", "1") + Message("b", "2") + Message("c", "3"));
  EXPECT_EQ(two.Take(), Message("a", "1"));
  std::string pushes = Message("a", "1") + Message("b", "2");
  pushes[0] = pushes[Message("a", "1").size()] = '>';
  EXPECT_EQ(three.Take(), pushes);
  // Large ones are shared, and read the same.
  const std::string large = Message("a", std::string(100000, 'x'));
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
  std::string push = Message("a", "1");
  push[0] = '>';
  world.workers[0]->channels.Deliver(Message("a", "1"));
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
  Publish(&world, Message("a", "1") + Message("b", "1"));
  EXPECT_EQ(two.Take(), Message("a", "1"));
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
  const std::string message = Message("a", std::string(4000, 'x'));
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
  const std::string message = Message("a", std::string(4000, 'x'));
  now_ms = 1000;
  for (int i = 0; i < 4; ++i) Publish(&world, message);
  now_ms = 60000;
  Publish(&world, Message("a", "1"));
  EXPECT_FALSE(client.closed);
  now_ms = 62000;
  Publish(&world, Message("a", "1"));
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
  world.workers[0]->channels.Deliver(Message("a", "1"));
  world.Run();
  EXPECT_EQ(client.Take(), "+OK\r\n");
  EXPECT_TRUE(client.closed);
}

// The connection on which a shard's node tells what is published there.
class FakeFeed {
 public:
  FakeFeed(World* world, uint32_t shard) {
    for (auto& worker : world->workers) {
      if (worker->shards.contains(shard)) link_ = worker->shards.at(shard)->channels_link(0);
    }
    link_->set_transport(&transport_);
  }
  void Connect() { MakeUp(link_, &transport_, SubscriberHandshake("r")); }
  std::string Sent() { return transport_.Sent(link_); }
  void Says(const std::string& bytes) { Answer(link_, bytes); }

 private:
  Link* link_;
  FakeTransport transport_;
};

// Shards on two workers, or all on one.
class SubscriptionsUnderWayTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  SubscriptionsUnderWayTest() : subscriber_(world_.Connect(GetParam() - 1)) {}

  World world_{1, "", GetParam()};
  FakeFeed feed_{&world_, 0};
  FakeClient& subscriber_;
  FakeClient& publisher_ = world_.Connect(0);
};

// As with Redis: what reaches it behind the SUBSCRIBE is heard, and told behind the confirmation.
TEST_P(SubscriptionsUnderWayTest, PublishWaitsForThem) {
  subscriber_.Send(Command({"SUBSCRIBE", "a"}));
  publisher_.Send(Command({"PUBLISH", "b", "0"}) + Command({"PUBLISH", "a", "1"}) +
                  Command({"PUBLISH", "b", "2"}));
  world_.Run();
  EXPECT_EQ(publisher_.Take(), ":0\r\n");
  EXPECT_EQ(world_.Ask(world_.Connect(), {"PUBSUB", "NUMSUB", "a"}), "*2\r\n$1\r\na\r\n:1\r\n");
  feed_.Connect();
  world_.Run();
  EXPECT_EQ(world_.nodes[0].seen, std::vector{Command({"PUBLISH", "b", "0"})});
  feed_.Says(Confirmed("a"));
  world_.Run();
  EXPECT_EQ(publisher_.Take(), ":1\r\n:0\r\n");
  EXPECT_EQ(subscriber_.Take(), Confirmed("a"));
  feed_.Says(Message("a", "1"));
  if (GetParam() == 1) {
    EXPECT_EQ((world_.Run(), subscriber_.Take()), Message("a", "1"));
  }
}

class UnreadSubscriptionsTest : public SubscriptionsUnderWayTest {};
INSTANTIATE_TEST_SUITE_P(Workers, UnreadSubscriptionsTest, ::testing::Values(2u));

// It has come to another worker, which has not read it yet.
TEST_P(UnreadSubscriptionsTest, PublishWaitsForThem) {
  World& world = world_;
  FakeFeed& feed = feed_;
  FakeClient& subscriber = subscriber_;
  FakeClient& publisher = publisher_;
  feed.Connect();
  publisher.Send(Command({"PUBLISH", "a", "1"}) + Command({"PUBLISH", "a", "2"}));
  EXPECT_TRUE(world.nodes[0].seen.empty());
  subscriber.Send(Command({"SUBSCRIBE", "a"}));
  world.Run();
  EXPECT_TRUE(world.nodes[0].seen.empty());
  feed.Says(Confirmed("a"));
  world.Run();
  EXPECT_EQ(world.nodes[0].seen,
            (std::vector{Command({"PUBLISH", "a", "1"}), Command({"PUBLISH", "a", "2"})}));
  // In a transaction, too. What has come by a later turn is to be asked for anew.
  ++world.workers[0]->context.turn;
  world.nodes[0].seen.clear();
  publisher.Send(Command({"MULTI"}) + Command({"PUBLISH", "b", "3"}) + Command({"EXEC"}));
  EXPECT_TRUE(world.nodes[0].seen.empty());
  subscriber.Send(Command({"SUBSCRIBE", "b"}));
  world.Run();
  EXPECT_TRUE(world.nodes[0].seen.empty());
  feed.Says(Confirmed("b"));
  world.Run();
  EXPECT_FALSE(world.nodes[0].seen.empty());
}

// Held until it is told of its subscription, and in its order with what it had before.
TEST_P(SubscriptionsUnderWayTest, MessagesAreHeldUntilTheConfirmation) {
  subscriber_.Send(Command({"SUBSCRIBE", "x"}));
  world_.Run();
  feed_.Connect();
  feed_.Says(Confirmed("x"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), Confirmed("x"));
  subscriber_.Send(Command({"SUBSCRIBE", "a", "x"}));
  ChannelRegistry& registry = world_.workers[GetParam() - 1]->channels;
  world_.Run();
  registry.Deliver(Message("x", "1"));
  registry.Deliver(Message("a", "2") + Message("x", "3"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), Message("x", "1"));
  feed_.Says(Confirmed("a"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(),
            Confirmed("a", 2) + Confirmed("x", 2) + Message("a", "2") + Message("x", "3"));
  registry.Deliver(Message("a", "4"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), Message("a", "4"));
}

// A node that refuses it: nothing was subscribed to, and nothing is told of it.
TEST_P(SubscriptionsUnderWayTest, NothingIsLeftOfWhatIsRefused) {
  subscriber_.Send(Command({"SUBSCRIBE", "a", "b"}));
  world_.Run();
  feed_.Connect();
  world_.workers[GetParam() - 1]->channels.Deliver(Message("a", "1"));
  const bool a_first = feed_.Sent().find("\r\na\r\n") < feed_.Sent().find("\r\nb\r\n");
  feed_.Says((a_first ? Confirmed("a") : Confirmed("b")) + "-NOPERM no\r\n");
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), "-NOPERM no\r\n");
  EXPECT_EQ(world_.channel_counts.Different(ChannelKind::kChannel), 0u);
  EXPECT_FALSE(world_.channel_counts.under_way().any());
}

TEST_P(SubscriptionsUnderWayTest, SoDoesWhateverMayPublish) {
  subscriber_.Send(Command({"PSUBSCRIBE", "a*"}));
  FakeClient& script = world_.Connect();
  FakeClient& harmless = world_.Connect();
  FakeClient& block = world_.Connect();
  FakeClient& of_shards = world_.Connect();
  script.Send(Command({"EVAL", "redis.call('PUBLISH', KEYS[1], 'x')", "1", "k"}));
  harmless.Send(Command({"EVAL", "return 1", "1", "k"}));
  block.Send(Command({"MULTI"}) + Command({"SET", "k", "v"}) + Command({"PUBLISH", "ab", "x"}) +
             Command({"EXEC"}));
  of_shards.Send(Command({"SPUBLISH", "ab", "x"}));
  world_.Run();
  EXPECT_EQ(script.Take(), "");
  EXPECT_NE(harmless.Take(), "");
  EXPECT_EQ(block.Take(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
  EXPECT_NE(of_shards.Take(), "") << "a pattern is for no channel of shards";
  feed_.Connect();
  feed_.Says("*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n");
  world_.Run();
  EXPECT_NE(script.Take(), "");
  EXPECT_EQ(block.Take().substr(0, 4), "*2\r\n");
}

// Nor does it wait for ever for who is gone.
TEST_P(SubscriptionsUnderWayTest, WhoLeavesIsNotWaitedFor) {
  subscriber_.Send(Command({"SUBSCRIBE", "a"}));
  publisher_.Send(Command({"PUBLISH", "a", "1"}));
  world_.Run();
  EXPECT_EQ(publisher_.Take(), "");
  subscriber_.Close();
  world_.Run();
  EXPECT_EQ(publisher_.Take(), ":0\r\n");
}

// Each waits for those that were there before it, and no longer.
TEST_P(SubscriptionsUnderWayTest, NorForThoseThatComeBehindIt) {
  subscriber_.Send(Command({"SUBSCRIBE", "a"}));
  world_.Run();
  feed_.Connect();
  publisher_.Send(Command({"PUBLISH", "a", "1"}));
  world_.Run();
  FakeClient& later = world_.Connect(GetParam() - 1);
  later.Send(Command({"PSUBSCRIBE", "*"}));
  world_.Run();
  feed_.Says(Confirmed("a"));
  world_.Run();
  EXPECT_EQ(publisher_.Take(), ":2\r\n");
  EXPECT_EQ(later.Take(), "");
}

// What it publishes comes to a client of RESP3 before the answer, however late its feed tells.
TEST_P(SubscriptionsUnderWayTest, OnesOwnMessageComesBeforeTheAnswer) {
  if (GetParam() != 1) return;  // messages to another worker travel otherwise
  world_.Ask(subscriber_, {"HELLO", "3"});
  subscriber_.Send(Command({"SUBSCRIBE", "a"}) + Command({"PUBLISH", "a", "1"}));
  world_.Run();
  feed_.Connect();
  feed_.Says(Confirmed("a"));
  subscriber_.Send(Command({"PUBLISH", "a", "2"}));
  world_.Run();
  std::string confirmed = Confirmed("a");
  confirmed[0] = '>';
  EXPECT_EQ(subscriber_.Take(), confirmed);
  feed_.Says(Message("a", "1") + "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  world_.Run();
  std::string push = Message("a", "1");
  push[0] = '>';
  EXPECT_EQ(subscriber_.Take(), push + ":1\r\n");
  feed_.Says("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), ":1\r\n");
}

// Writes wait for those that are about keys, once each, and reads do not.
TEST_P(SubscriptionsUnderWayTest, AWriteWaitsForThoseThatAreAboutKeys) {
  subscriber_.Send(Command({"PSUBSCRIBE", "__key*"}));
  FakeClient& reader = world_.Connect();
  FakeClient& block = world_.Connect();
  FakeClient& several = world_.Connect();
  publisher_.Send(Command({"SET", "k", "v"}) + Command({"GET", "k"}));
  reader.Send(Command({"GET", "k"}));
  block.Send(Command({"MULTI"}) + Command({"SET", "k", "v"}) + Command({"EXEC"}));
  several.Send(Command({"MSET", "k", "v", "l", "w"}));
  world_.Run();
  EXPECT_EQ(publisher_.Take(), "");
  EXPECT_EQ(reader.Take(), "$-1\r\n");
  EXPECT_EQ(block.Take(), "+OK\r\n+QUEUED\r\n");
  EXPECT_EQ(several.Take(), "");
  feed_.Connect();
  feed_.Says("*3\r\n$10\r\npsubscribe\r\n$6\r\n__key*\r\n:1\r\n");
  world_.Run();
  EXPECT_EQ(publisher_.Take(), "+OK\r\n$1\r\nv\r\n");
  EXPECT_EQ(block.Take(), "*1\r\n+OK\r\n");
  EXPECT_EQ(several.Take(), "+OK\r\n");
  EXPECT_FALSE(world_.channel_counts.under_way().about_keys());
  // Others are nothing to it.
  subscriber_.Send(Command({"SUBSCRIBE", "a"}));
  EXPECT_EQ(world_.Ask(publisher_, {"SET", "k", "v"}), "+OK\r\n");
}

INSTANTIATE_TEST_SUITE_P(Workers, SubscriptionsUnderWayTest, ::testing::Values(1u, 2u));

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
