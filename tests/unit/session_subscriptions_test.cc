// Subscriptions that the shards have not confirmed yet: who waits for them, and what is told then.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

// The connection on which a shard's node tells what is published there.
class FakeFeed {
 public:
  // It must outlive `world`, which says to the node what it leaves when it goes.
  void Attach(World* world, uint32_t shard) {
    for (auto& worker : world->workers) {
      if (worker->shards.contains(shard)) link_ = worker->shards.at(shard)->channels_link(0);
    }
    link_->set_transport(&transport_);
  }
  void Connect() {
    link_->OnConnected(0);
    transport_.Sent(link_);
    Answer(link_, SubscriberHandshake("r"));
    sent_ = transport_.Sent(link_);
  }
  // What it was asked to tell, or to tell no more, since.
  std::string Sent() {
    const std::string all = std::exchange(sent_, {}) + transport_.Sent(link_);
    std::string asked;
    std::vector<std::string_view> args;
    for (std::string_view rest = all; !rest.empty();) {
      args.clear();
      const size_t size = SplitNext(rest, &args);
      if (args[0].ends_with("subscribe")) asked += rest.substr(0, size);
      rest.remove_prefix(size);
    }
    return asked;
  }
  void Says(const std::string& bytes) { Answer(link_, bytes); }
  // Confirms all that it is asked for, bit by bit.
  void ConfirmAll(World* world) {
    for (std::string sent = Sent(); !sent.empty(); sent = Sent()) {
      RequestReader reader;
      std::vector<std::string_view> args;
      for (size_t at = 0; at < sent.size(); at += reader.consumed()) {
        ASSERT_EQ(reader.Read(sent.data() + at, sent.size() - at, RequestLimits(), &args),
                  RequestReader::Status::kCommand);
        Says("*3\r\n" + Bulk(args[0]) + Bulk(args[1]) + ":1\r\n");
      }
      world->Run();
    }
  }

 private:
  Link* link_ = nullptr;
  FakeTransport transport_;
  std::string sent_;
};

// Shards on two workers, or all on one.
class SubscriptionsUnderWayTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  SubscriptionsUnderWayTest() : subscriber_(world_.Connect(GetParam() - 1)) {
    feed_.Attach(&world_, 0);
  }

  FakeFeed feed_;
  World world_{1, "", GetParam()};
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
  feed_.Says(MessageOf("a", "1"));
  if (GetParam() == 1) {
    EXPECT_EQ((world_.Run(), subscriber_.Take()), MessageOf("a", "1"));
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

// Also for those that stand behind others of their client.
TEST_P(SubscriptionsUnderWayTest, PublishWaitsForAllThatCameAtOnce) {
  std::string all;
  for (int i = 10; i < 60; ++i) all += Command({"SUBSCRIBE", "c" + std::to_string(i)});
  subscriber_.Send(all + Command({"PSUBSCRIBE", "p*"}));
  if (GetParam() > 1) world_.Run();  // what it has read: UnreadSubscriptionsTest
  publisher_.Send(Command({"PUBLISH", "c59", "1"}) + Command({"PUBLISH", "pq", "2"}));
  world_.Run();
  EXPECT_EQ(publisher_.Take(), "");
  feed_.Connect();
  feed_.ConfirmAll(&world_);
  std::string told;
  for (int i = 10; i < 60; ++i) told += Confirmed("c" + std::to_string(i), i - 9);
  EXPECT_EQ(subscriber_.Take(), told + "*3\r\n" + Bulk("psubscribe") + Bulk("p*") + ":51\r\n");
  EXPECT_EQ(publisher_.Take(), ":1\r\n:1\r\n");
}

// The rest waits, and so does one of a name that may come to nothing yet.
TEST_P(SubscriptionsUnderWayTest, WhatElseComesBehindThemWaits) {
  subscriber_.Send(Command({"SUBSCRIBE", "a"}) + Command({"SUBSCRIBE", "b"}) +
                   Command({"SUBSCRIBE", "b"}) + Command({"PING"}) + Command({"UNSUBSCRIBE", "a"}));
  world_.Run();
  feed_.Connect();
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), "");
  feed_.ConfirmAll(&world_);
  EXPECT_EQ(subscriber_.Take(), Confirmed("a") + Confirmed("b", 2) + Confirmed("b", 2) +
                                    "*2\r\n$4\r\npong\r\n$0\r\n\r\n" + "*3\r\n" +
                                    Bulk("unsubscribe") + Bulk("a") + ":1\r\n");
}

// One that comes to nothing takes none of the others with it, nor their messages.
TEST_P(SubscriptionsUnderWayTest, OneOfManyIsRefused) {
  subscriber_.Send(Command({"SUBSCRIBE", "b"}) + Command({"SUBSCRIBE", "a"}));
  world_.Run();
  feed_.Connect();
  const bool a_first = feed_.Sent().find("\r\na\r\n") < feed_.Sent().find("\r\nb\r\n");
  ChannelRegistry& registry = world_.workers[GetParam() - 1]->channels;
  registry.Deliver(MessageOf("a", "1") + MessageOf("b", "2"));
  const std::string refusal = "-NOPERM no\r\n";
  feed_.Says(a_first ? refusal + Confirmed("b") : Confirmed("b") + refusal);
  world_.Run();
  const std::string told = subscriber_.Take();
  EXPECT_EQ(told, Confirmed("b") + refusal + MessageOf("b", "2"));
  registry.Deliver(MessageOf("a", "3") + MessageOf("b", "4"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), MessageOf("b", "4"));
}

// What one that is refused would have counted is not in what those behind it are told, as with
// Redis.
TEST_P(SubscriptionsUnderWayTest, OneThatIsRefusedDoesNotCount) {
  FakeClient& other = world_.Connect();
  other.Send(Command({"SUBSCRIBE", "told"}));
  world_.Run();
  feed_.Connect();
  feed_.ConfirmAll(&world_);
  world_.Ask(subscriber_, {"SSUBSCRIBE", "told"});
  feed_.ConfirmAll(&world_);
  EXPECT_NE(subscriber_.Take(), "");
  // One is known already, so that it is done before those that it stands behind.
  subscriber_.Send(Command({"SUBSCRIBE", "a", "b"}) + Command({"PSUBSCRIBE", "p*"}) +
                   Command({"SUBSCRIBE", "c"}) + Command({"SUBSCRIBE", "told", "told"}) +
                   Command({"SSUBSCRIBE", "s"}) + Command({"UNSUBSCRIBE", "told"}));
  world_.Run();
  const std::string refusal = "-NOPERM no\r\n";
  const auto asked = [](std::string_view verb, std::string_view name) {
    return "*3\r\n" + Bulk(verb) + Bulk(name) + ":1\r\n";
  };
  feed_.Says(Confirmed("a") + Confirmed("b") + asked("psubscribe", "p*") + refusal +
             asked("ssubscribe", "s"));
  world_.Run();
  const auto told = [](std::string_view verb, std::string_view name, int count) {
    return "*3\r\n" + Bulk(verb) + Bulk(name) + ":" + std::to_string(count) + "\r\n";
  };
  EXPECT_EQ(subscriber_.Take(), Confirmed("a", 1) + Confirmed("b", 2) +
                                    told("psubscribe", "p*", 3) + refusal + Confirmed("told", 4) +
                                    Confirmed("told", 4) + told("ssubscribe", "s", 2) +
                                    told("unsubscribe", "told", 3));
}

// Nor does it take a place from those behind it.
TEST_P(SubscriptionsUnderWayTest, OneThatIsRefusedFillsNoLimit) {
  FakeFeed feed;
  World world(1, "[limits]\nclient_subscriptions = 1", GetParam());
  feed.Attach(&world, 0);
  FakeClient& subscriber = world.Connect(GetParam() - 1);
  subscriber.Send(Command({"SUBSCRIBE", "a"}) + Command({"SUBSCRIBE", "b"}));
  world.Run();
  feed.Connect();
  EXPECT_EQ(feed.Sent(), Command({"subscribe", "a"}));
  feed.Says("-NOPERM no\r\n");
  world.Run();
  feed.ConfirmAll(&world);
  EXPECT_EQ(subscriber.Take(), "-NOPERM no\r\n" + Confirmed("b"));
}

// Whoever has seen what a client's command did may publish for the SUBSCRIBE that came with it: it
// counts from when it is read. Only what may bring messages that come before it is waited for.
TEST_P(SubscriptionsUnderWayTest, ItCountsThoughWhatItsClientAskedBeforeIsNotAnswered) {
  const auto count = [this](std::string_view channel) {
    return world_.channel_counts.CountOf(MakeChannelName(ChannelKind::kChannel, channel));
  };
  subscriber_.Send(Command({"SET", "k", "v"}) + Command({"GET", "k"}) +
                   Command({"SUBSCRIBE", "a"}) + Command({"SUBSCRIBE", "__keyspace@0__:k"}));
  EXPECT_EQ(count("a"), 1u);
  EXPECT_EQ(count("__keyspace@0__:k"), 0u) << "it would hear of its own SET";
  world_.Exchange();
  feed_.Connect();
  feed_.Says(Confirmed("a"));
  world_.Exchange();
  world_.workers[GetParam() - 1]->channels.Deliver(MessageOf("a", "1"));
  subscriber_.Turn();
  EXPECT_EQ(subscriber_.Take(), "");
  EXPECT_FALSE(world_.channel_counts.under_way().any());
  world_.Run();
  feed_.ConfirmAll(&world_);
  EXPECT_EQ(subscriber_.Take(), "+OK\r\n$1\r\nv\r\n" + Confirmed("a") + MessageOf("a", "1") +
                                    Confirmed("__keyspace@0__:k", 2));
  for (const std::vector<std::string_view>& publishes :
       {std::vector<std::string_view>{"PUBLISH", "b", "x"},
        {"SPUBLISH", "b", "x"},
        {"EVAL", "return 1", "1", "k"}}) {
    FakeClient& client = world_.Connect(GetParam() - 1);
    client.Send(Command(publishes) + Command({"SUBSCRIBE", "b"}));
    EXPECT_EQ(count("b"), 0u) << publishes[0];
    world_.Run();
    EXPECT_EQ(count("b"), 1u) << publishes[0];
    client.Close();
    world_.Run();
  }
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
  registry.Deliver(MessageOf("x", "1"));
  registry.Deliver(MessageOf("a", "2") + MessageOf("x", "3"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), MessageOf("x", "1"));
  feed_.Says(Confirmed("a"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(),
            Confirmed("a", 2) + Confirmed("x", 2) + MessageOf("a", "2") + MessageOf("x", "3"));
  registry.Deliver(MessageOf("a", "4"));
  world_.Run();
  EXPECT_EQ(subscriber_.Take(), MessageOf("a", "4"));
}

// A node that refuses it: nothing was subscribed to, and nothing is told of it.
TEST_P(SubscriptionsUnderWayTest, NothingIsLeftOfWhatIsRefused) {
  subscriber_.Send(Command({"SUBSCRIBE", "a", "b"}));
  world_.Run();
  feed_.Connect();
  world_.workers[GetParam() - 1]->channels.Deliver(MessageOf("a", "1"));
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
  feed_.Says(MessageOf("a", "1") + "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  world_.Run();
  std::string push = MessageOf("a", "1");
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

}  // namespace
}  // namespace gemel::session_test
