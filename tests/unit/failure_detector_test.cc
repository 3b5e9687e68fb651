#include "backend/health/failure_detector.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace gemel::failure_detector_test {
namespace {

TEST(FailureDetector, BeginsUnknown) {
  const FailureDetector detector(3);
  EXPECT_EQ(detector.health(), NodeHealth::kUnknown);
  EXPECT_EQ(detector.failures_in_row(), 0U);
  EXPECT_EQ(detector.since_ms(), 0U);
}

TEST(FailureDetector, SoftEvidenceMustReachTheThreshold) {
  FailureDetector detector(3);
  EXPECT_EQ(detector.OnAnswer(10), NodeHealth::kUp);
  EXPECT_EQ(detector.OnTimeout(20), NodeHealth::kSuspect);
  EXPECT_EQ(detector.OnTimeout(30), NodeHealth::kSuspect);
  EXPECT_EQ(detector.since_ms(), 20U);
  EXPECT_EQ(detector.OnTimeout(40), NodeHealth::kDown);
  EXPECT_EQ(detector.since_ms(), 40U);
  EXPECT_EQ(detector.failures_in_row(), 3U);
}

TEST(FailureDetector, AnAnswerClearsSoftEvidence) {
  FailureDetector detector(2);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(detector.OnTimeout(1), NodeHealth::kSuspect);
    EXPECT_EQ(detector.OnAnswer(2), NodeHealth::kUp);
    EXPECT_EQ(detector.failures_in_row(), 0U);
  }
}

TEST(FailureDetector, HardEvidenceCountsAtOnce) {
  for (uint32_t failures : {1U, 3U, 1000U}) {
    FailureDetector detector(failures);
    EXPECT_EQ(detector.OnHardError(5), NodeHealth::kDown);
    EXPECT_EQ(detector.since_ms(), 5U);
    EXPECT_EQ(detector.OnAnswer(6), NodeHealth::kUp);
    EXPECT_EQ(detector.OnHardError(7), NodeHealth::kDown);
  }
}

TEST(FailureDetector, OnlyAnAnswerBringsItUp) {
  FailureDetector detector(3);
  detector.OnHardError(1);
  EXPECT_EQ(detector.OnTimeout(2), NodeHealth::kDown);  // one timeout of three is no better
  EXPECT_EQ(detector.since_ms(), 1U);
  EXPECT_EQ(detector.OnAnswer(3), NodeHealth::kUp);
  EXPECT_EQ(detector.OnTimeout(4), NodeHealth::kSuspect);
}

TEST(FailureDetector, ThresholdOfOneAndOfZero) {
  FailureDetector one(1);
  EXPECT_EQ(one.OnTimeout(1), NodeHealth::kDown);
  FailureDetector zero(0);  // taken as one
  EXPECT_EQ(zero.OnAnswer(1), NodeHealth::kUp);
  EXPECT_EQ(zero.OnTimeout(2), NodeHealth::kDown);
}

TEST(FailureDetector, NamesItsHealth) {
  EXPECT_EQ(NodeHealthName(NodeHealth::kUnknown), "unknown");
  EXPECT_EQ(NodeHealthName(NodeHealth::kUp), "up");
  EXPECT_EQ(NodeHealthName(NodeHealth::kSuspect), "suspect");
  EXPECT_EQ(NodeHealthName(NodeHealth::kDown), "down");
}

// Against the rule in one line: down since the last answer if there was a hard error or `failures`
// failures in it; every one of the events is a failure but an answer.
TEST(FailureDetector, RandomEventsFollowTheRule) {
  std::mt19937_64 random(11);
  for (uint32_t failures = 1; failures < 6; ++failures) {
    FailureDetector detector(failures);
    uint32_t since_answer = 0;
    bool hard = false;
    bool answered = false;
    uint64_t changed = 0;
    NodeHealth before = detector.health();
    for (uint64_t now = 1; now < 5000; ++now) {
      switch (random() % 8) {
        case 0:
          detector.OnHardError(now);
          hard = true;
          ++since_answer;
          break;
        case 1:
        case 2:
          detector.OnAnswer(now);
          answered = true;
          hard = false;
          since_answer = 0;
          break;
        default:
          detector.OnTimeout(now);
          ++since_answer;
      }
      const NodeHealth expected = hard || since_answer >= failures ? NodeHealth::kDown
                                  : since_answer > 0               ? NodeHealth::kSuspect
                                  : answered                       ? NodeHealth::kUp
                                                                   : NodeHealth::kUnknown;
      ASSERT_EQ(detector.health(), expected);
      ASSERT_EQ(detector.failures_in_row(), since_answer);
      if (expected != before) changed = now;
      before = expected;
      ASSERT_EQ(detector.since_ms(), changed);
    }
  }
}

}  // namespace
}  // namespace gemel::failure_detector_test
