// How long a node takes, by flushes and reads.

#include "backend/link/answer_times.h"

#include <gtest/gtest.h>

namespace gemel::answer_times_test {
namespace {

TEST(AnswerTimes, EachOfAFlushTookSinceIt) {
  AnswerTimes times;
  times.OnSent(3, 0, 1000);
  times.OnSent(3, 0, 5000);  // nothing more went out
  times.OnSent(5, 0, 2000);
  times.OnAnswered(1, 1100);
  times.OnAnswered(4, 3000);
  EXPECT_EQ(times.times().total(), 4U);
  EXPECT_EQ(times.times().sum_us(), 100U + 2 * 2000 + 1000);
  times.OnAnswered(4, 9000);
  EXPECT_EQ(times.times().total(), 4U);
  times.OnAnswered(5, 4000);
  EXPECT_EQ(times.times().total(), 5U);
  EXPECT_EQ(times.times().sum_us(), 5100U + 2000);
  times.OnAnswered(7, 5000);  // what nobody has timed
  EXPECT_EQ(times.times().total(), 5U);
}

TEST(AnswerTimes, WhatIsLostIsNotAnswered) {
  AnswerTimes times;
  times.OnSent(2, 0, 1000);
  times.Forget();
  times.OnAnswered(2, 9000);
  EXPECT_EQ(times.times().total(), 0U);
  times.OnSent(4, 2, 10000);
  times.OnAnswered(4, 10500);
  EXPECT_EQ(times.times().total(), 2U);
  EXPECT_EQ(times.times().sum_us(), 1000U);
}

TEST(AnswerTimes, AreBounded) {
  AnswerTimes times;
  const uint64_t flushes = AnswerTimes::kFlushes + 10;
  for (uint64_t i = 1; i <= flushes; ++i) times.OnSent(i, 0, i * 1000);
  times.OnAnswered(flushes, flushes * 1000);
  EXPECT_EQ(times.times().total(), flushes);
  // Again, from the middle of the ring.
  times.OnSent(flushes + 1, flushes, 0);
  times.OnAnswered(flushes + 1, 7);
  EXPECT_EQ(times.times().total(), flushes + 1);
}

}  // namespace
}  // namespace gemel::answer_times_test
