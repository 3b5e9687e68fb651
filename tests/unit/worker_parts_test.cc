// The decisions of a worker, each of them apart.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "proxy/worker/draining.h"
#include "proxy/worker/memory_ebb.h"
#include "proxy/worker/paused_line.h"
#include "proxy/worker/turn_times.h"

namespace gemel::worker_parts_test {
namespace {

// --- TurnTimes ---

TEST(TurnTimes, ATurnIsWhatIsBetweenThePolls) {
  TurnTimes times;
  EXPECT_FALSE(times.OnPoll(1000, 10));
  EXPECT_FALSE(times.OnPolled(1010)) << "the poll has its time";
  EXPECT_TRUE(times.OnPoll(1017, 10));
  EXPECT_EQ(times.longest_ms(), 7u);
  EXPECT_FALSE(times.OnPolled(1020));
  EXPECT_FALSE(times.OnPoll(1025, 0)) << "a shorter one";
  EXPECT_EQ(times.longest_ms(), 7u);
}

TEST(TurnTimes, APollThatIsLateCounts) {
  TurnTimes times;
  times.OnPoll(1000, 10);
  EXPECT_TRUE(times.OnPolled(1050)) << "the process was stopped";
  EXPECT_EQ(times.longest_ms(), 40u);
  times.OnPoll(1050, -1);
  EXPECT_FALSE(times.OnPolled(9000)) << "it waited for as long as nothing came";
}

TEST(TurnTimes, WhatWasBeforeItServedDoesNotCount) {
  TurnTimes times;
  times.OnPoll(1000, 10);
  times.OnPolled(1010);
  times.Forget();
  EXPECT_FALSE(times.OnPoll(5000, 10));
  times.Forget();
  EXPECT_FALSE(times.OnPolled(9000));
}

TEST(TurnTimes, ForTenSeconds) {
  TurnTimes times;
  times.OnPoll(1000, 0);
  times.OnPolled(1000);
  times.OnPoll(1030, 0);
  for (int second = 0; second < 11; ++second) {
    times.OnSecond();
    EXPECT_EQ(times.longest_ms(), 30u) << second;
  }
  times.OnSecond();
  EXPECT_EQ(times.longest_ms(), 0u);
}

// --- Draining ---

TEST(Draining, ServesThenClosesThenEnds) {
  using Step = Draining::Step;
  Draining draining;
  int drained = 0;
  EXPECT_FALSE(draining.active());
  draining.Begin(1000, 5000, [&] { ++drained; });
  EXPECT_TRUE(draining.active());
  EXPECT_EQ(draining.Next(1099, true), Step::kServe);
  EXPECT_EQ(draining.Next(1099, false), Step::kServe) << "who just came may have sent something";
  EXPECT_EQ(draining.Next(1100, true), Step::kClose);
  EXPECT_EQ(draining.Next(1100, false), Step::kEnd);
  EXPECT_EQ(draining.Next(5999, true), Step::kClose);
  EXPECT_EQ(draining.Next(6000, true), Step::kEnd);
  draining.End();
  EXPECT_EQ(drained, 1);
  EXPECT_FALSE(draining.active());
}

TEST(Draining, WithLittleTimeThereIsLittleGrace) {
  Draining draining;
  draining.Begin(1000, 30, [] {});
  EXPECT_EQ(draining.Next(1029, true), Draining::Step::kServe);
  EXPECT_EQ(draining.Next(1030, true), Draining::Step::kEnd);
}

// --- PausedLine ---

class PausedLineTest : public ::testing::Test {
 protected:
  void Add(size_t count) {
    for (size_t i = 0; i < count; ++i) line_.Add(&ones_[i]);
  }
  // Tries them; those in `advanced` get on, those in `resumed` wait no more. Who was tried.
  std::vector<size_t> Try(const std::vector<size_t>& advanced = {},
                          const std::vector<size_t>& resumed = {}) {
    std::vector<size_t> tried;
    const auto is_in = [](const std::vector<size_t>& all, size_t one) {
      return std::find(all.begin(), all.end(), one) != all.end();
    };
    line_.Try([&](int* one) {
      tried.push_back(static_cast<size_t>(one - ones_.data()));
      if (is_in(resumed, tried.back())) return Tried::kResumed;
      return is_in(advanced, tried.back()) ? Tried::kAdvanced : Tried::kStays;
    });
    return tried;
  }

  std::vector<int> ones_ = std::vector<int>(1000);
  PausedLine<int> line_;
};

TEST_F(PausedLineTest, WhoGetsOnIsLastFromThenOn) {
  Add(4);
  EXPECT_EQ(Try({1}), (std::vector<size_t>{0, 1, 2, 3}));
  EXPECT_EQ(Try({0}, {3}), (std::vector<size_t>{0, 2, 3, 1}));
  EXPECT_EQ(Try(), (std::vector<size_t>{2, 1, 0}));
  EXPECT_EQ(Try(), (std::vector<size_t>{2, 1, 0})) << "who waits keeps his place";
}

TEST_F(PausedLineTest, ManyHaveTheirTurnInTheNextTurns) {
  Add(600);
  std::vector<size_t> tried = Try();
  EXPECT_EQ(tried.size(), PausedLine<int>::kTriedATurn);
  EXPECT_EQ(tried.front(), 0u);
  tried = Try();
  EXPECT_EQ(tried.front(), 256u);
  tried = Try();
  EXPECT_EQ(tried.front(), 512u);
  EXPECT_EQ(tried[88], 0u) << "behind the last comes the first";
  EXPECT_EQ(line_.size(), 600u);
}

TEST_F(PausedLineTest, WhoComesMeanwhileIsKept) {
  Add(2);
  line_.Try([&](int* one) {
    if (one != &ones_[0]) return Tried::kStays;
    line_.Add(one);  // read from, and paused again
    return Tried::kResumed;
  });
  EXPECT_EQ(line_.size(), 2u);
  line_.Remove(&ones_[0]);
  EXPECT_EQ(Try(), (std::vector<size_t>{1}));
  line_.Clear();
  EXPECT_TRUE(line_.empty());
  EXPECT_TRUE(Try().empty());
}

// --- MemoryEbb ---

TEST(MemoryEbb, GivesBackWhenMuchHasGone) {
  constexpr uint64_t kMuch = MemoryEbb::kMuch;
  MemoryEbb ebb;
  ebb.OnHeld(10 * kMuch);
  EXPECT_FALSE(ebb.OnSecond(6 * kMuch)) << "more than half is still held";
  EXPECT_TRUE(ebb.OnSecond(5 * kMuch));
  EXPECT_TRUE(ebb.OnSecond(5 * kMuch));
  EXPECT_TRUE(ebb.OnSecond(5 * kMuch));
  EXPECT_FALSE(ebb.OnSecond(5 * kMuch));
  EXPECT_TRUE(ebb.OnSecond(kMuch)) << "less again";
}

TEST(MemoryEbb, LittleIsNotWorthIt) {
  MemoryEbb ebb;
  ebb.OnHeld(MemoryEbb::kMuch);
  EXPECT_FALSE(ebb.OnSecond(1));
  EXPECT_TRUE(ebb.OnSecond(0));
}

}  // namespace
}  // namespace gemel::worker_parts_test
