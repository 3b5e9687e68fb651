// The running clock on traces of the machine's clock.

#include "backend/health/running_clock.h"

#include <gtest/gtest.h>

namespace gemel::running_clock_test {
namespace {

constexpr uint64_t kMax = RunningClock::kMaxStepMs;

TEST(RunningClock, FollowsTheMachinesClockInStepsOfALoop) {
  RunningClock clock(5000);
  EXPECT_EQ(clock.now_ms(), 5000u);
  EXPECT_EQ(clock.Advance(5000), 5000u);
  for (uint64_t real_ms = 5001; real_ms < 9000; real_ms += 1 + real_ms % kMax) {
    EXPECT_EQ(clock.Advance(real_ms), real_ms);
    clock.OnHeard();
    EXPECT_EQ(clock.now_ms(), real_ms);
  }
  const uint64_t before = clock.now_ms();
  EXPECT_EQ(clock.Advance(4000), before);  // it never goes back
}

TEST(RunningClock, APauseAgesNothingBeforeWhatCameMeanwhileIsHandled) {
  RunningClock clock(1000);
  EXPECT_EQ(clock.Advance(7500), 1000u);
  // The poll that was interrupted asked nobody.
  clock.OnHeard();
  EXPECT_EQ(clock.now_ms(), 1000u);
  EXPECT_EQ(clock.Advance(7501), 1001u);
  // Now all that came was handled.
  clock.OnHeard();
  EXPECT_EQ(clock.now_ms(), 1001 + kMax);
  clock.OnHeard();
  EXPECT_EQ(clock.Advance(7511), 1011 + kMax);
}

TEST(RunningClock, ManyPausesInARowLetTimePass) {
  RunningClock clock(1000);
  for (uint64_t real_ms = 1100; real_ms <= 11000; real_ms += 100) {
    clock.Advance(real_ms);
    clock.OnHeard();
  }
  EXPECT_EQ(clock.now_ms(), 1000 + 99 * kMax);
}

TEST(RunningClock, AStepOfTheLongestLengthIsNoPause) {
  RunningClock clock(1000);
  EXPECT_EQ(clock.Advance(1000 + kMax), 1000 + kMax);
  EXPECT_EQ(clock.Advance(1000 + kMax + kMax + 1), 1000 + kMax);
}

}  // namespace
}  // namespace gemel::running_clock_test
