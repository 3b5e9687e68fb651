// What waits until a node is listened to: who wants to hear, and what would be heard by nobody.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/order_of.h"
#include "tests/unit/shard_channels_world.h"

namespace gemel::shard_channels_wait_test {
namespace {

constexpr char kPong[] = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";

class ShardChannelsWaitTest : public ShardChannelsWorld {};

// A primary that comes up is sent no PUBLISH before its feed tells of what is wanted.
TEST_F(ShardChannelsWaitTest, WhatWaitsForAPrimaryIsHeard) {
  Make(1);
  feeds_.resize(1);
  shard_->channels_link(0)->set_transport(&feeds_[0]);
  const Asked* published = Ask({"PUBLISH", "a", "1"});
  Want(true, {"a"});
  Up(0, "r0");
  const Asked* set = Ask({"GET", "k"}, 2);
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  Reply(0, "$-1\r\n");
  EXPECT_EQ(set->told, "$-1\r\n");
  FeedUp(0);
  EXPECT_EQ(Sent(0), "");
  FeedSays(0, Confirmation("a"));
  EXPECT_EQ(Sent(0), Command({"PUBLISH", "a", "1"}));
  EXPECT_EQ(published->told, "");
}

// Nor a write before that, if its events are wanted, nor what may publish among other things.
TEST_F(ShardChannelsWaitTest, SoIsWhatItsNodeTellsOfKeys) {
  Make(1);
  feeds_.resize(1);
  shard_->channels_link(0)->set_transport(&feeds_[0]);
  Want(true, {"a"});
  const std::string script = "redis.call('PUBLISH', 'a', '1')";
  const Asked* evaluated = Ask({"EVAL", script, "1", "l"}, 3);
  Up(0, "r0");
  const Asked* set = Ask({"SET", "k", "1"}, 2);
  EXPECT_EQ(Sent(0), Command({"SET", "k", "1"})) << "nobody wants to hear of keys";
  EXPECT_EQ(Want(true, {"__keyspace@0__:k"})->told, "");
  Ask({"SET", "k", "2"}, 4);
  EXPECT_EQ(Sent(0), "");
  FeedUp(0);
  FeedSays(0, Confirmation("a"));
  EXPECT_EQ(Sent(0), "");
  FeedSays(0, Confirmation("__keyspace@0__:k"));
  const std::string sent = Sent(0);
  EXPECT_NE(sent.find(Command({"EVAL", script, "1", "l"})), std::string::npos) << sent;
  EXPECT_NE(sent.find(Command({"SET", "k", "2"})), std::string::npos) << sent;
  EXPECT_EQ(evaluated->told, "");
  EXPECT_EQ(set->told, "");
}

// A feed that does not come up holds no write for long.
TEST_F(ShardChannelsWaitTest, WritesWaitForNoFeedForLong) {
  Make(1);
  feeds_.resize(1);
  shard_->channels_link(0)->set_transport(&feeds_[0]);
  Want(true, {"__keyevent@0__:set"});
  Up(0, "r0");
  Ask({"SET", "k", "1"});
  Pass(900);
  EXPECT_EQ(Sent(0), "");
  Pass(200);
  EXPECT_EQ(Sent(0), Command({"SET", "k", "1"}));
}

// Nor is it sent to one that has just become the primary.
TEST_F(ShardChannelsWaitTest, SoIsWhatANewPrimaryTells) {
  Begin(2);
  Want(true, {"__keyevent@0__:set"});
  FeedUp(0);
  FeedSays(0, Confirmation("__keyevent@0__:set"));
  Asked& order = asked_.emplace_back();
  order.sink = this;
  order.kind = RequestKind::kControl;
  order.Extra().cargo = OrderOf("PROMOTE", "n1");
  shard_->Submit(&order);
  for (int i = 0; i < 4; ++i) {
    Pass(50);
    RunEdits();
    if (feeds_[0].Sent(shard_->channels_link(0)).find("PING") != std::string::npos) {
      FeedSays(0, kPong);
    }
    if (Durable().copies[Durable().primary].node == "n1") break;
  }
  ASSERT_EQ(Durable().copies[Durable().primary].node, "n1");
  Sent(0);
  Sent(1);
  Ask({"SET", "k", "v"});
  Pass(50);
  EXPECT_EQ(Sent(1), "");
  FeedUp(1);
  FeedSays(1, Confirmation("__keyevent@0__:set"));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}));
}

// Behind a start, or where a connection has just been lost, it is not known yet whether a node can
// be asked: it is waited for until that is known.
TEST_F(ShardChannelsWaitTest, WaitsForANodeThatMayBeThere) {
  Make(2);
  feeds_.resize(2);
  for (uint32_t i = 0; i < 2; ++i) shard_->channels_link(i)->set_transport(&feeds_[i]);
  const Asked* asked = Want(true, {"a"});
  EXPECT_EQ(asked->told, "");
  Up(0, "r0");
  FeedUp(0);
  FeedSays(0, Confirmation("a"));
  EXPECT_EQ(asked->told, "");
  Lose(1, /*refused=*/true);
  Pass(100);
  EXPECT_EQ(asked->told, "+OK\r\n");
  // A feed that was lost alone is back at once, or is not.
  shard_->channels_link(0)->OnClosed("reset", false, now_ms_);
  const Asked* back = Want(true, {"a", "b"}, 1);
  EXPECT_EQ(back->told, "");
  FeedUp(0);
  FeedSays(0, Confirmation("a") + Confirmation("b"));
  EXPECT_EQ(back->told, "+OK\r\n");
  shard_->channels_link(0)->OnClosed("reset", false, now_ms_);
  const Asked* gone = Want(true, {"c"}, 1);
  EXPECT_EQ(gone->told, "");
  Pass(100);
  ASSERT_EQ(shard_->channels_link(0)->state(), Link::State::kConnecting);
  shard_->channels_link(0)->OnClosed("refused", true, now_ms_);
  Pass(100);
  EXPECT_EQ(gone->told, "+OK\r\n");
}

}  // namespace
}  // namespace gemel::shard_channels_wait_test
