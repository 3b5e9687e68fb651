// The feeds on which nodes tell what they remove: when they are there, what a gap hides, when all
// is heard.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/removals_world.h"

namespace gemel::removal_feeds_test {
namespace {

class RemovalFeedsTest : public RemovalsWorld {};

TEST_F(RemovalFeedsTest, EvictionsThatWereNotHeardAreSaid) {
  Begin(2);
  std::string why;
  shard_->removals().set_audit([&why](const std::string& text) { why = text; });
  Tell(1, {"a", "b"}, "evicted");
  shard_->feed_link(1)->OnClosed("reset", false, now_ms_);
  EXPECT_FALSE(shard_->removals().feeds().IsFollowed(1));
  Follow(1, 2);
  EXPECT_EQ(why, "") << "two were told";
  shard_->feed_link(1)->OnClosed("reset", false, now_ms_);
  Follow(1, 3);
  EXPECT_EQ(why, "node n1 has evicted keys while its notifications were not heard");
}

TEST_F(RemovalFeedsTest, WhatWasEvictedBeforeTheFeedWasThereIsSaid) {
  Make(2);
  std::string why;
  shard_->removals().set_audit([&why](const std::string& text) { why = text; });
  feeds_.resize(2);
  for (uint32_t i = 0; i < 2; ++i) shard_->feed_link(i)->set_transport(&feeds_[i]);
  Up(0, "r0");
  Up(1, "r1");
  Follow(0, 0);
  EXPECT_EQ(why, "");
  Follow(1, 1);
  EXPECT_EQ(why, "node n1 has evicted keys while its notifications were not heard");
}

TEST_F(RemovalFeedsTest, OneThatRefusesTheSubscriptionIsNamed) {
  Begin(2);
  shard_->feed_link(1)->OnClosed("reset", false, now_ms_);
  shard_->Tick(now_ms_ += 100, 0);
  Link* link = shard_->feed_link(1);
  link->OnConnected(now_ms_);
  Answer(link, SubscriberHandshake("r1"), now_ms_);
  if (!link->up()) Answer(link, ":1\r\n", now_ms_);
  Answer(link, "+OK\r\n+QUEUED\r\n-NOPERM no channel\r\n", now_ms_);
  EXPECT_EQ(shard_->removals().feeds().Note(1), "it refuses PSUBSCRIBE: NOPERM no channel");
  EXPECT_EQ(shard_->removals().feeds().Note(0), "");
}

TEST_F(RemovalFeedsTest, AShardOfOneCopyNeedsNoFeed) {
  Make(1);
  feeds_.resize(1);
  shard_->feed_link(0)->set_transport(&feeds_[0]);
  Up(0, "r0");
  Pass(100);
  EXPECT_EQ(feeds_[0].connects, 0);
}

TEST_F(RemovalFeedsTest, AFeedThatSaysNothingIsAskedWhetherItIsAlive) {
  Begin(2);
  shard_->Tick(now_ms_ += 1000, 0);
  EXPECT_EQ(FeedSent(0), Command({"PING"}));
  const int connects = feeds_[0].connects;
  Pong(0);
  shard_->Tick(now_ms_ += 1000, 0);
  EXPECT_EQ(FeedSent(0), Command({"PING"}));
  Pass(8000, 100);  // its node answers all else, as far as it is asked
  EXPECT_GT(feeds_[0].connects, connects);
  EXPECT_FALSE(shard_->removals().feeds().IsFollowed(0));
}

TEST_F(RemovalFeedsTest, AFeedOfAProcessThatIsGoneIsMadeAnew) {
  Begin(2);
  Lose(1, /*refused=*/true);
  RunEdits();
  EXPECT_TRUE(shard_->removals().feeds().IsFollowed(1)) << "nobody has said that it ended";
  const int connects = feeds_[1].connects;
  Pass(100, 100);
  Up(1, "another");
  EXPECT_EQ(feeds_[1].connects, connects + 1);
}

TEST_F(RemovalFeedsTest, NotificationsThatAreSwitchedOnLaterAreCheckedForWhatWasMissed) {
  Begin(2);
  std::string why;
  shard_->removals().set_audit([&why](const std::string& text) { why = text; });
  shard_->removals().feeds().SetNotifying(1, 1);
  EXPECT_FALSE(shard_->removals().feeds().IsFollowed(1));
  Follow(1, 5);
  EXPECT_EQ(why, "node n1 has evicted keys while its notifications were not heard");
  shard_->removals().feeds().SetNotifying(1, 1);
  EXPECT_TRUE(shard_->removals().feeds().IsFollowed(1)) << "nothing new";
}

TEST_F(RemovalFeedsTest, AnotherDatabaseOfTheNodeIsNotTheShards) {
  Begin(2);
  Record();
  Answer(shard_->feed_link(0), Event("expired", "a", 1), now_ms_);
  EXPECT_EQ(Sent(1), "");
  EXPECT_EQ(Sent(0), "");
}

TEST_F(RemovalFeedsTest, ANodeThatIsOutOfReachIsNotWaitedFor) {
  base_.grace_ms = 4000;
  Begin(2);
  Lose(1);
  uint64_t ticket = 0;
  EXPECT_FALSE(shard_->removals().AllHeard(&ticket));
  Pass(20);
  AnswerPings();
  EXPECT_TRUE(shard_->removals().AllHeard(&ticket));
  EXPECT_FALSE(shard_->removals().feeds().HasEnded(ticket)) << "it is in sync";
  Up(1, "r1");
  EndBarrier();
  EXPECT_TRUE(shard_->removals().feeds().HasEnded(ticket));
}

TEST_F(RemovalFeedsTest, AFeedIsNotAskedWhileItsNodeIsOutOfReach) {
  base_.grace_ms = 4000;
  Begin(2);
  Lose(1);
  shard_->removals().doubts().Ask("a");
  for (int i = 0; i < 5; ++i) {
    Pass(20);
    EXPECT_NE(FeedSent(0), "");
    EXPECT_EQ(FeedSent(1), "") << "it may hang, and would be asked again and again";
    Pong(0);
  }
}

TEST_F(RemovalFeedsTest, AllIsHeardOnceTheNodesHaveAnsweredBehindTheLastWrite) {
  Begin(2);
  Ask({"SET", "a", "1"});
  Sent(0);
  Sent(1);
  uint64_t ticket = 0;
  EXPECT_FALSE(shard_->removals().AllHeard(&ticket));
  EXPECT_EQ(FeedSent(0), "") << "the write is not answered";
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  shard_->Tick(now_ms_ += 20, 0);
  EXPECT_NE(FeedSent(0), "");
  EXPECT_NE(FeedSent(1), "");
  Tell(0, {"b"}, "evicted");  // because of that write
  Pong(0);
  EXPECT_FALSE(shard_->removals().AllHeard(&ticket));
  Pong(1);
  EXPECT_FALSE(shard_->removals().AllHeard(&ticket)) << "a key is in doubt";
  ExpectRepairOnceHeard(0, "b");
  Reply(0, "$-1\r\n:-2\r\n");
  Sent(1);
  Reply(1, ":1\r\n");
  EXPECT_TRUE(shard_->removals().AllHeard(&ticket));
}

}  // namespace
}  // namespace gemel::removal_feeds_test
