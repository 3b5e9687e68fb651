// What a link counts of its node.

#include <gtest/gtest.h>

#include "tests/unit/link_world.h"

namespace gemel::link_test {

namespace link_traffic_test {
namespace {

class LinkTrafficTest : public LinkTest {
 protected:
  void Flushed(uint64_t at_us) {
    const LinkLine& line = link_->line();
    link_->traffic().OnFlushed(line.last_place(), line.answered_place(), at_us);
  }
};

TEST_F(LinkTrafficTest, BytesErrorsAndLosses) {
  BringUp();
  const uint64_t received = link_->traffic().received_bytes;
  EXPECT_GT(received, 0U);
  const uint64_t errors = link_->traffic().error_replies;
  Item item(1);
  link_->Send(&item, "*1\r\n$4\r\nPING\r\n");
  FakeTransport::Take(link_.get(), 14, now_ms_);
  Answer(link_.get(), "-ERR no\r\n", now_ms_);
  EXPECT_EQ(link_->traffic().received_bytes, received + 9);
  EXPECT_GE(link_->traffic().sent_bytes, 14U);
  EXPECT_EQ(link_->traffic().error_replies, errors + 1);
  EXPECT_EQ(link_->traffic().lost, 0U);
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(link_->traffic().lost, 1U);
  EXPECT_EQ(link_->traffic().overdue, 0U);
}

TEST_F(LinkTrafficTest, OverdueIsTold) {
  LinkOptions options;
  options.request_timeout_ms = 100;
  BringUp(options);
  Item item(1);
  link_->Send(&item, "x");
  link_->Tick(now_ms_ + 101, 0);
  EXPECT_EQ(link_->traffic().lost, 1U);
  EXPECT_EQ(link_->traffic().overdue, 1U);
}

TEST_F(LinkTrafficTest, AnswersAreTimedIfSomebodyWantsToKnow) {
  BringUp();
  Item one(1);
  Item two(2);
  EXPECT_EQ(link_->traffic().answers, nullptr);
  link_->Send(&one, "x");
  Flushed(1000);
  link_->Send(&two, "y");
  Flushed(3000);
  link_->traffic().AnswersComeAt(5000);
  Answer(link_.get(), "+OK\r\n+OK\r\n", now_ms_);
  const LatencyBuckets& times = link_->traffic().answers->times();
  EXPECT_EQ(times.total(), 2U);
  EXPECT_EQ(times.sum_us(), 4000U + 2000U);
  // What a connection takes with it is not answered.
  link_->Send(&one, "x");
  Flushed(6000);
  link_->traffic().AnswersComeAt(9000);
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(link_->traffic().answers->times().total(), 2U);
  link_->traffic().Untimed();
  EXPECT_EQ(link_->traffic().answers, nullptr);
}

}  // namespace
}  // namespace link_traffic_test
}  // namespace gemel::link_test
