// How long what is answered was with its node, and what of a wait that is.

#include "backend/link/send_times.h"

#include <gtest/gtest.h>

#include "proxy/seen/time_split.h"

namespace gemel::send_times_test {
namespace {

TEST(SendTimes, EachTurnHasItsTime) {
  SendTimes times;
  times.OnSent(2, 1000);
  times.OnSent(3, 1500);
  times.OnHeard(1, 1700);
  EXPECT_EQ(times.Of(1, 1700).away_us, 700u);
  EXPECT_EQ(times.Of(2, 1700).away_us, 700u);
  EXPECT_EQ(times.Of(3, 1700).away_us, 200u);
  // The quickest there was: of that turn, all it took.
  EXPECT_EQ(times.Of(3, 1700).wire_us, 200u);
  EXPECT_EQ(times.Of(4, 1700).away_us, 0u) << "it was not sent";
}

TEST(SendTimes, TheQuickestAnswerIsTheWay) {
  SendTimes times;
  for (uint64_t i = 1; i <= 10; ++i) {
    times.OnSent(i, i * 10000);
    times.OnHeard(i, i * 10000 + (i == 4 ? 300 : 900));
  }
  times.OnSent(11, 200000);
  times.OnHeard(11, 250000);
  const AwayTime away = times.Of(11, 250000);
  EXPECT_EQ(away.away_us, 50000u);
  EXPECT_EQ(away.wire_us, 300u);
  // It may have become longer: after two windows the old one is forgotten.
  uint64_t place = 12;
  uint64_t now_us = 300000;
  for (int i = 0; i < 3; ++i) {
    now_us += SendTimes::kWindowUs;
    times.OnSent(place, now_us);
    times.OnHeard(place, now_us + 2000);
    EXPECT_EQ(times.Of(place, now_us + 9000).wire_us, i == 0 ? 300u : 2000u) << i;
    ++place;
  }
}

TEST(SendTimes, IsBoundedAndForgetsWithTheConnection) {
  SendTimes times;
  for (uint64_t i = 1; i <= 10 * SendTimes::kMost; ++i) times.OnSent(i, i);
  EXPECT_EQ(times.Of(1, 10000).away_us, 9999u);
  EXPECT_EQ(times.Of(10 * SendTimes::kMost, 10000).away_us, 10000 - SendTimes::kMost);
  times.Reset();
  EXPECT_EQ(times.Of(1, 20000).away_us, 0u);
}

TEST(TimeSplit, ThePartsMakeTheWhole) {
  struct Case {
    uint64_t took_us;
    AwayTime away;
    TimeSplit split;
  };
  for (const auto& [took_us, away, split] :
       {Case{1000, {}, {1000, 0, 0}}, Case{1000, {700, 100}, {300, 100, 600}},
        Case{1000, {1500, 100}, {0, 100, 900}}, Case{50, {700, 100}, {0, 50, 0}}}) {
    const TimeSplit got = SplitTime(took_us, away);
    EXPECT_EQ(got.gemel_us, split.gemel_us);
    EXPECT_EQ(got.wire_us, split.wire_us);
    EXPECT_EQ(got.node_us, split.node_us);
    EXPECT_EQ(got.gemel_us + got.wire_us + got.node_us, took_us);
  }
}

}  // namespace
}  // namespace gemel::send_times_test
