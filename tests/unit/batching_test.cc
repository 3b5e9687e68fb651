// When what is queued for a node is sent, and when it is collected.

#include "backend/link/batching.h"

#include <gtest/gtest.h>

namespace gemel::batching_test {
namespace {

using Now = Batching::Now;

class BatchingTest : public ::testing::Test {
 protected:
  // The node answers in that time, once.
  void Answers(uint64_t after_ns) {
    ASSERT_EQ(batching_.Flush(10, 10), Now::kSendAndTime);
    batching_.OnAsked(1000);
    EXPECT_TRUE(batching_.timing());
    EXPECT_FALSE(batching_.OnHeard(1000 + after_ns)) << "nothing was held";
    EXPECT_FALSE(batching_.timing());
  }

  Batching batching_;
};

TEST_F(BatchingTest, WithNothingUnansweredItIsSent) {
  EXPECT_EQ(batching_.Flush(10, 10), Now::kSendAndTime);
  Answers(1000);
  EXPECT_EQ(batching_.Flush(10, 10), Now::kSendAndTime);
}

TEST_F(BatchingTest, OfANodeThatIsNotKnownNothingIsCollected) {
  EXPECT_EQ(batching_.Flush(10, 20), Now::kSend);
}

TEST_F(BatchingTest, LittleIsCollectedUntilTheNodeHasAnswered) {
  Answers(1000);
  EXPECT_EQ(batching_.Flush(10, 20), Now::kHold);
  EXPECT_EQ(batching_.Flush(20, 30), Now::kHold);
  EXPECT_TRUE(batching_.OnHeard(0));
  EXPECT_FALSE(batching_.OnHeard(0)) << "once";
}

TEST_F(BatchingTest, MuchIsNot) {
  Answers(1000);
  EXPECT_EQ(batching_.Flush(Batching::kBatchBytes - 1, 10000), Now::kHold);
  EXPECT_EQ(batching_.Flush(Batching::kBatchBytes, 10000), Now::kSend);
  EXPECT_FALSE(batching_.OnHeard(0)) << "it is on its way";
}

TEST_F(BatchingTest, ANodeThatIsFarIsNotWaitedFor) {
  Answers(Batching::kNearNs);
  EXPECT_EQ(batching_.Flush(10, 20), Now::kSend);
}

TEST_F(BatchingTest, OneSlowAnswerIsNotFar) {
  Answers(8000);
  Answers(1000000);  // on average 132000
  EXPECT_EQ(batching_.Flush(10, 20), Now::kHold);
  batching_.OnHeard(0);
  for (int i = 0; i < 5; ++i) Answers(1000000);
  EXPECT_EQ(batching_.Flush(10, 20), Now::kSend);
}

TEST_F(BatchingTest, AnAnswerInNoTimeIsOne) {
  Answers(0);
  EXPECT_EQ(batching_.Flush(10, 20), Now::kHold) << "it is known by now";
}

TEST_F(BatchingTest, TheRestOfWhatTheSocketDidNotTakeGoes) {
  Answers(1000);
  batching_.OnRest();
  EXPECT_EQ(batching_.Flush(10, 20), Now::kSend);
  EXPECT_EQ(batching_.Flush(10, 20), Now::kHold);
}

TEST_F(BatchingTest, AnotherConnectionIsAsNew) {
  Answers(1000);
  batching_.OnAsked(1);
  batching_.Flush(10, 20);
  batching_.Forget();
  EXPECT_FALSE(batching_.timing());
  EXPECT_FALSE(batching_.OnHeard(0));
  EXPECT_EQ(batching_.Flush(10, 20), Now::kSend);
}

}  // namespace
}  // namespace gemel::batching_test
