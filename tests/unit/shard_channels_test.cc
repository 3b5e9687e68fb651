// What a shard's nodes publish: whom it waits for, whose messages count, who gets them.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/channels/channel_name.h"
#include "backend/channels/keyspace_name.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/channels.h"
#include "backend/shard/server_voices.h"
#include "tests/unit/order_of.h"
#include "tests/unit/shard_channels_world.h"

namespace gemel::shard_channels_test {
namespace {

constexpr char kPong[] = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";

std::string Channel(std::string_view text) { return MakeChannelName(ChannelKind::kChannel, text); }

TEST(ChannelNames, OfMessages) {
  EXPECT_EQ(ChannelOfMessage(Command({"message", "a b", "text"})), Channel("a b"));
  EXPECT_EQ(ChannelOfMessage(Command({"message", "", ""})), Channel(""));
  EXPECT_EQ(ChannelOfMessage(Command({"pmessage", "a*", "ab", "text"})),
            MakeChannelName(ChannelKind::kPattern, "a*"));
  EXPECT_EQ(ChannelOfMessage(Command({"smessage", "a", "text"})),
            MakeChannelName(ChannelKind::kShardChannel, "a"));
  EXPECT_EQ(ChannelOfMessage(Command({"subscribe", "a", "1"})), "");
  const std::string name = MakeChannelName(ChannelKind::kShardChannel, "x");
  EXPECT_EQ(KindOfChannel(name), ChannelKind::kShardChannel);
  EXPECT_EQ(TextOfChannel(name), "x");
}

TEST(ServerVoices, OneOfThoseThatShareAServerSpeaks) {
  ServerVoices voices;
  EXPECT_TRUE(voices.Speaks("b", "p"));
  EXPECT_TRUE(voices.Speaks("a", "p"));
  EXPECT_FALSE(voices.Speaks("b", "p"));
  EXPECT_TRUE(voices.Speaks("c", "q"));
  // Its primary is another server now.
  EXPECT_FALSE(voices.Speaks("b", "q") && voices.Speaks("c", "q"));
  EXPECT_TRUE(voices.Speaks("a", "q"));
  EXPECT_FALSE(voices.Speaks("b", "q"));
  // It listens no more.
  EXPECT_FALSE(voices.Speaks("a", ""));
  EXPECT_TRUE(voices.Speaks("b", "q"));
}

class ShardChannelsTest : public ShardChannelsWorld {};

TEST_F(ShardChannelsTest, IsAnsweredWhenAllInSyncTell) {
  Begin(2);
  const Asked* asked = Want(true, {"a", "b"});
  EXPECT_EQ(asked->told, "");
  FeedUp(0);
  EXPECT_EQ(FeedSent(0).size(), (Command({"subscribe", "a"}) + Command({"subscribe", "b"})).size());
  FeedSays(0, Confirmation("a") + Confirmation("b"));
  EXPECT_EQ(asked->told, "") << "the other one may be the primary in a moment";
  FeedUp(1);
  const std::string sent = FeedSent(1);
  FeedSays(1, sent.find("\r\na\r\n") < sent.find("\r\nb\r\n")
                  ? Confirmation("a") + Confirmation("b")
                  : Confirmation("b") + Confirmation("a"));
  EXPECT_EQ(asked->told, "+OK\r\n");
  EXPECT_EQ(Want(true, {"a"}, 1)->told, "+OK\r\n") << "that is known";
  EXPECT_EQ(FeedSent(0), "") << "however many listen";
}

TEST_F(ShardChannelsTest, DoesNotWaitForWhoCannotBeAsked) {
  Begin(2);
  Lose(1);
  Lose(1, /*refused=*/true);
  const Asked* asked = Want(true, {"a"});
  FeedUp(0);
  FeedSent(0);
  FeedSays(0, Confirmation("a"));
  EXPECT_EQ(asked->told, "+OK\r\n");
  // Nor for ever for one that says nothing.
  const Asked* silent = Want(true, {"b"});
  shard_->Tick(now_ms_ += 500, 0);
  EXPECT_EQ(silent->told, "");
  shard_->Tick(now_ms_ += 600, 0);
  EXPECT_EQ(silent->told, "+OK\r\n");
}

TEST_F(ShardChannelsTest, ThePrimarysRefusalIsTheAnswer) {
  Begin(1);
  const Asked* asked = Want(true, {"a", "b"});
  FeedUp(0);
  const std::string sent = FeedSent(0);
  const bool a_first = sent.find("\r\na\r\n") < sent.find("\r\nb\r\n");
  const std::string no = "-NOPERM no access to a\r\n";
  FeedSays(0, a_first ? no : Confirmation("b"));
  FeedSays(0, a_first ? Confirmation("b") : no);
  EXPECT_EQ(asked->told, no);
  FeedSays(0, Command({"message", "b", "1"}));
  EXPECT_EQ(Heard(0), Command({"message", "b", "1"}));
}

TEST_F(ShardChannelsTest, OnlyThePrimarysMessagesCount) {
  Begin(2);
  Want(true, {"a"}, 0);
  Want(true, {"a"}, 2);
  Want(true, {"b"}, 2);
  FeedUp(0);
  FeedUp(1);
  const std::string message = Command({"message", "a", "1"});
  FeedSays(1, message);
  EXPECT_EQ(Heard(0), "");
  // What came together goes on together.
  batches_ = 0;
  FeedSays(
      0, message + Command({"message", "b", "2"}) + message + Command({"message", "unknown", "3"}));
  EXPECT_EQ(batches_, 2);
  EXPECT_EQ(Heard(0), message + message);
  EXPECT_EQ(Heard(2), message + Command({"message", "b", "2"}) + message);
  EXPECT_EQ(Heard(1), "");
  Want(false, {"a"}, 0);
  FeedSays(0, message);
  EXPECT_EQ(Heard(0), "");
  EXPECT_EQ(Heard(2), message);
}

TEST_F(ShardChannelsTest, AnotherShardOfTheServerPassesOn) {
  Begin(1);
  Want(true, {"a"});
  FeedUp(0);
  EXPECT_TRUE(voices_.Speaks("Z", "r0"));  // comes before "a"
  FeedSays(0, Command({"message", "a", "1"}));
  EXPECT_EQ(Heard(0), "");
  EXPECT_FALSE(voices_.Speaks("Z", ""));
  FeedSays(0, Command({"message", "a", "2"}));
  EXPECT_EQ(Heard(0), Command({"message", "a", "2"}));
}

TEST_F(ShardChannelsTest, TheLastOneUnsubscribes) {
  Begin(1);
  Want(true, {"a"}, 0);
  Want(true, {"a"}, 1);
  FeedUp(0);
  FeedSent(0);
  FeedSays(0, Confirmation("a"));
  Want(false, {"a"}, 0);
  Want(false, {"a"}, 0);
  EXPECT_EQ(FeedSent(0), "");
  Want(false, {"a"}, 1);
  EXPECT_EQ(FeedSent(0), Command({"unsubscribe", "a"}));
  // One that comes at once is told of its own subscription, not of the one before.
  const Asked* asked = Want(true, {"a"}, 1);
  EXPECT_EQ(asked->told, "");
  EXPECT_EQ(FeedSent(0), Command({"subscribe", "a"}));
  FeedSays(0, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
  EXPECT_EQ(asked->told, "");
  FeedSays(0, Confirmation("a"));
  EXPECT_EQ(asked->told, "+OK\r\n");
  // When nobody has wanted anything for a while the node is left.
  Want(false, {"a"}, 1);
  FeedSays(0, "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
  EXPECT_TRUE(shard_->channels_link(0)->up());
  shard_->Tick(now_ms_ += 11000, 0);
  EXPECT_EQ(shard_->channels_link(0)->state(), Link::State::kDown);
}

TEST_F(ShardChannelsTest, AConnectionThatIsMadeAnewIsSubscribed) {
  Begin(1);
  Want(true, {"a"});
  FeedUp(0);
  FeedSent(0);
  FeedSays(0, Confirmation("a"));
  shard_->channels_link(0)->OnClosed("reset", false, now_ms_);
  const Asked* meanwhile = Want(true, {"b"});
  FeedUp(0);
  const std::string sent = FeedSent(0);
  EXPECT_NE(sent.find(Command({"subscribe", "a"})), std::string::npos) << sent;
  EXPECT_NE(sent.find(Command({"subscribe", "b"})), std::string::npos) << sent;
  const bool a_first = sent.find("\r\na\r\n") < sent.find("\r\nb\r\n");
  FeedSays(0, Confirmation(a_first ? "a" : "b") + Confirmation(a_first ? "b" : "a"));
  EXPECT_EQ(meanwhile->told, "+OK\r\n");
}

// A message is published on the primary alone, and never twice.
TEST_F(ShardChannelsTest, PublishIsSentOnce) {
  Begin(2);
  for (uint32_t i = 0; i < 2; ++i) Sent(i);
  const Asked* published = Ask({"PUBLISH", "a", "1"});
  EXPECT_EQ(Sent(0), Command({"PUBLISH", "a", "1"}));
  shard_->link(0)->OnClosed("reset", false, now_ms_);
  EXPECT_NE(published->told.find("it is not known whether it has published"), std::string::npos)
      << published->told;
  EXPECT_EQ(Sent(1), "");
  // Where the primary is away it waits, though another copy could be read from.
  const Asked* held = Ask({"PUBLISH", "a", "2"});
  EXPECT_EQ(held->told, "");
  EXPECT_EQ(Sent(1).find("PUBLISH"), std::string::npos);
}

TEST_F(ShardChannelsTest, WhatIsRefusedForAMomentIsAskedForAgain) {
  Begin(2);
  const Asked* asked = Want(true, {"a"});
  FeedUp(0);
  FeedUp(1);
  FeedSays(0, Confirmation("a"));
  FeedSays(1, "-BUSY a script runs\r\n");
  EXPECT_EQ(asked->told, "+OK\r\n");
  FeedSent(1);
  shard_->Tick(now_ms_ += 2500, 0);
  EXPECT_EQ(FeedSent(1), Command({"subscribe", "a"}));
}

// Behind what the primary has published, which is handed on before.
TEST_F(ShardChannelsTest, ABarrierIsAnsweredBehindTheMessages) {
  BeginWithTwoThatTellOfA();
  Asked& barrier = asked_.emplace_back();
  barrier.sink = this;
  barrier.kind = RequestKind::kChannels;
  auto cargo = std::make_unique<ChannelsCargo>();
  cargo->barrier = true;
  barrier.Extra().cargo = std::move(cargo);
  shard_->Submit(&barrier);
  EXPECT_EQ(barrier.told, "");
  FeedSays(1, kPong);
  EXPECT_EQ(barrier.told, "");
  FeedSays(0, Command({"message", "a", "1"}) + kPong);
  EXPECT_EQ(barrier.told, "+OK\r\n");
  EXPECT_EQ(Heard(0), Command({"message", "a", "1"}));
}

// What the old primary has published before is heard, and what is in line on its link.
TEST_F(ShardChannelsTest, ARoleIsHandedOverBehindTheMessages) {
  BeginWithTwoThatTellOfA();
  const Asked* published = Publish("1", 1);
  Asked& order = asked_.emplace_back();
  order.sink = this;
  order.kind = RequestKind::kControl;
  order.Extra().cargo = OrderOf("PROMOTE", "n1");
  shard_->Submit(&order);
  const Asked* held = Publish("2", 2);
  Pass(50);
  RunEdits();
  EXPECT_EQ(Durable().copies[Durable().primary].node, "n0");
  Sent(0);
  Reply(0, ":1\r\n");
  EXPECT_EQ(published->told, ":1\r\n");
  Pass(50);
  RunEdits();
  EXPECT_EQ(Durable().copies[Durable().primary].node, "n0");
  FeedSays(0, Command({"message", "a", "1"}) + kPong);
  FeedSays(1, kPong);
  EXPECT_EQ(Heard(0), Command({"message", "a", "1"}));
  Pass(50);
  RunEdits();
  EXPECT_EQ(Durable().copies[Durable().primary].node, "n1");
  EXPECT_EQ(order.told.substr(0, 3), "+OK");
  EXPECT_EQ(Sent(1), Command({"PUBLISH", "a", "2"}));
  EXPECT_EQ(held->told, "");
}

// A feed that says nothing holds nobody up for ever.
TEST_F(ShardChannelsTest, OrWithoutThemAfterAWhile) {
  base_.pause_ms = 5000;
  Begin(2);
  Want(true, {"a"});
  FeedUp(0);
  Asked& order = asked_.emplace_back();
  order.sink = this;
  order.kind = RequestKind::kControl;
  order.Extra().cargo = OrderOf("PROMOTE", "n1");
  shard_->Submit(&order);
  for (int i = 0; i < 30 && order.told.empty(); ++i) {
    Pass(50);
    RunEdits();
  }
  EXPECT_EQ(order.told.substr(0, 3), "+OK");
}

// To clients a database that the shard has for itself is the first.
TEST_F(ShardChannelsTest, NotificationsOfItsOwnDatabaseAreThoseOfTheFirst) {
  Begin(1);
  LinkOptions node = shard_->channels_link(0)->options();
  node.database = 3;
  shard_->channels_link(0)->set_options(node);
  Asked* asked = Want(true, {"__keyspace@0__:k", "__keyspace@3__:k", "news"});
  FeedUp(0);
  const std::string sent = FeedSent(0);
  EXPECT_NE(sent.find(Command({"subscribe", "__keyspace@3__:k"})), std::string::npos);
  EXPECT_EQ(sent.find("@0__"), std::string::npos);
  std::vector<std::string_view> args;
  for (std::string_view rest = sent; !rest.empty();) {
    args.clear();
    rest.remove_prefix(SplitNext(rest, &args));
    FeedSays(0, Confirmation(args[1]));
  }
  EXPECT_EQ(asked->told, "+OK\r\n");
  FeedSays(0, Command({"message", "__keyspace@3__:k", "set"}));
  EXPECT_EQ(Heard(0), Command({"message", "__keyspace@0__:k", "set"}));
  FeedSays(0, Command({"message", "news", "x"}));
  EXPECT_EQ(Heard(0), Command({"message", "news", "x"}));
  Want(false, {"__keyspace@0__:k"});
  EXPECT_EQ(FeedSent(0), Command({"unsubscribe", "__keyspace@3__:k"}));
}

TEST(KeyspaceNames, AreRenamed) {
  EXPECT_EQ(RenameKeyspace("__keyspace@0__:a@0__", 0, 12), "__keyspace@12__:a@0__");
  EXPECT_EQ(RenameKeyspace("__keyevent@12__:set", 12, 0), "__keyevent@0__:set");
  EXPECT_EQ(RenameKeyspace("__key*@0__:*", 0, 3), "__key*@3__:*");
  EXPECT_EQ(RenameKeyspace("__keyevent@*__:set", 0, 3), "__keyevent@*__:set");
  EXPECT_EQ(RenameKeyspace("news@0__", 0, 3), "news@0__");
  EXPECT_EQ(DatabaseOfNotification("__keyevent@12__:set"), 12);
  EXPECT_EQ(DatabaseOfNotification("__keyevent@12_:set"), -1);
}

TEST_F(ShardChannelsTest, WhoWaitsIsAnsweredAtTheEnd) {
  Begin(1);
  const Asked* asked = Want(true, {"a"});
  shard_->Stop();
  EXPECT_EQ(asked->told, "+OK\r\n");
}

}  // namespace
}  // namespace gemel::shard_channels_test
