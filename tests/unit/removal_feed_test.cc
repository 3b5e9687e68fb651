// One feed: what it counts, and what it says of what it may have missed.

#include "backend/removals/removal_feed.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/fake_transport.h"

namespace gemel::removal_feed_test {
namespace {

class RemovalFeedTest : public ::testing::Test, public RemovalFeed::Host {
 protected:
  RemovalFeedTest() : feed_(this, 0, &pool_, LinkOptions()) {
    feed_.link().set_transport(&transport_);
  }
  static NodeIdentity Known(const std::string& run_id, uint64_t evicted) {
    NodeIdentity known;
    known.run_id = run_id;
    known.evicted = evicted;
    return known;
  }
  // The node of that process says how many keys it has evicted, and is subscribed to.
  void Subscribe(const std::string& run_id, uint64_t evicted) {
    Link* link = &feed_.link();
    MakeUp(link, &transport_, SubscriberHandshake(run_id));
    ASSERT_TRUE(link->up());
    std::string stats;
    AppendBulk(&stats, "# Stats\r\nevicted_keys:" + std::to_string(evicted) + "\r\n");
    Answer(link, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n" + stats +
                     "*3\r\n$10\r\npsubscribe\r\n$1\r\na\r\n:1\r\n"
                     "*3\r\n$10\r\npsubscribe\r\n$1\r\nb\r\n:2\r\n");
    ASSERT_TRUE(feed_.following());
  }
  void Pong() { Answer(&feed_.link(), "*2\r\n$4\r\npong\r\n$0\r\n\r\n"); }
  // What was said since.
  std::vector<std::string> Said() { return std::exchange(said_, {}); }
  using Words = std::vector<std::string>;

  void OnRemoved(uint32_t, std::string_view key, bool evicted) override {
    said_.push_back((evicted ? "evicted " : "expired ") + std::string(key));
  }
  void OnRemovedEnd(uint32_t) override { said_.push_back("end"); }
  void OnPong(uint32_t) override { said_.push_back("pong"); }
  void OnFollowing(uint32_t, bool missed) override {
    said_.push_back(missed ? "following, missed some" : "following");
  }
  void OnFeedEnd(uint32_t) override { said_.push_back("over"); }
  bool IsSilent(uint32_t) override { return false; }

  ChunkPool pool_;
  FakeTransport transport_;
  std::vector<std::string> said_;
  RemovalFeed feed_;
};

TEST_F(RemovalFeedTest, WhatANodeEvictedBeforeTheFirstSubscriptionWasMissed) {
  feed_.Start(0, Known("r", 5));
  Subscribe("r", 5);
  EXPECT_EQ(Said(), Words{"following, missed some"}) << "this process has heard of none of it";
  feed_.Restart(0, Known("r", 5));
  Subscribe("r", 5);
  EXPECT_EQ(Said(), (Words{"over", "following"})) << "since then there was nothing";
  feed_.Restart(0, Known("r", 5));
  Subscribe("r", 6);
  EXPECT_EQ(Said(), (Words{"over", "following, missed some"}));
}

TEST_F(RemovalFeedTest, OneThatNeverEvictedHasMissedNothing) {
  feed_.Start(0, Known("r", 0));
  Subscribe("r", 0);
  EXPECT_EQ(Said(), Words{"following"});
}

// What it has is judged by who it is.
TEST_F(RemovalFeedTest, ANewProcessIsComparedWithWhatItWasWhenItCame) {
  feed_.Start(0, Known("r", 0));
  Subscribe("r", 0);
  feed_.Restart(0, Known("s", 3));
  Subscribe("s", 3);
  EXPECT_EQ(Said(), (Words{"following", "over", "following"}));
  feed_.Restart(0, Known("t", 3));
  Subscribe("t", 4);
  EXPECT_EQ(Said(), (Words{"over", "following, missed some"}));
}

// The feed's own link is made anew by itself, maybe long after the main one.
TEST_F(RemovalFeedTest, ANewProcessThatItComesToByItselfIsComparedLikewise) {
  feed_.Start(0, Known("r", 0));
  Subscribe("r", 2);
  feed_.link().OnClosed("reset", false, 0);
  feed_.OnMainUp(Known("s", 1));
  feed_.Tick(1000, 0);
  Subscribe("s", 2);
  EXPECT_EQ(Said(), (Words{"following, missed some", "over", "following, missed some"}));
  feed_.link().OnClosed("reset", false, 0);
  feed_.OnMainUp(Known("t", 1));
  feed_.Tick(2000, 0);
  Subscribe("t", 1);
  EXPECT_EQ(Said(), (Words{"over", "following"}));
  // The main link has not come to that one yet: all that it has will be looked at.
  feed_.link().OnClosed("reset", false, 0);
  feed_.Tick(3000, 0);
  Subscribe("u", 5);
  EXPECT_EQ(Said(), (Words{"over", "following"}));
}

TEST_F(RemovalFeedTest, APongIsThatOfTheLastPing) {
  feed_.Start(0, Known("r", 0));
  Subscribe("r", 0);
  Said();
  feed_.Ping();
  feed_.Ping();
  Pong();
  EXPECT_EQ(Said(), Words()) << "what was removed before the second may still come";
  Pong();
  EXPECT_EQ(Said(), Words{"pong"});
  feed_.Ping();
  feed_.Restart(0, Known("r", 0));
  Subscribe("r", 0);
  feed_.Ping();
  Pong();
  EXPECT_EQ(Said(), (Words{"over", "following", "pong"})) << "the first will not be answered";
}

}  // namespace
}  // namespace gemel::removal_feed_test
