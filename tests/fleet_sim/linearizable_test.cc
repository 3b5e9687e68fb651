#include "tests/fleet_sim/linearizable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

namespace gemel::fleet_sim {
namespace {

using Kind = Op::Kind;
using Outcome = Op::Outcome;

// From which moment to which.
Op Ok(uint64_t called, uint64_t returned, Kind kind, int64_t value, std::optional<int64_t> told) {
  Op op;
  op.called = called;
  op.returned = returned;
  op.kind = kind;
  op.value = value;
  op.told = told;
  op.outcome = Outcome::kOk;
  return op;
}
Op Other(uint64_t called, Kind kind, int64_t value, Outcome outcome) {
  Op op = Ok(called, UINT64_MAX, kind, value, std::nullopt);
  op.outcome = outcome;
  return op;
}
Verdict Check(const std::vector<Op>& ops) {
  std::vector<const Op*> all;
  for (const Op& op : ops) all.push_back(&op);
  return IsLinearizable(all);
}

TEST(Linearizable, OneAfterTheOther) {
  EXPECT_EQ(Check({Ok(1, 2, Kind::kSet, 7, {}), Ok(3, 4, Kind::kGet, 0, 7),
                   Ok(5, 6, Kind::kIncr, 0, 8), Ok(7, 8, Kind::kDel, 0, 1),
                   Ok(9, 10, Kind::kGet, 0, {}), Ok(11, 12, Kind::kDel, 0, 0)}),
            Verdict::kYes);
  EXPECT_EQ(Check({Ok(1, 2, Kind::kSet, 7, {}), Ok(3, 4, Kind::kGet, 0, {})}), Verdict::kNo);
  EXPECT_EQ(Check({Ok(1, 2, Kind::kIncr, 0, 1), Ok(3, 4, Kind::kIncr, 0, 1)}), Verdict::kNo);
}

TEST(Linearizable, AtTheSameTimeInEitherOrder) {
  EXPECT_EQ(Check({Ok(1, 4, Kind::kSet, 7, {}), Ok(2, 3, Kind::kGet, 0, {})}), Verdict::kYes);
  EXPECT_EQ(Check({Ok(1, 4, Kind::kSet, 7, {}), Ok(2, 3, Kind::kGet, 0, 7)}), Verdict::kYes);
  // But all see the same one.
  EXPECT_EQ(
      Check({Ok(1, 8, Kind::kSet, 7, {}), Ok(2, 3, Kind::kGet, 0, 7), Ok(4, 5, Kind::kGet, 0, {})}),
      Verdict::kNo);
}

TEST(Linearizable, WhatIsNotKnownMayBeDoneAtAnyTimeOrNever) {
  const Op unknown = Other(1, Kind::kSet, 7, Outcome::kUnknown);
  EXPECT_EQ(Check({unknown, Ok(2, 3, Kind::kGet, 0, {}), Ok(4, 5, Kind::kGet, 0, 7)}),
            Verdict::kYes);
  EXPECT_EQ(Check({unknown, Ok(2, 3, Kind::kGet, 0, {})}), Verdict::kYes);
  // Not before, and not twice.
  EXPECT_EQ(Check({Other(3, Kind::kSet, 7, Outcome::kUnknown), Ok(1, 2, Kind::kGet, 0, 7)}),
            Verdict::kNo);
  EXPECT_EQ(Check({Other(1, Kind::kIncr, 0, Outcome::kUnknown), Ok(2, 3, Kind::kIncr, 0, 3)}),
            Verdict::kNo);
  EXPECT_EQ(Check({Other(1, Kind::kSet, 7, Outcome::kNotDone), Ok(2, 3, Kind::kGet, 0, 7)}),
            Verdict::kNo);
}

// All orders, tried one after the other.
bool BruteForce(std::vector<Op> ops) {
  std::sort(ops.begin(), ops.end(), [](const Op& a, const Op& b) { return a.called < b.called; });
  std::vector<size_t> order(ops.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  do {
    std::optional<int64_t> state;
    bool good = true;
    for (size_t i = 0; i < order.size() && good; ++i) {
      const Op& op = ops[order[i]];
      for (size_t j = i + 1; j < order.size(); ++j) {
        good = good && ops[order[j]].returned > op.called;
      }
      if (op.kind == Kind::kGet) good = good && op.told == state;
      if (op.kind == Kind::kSet) state = op.value;
      if (op.kind == Kind::kIncr) {
        state = state.value_or(0) + 1;
        good = good && op.told == state;
      }
    }
    if (good) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(Linearizable, AsAllOrdersTriedSay) {
  std::mt19937_64 random(1);
  size_t good = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<Op> ops;
    for (uint64_t i = 0; i < 5; ++i) {
      const uint64_t called = random() % 20 * 10 + i;
      const auto kind = static_cast<Kind>(random() % 3);
      const auto told = static_cast<int64_t>(random() % 3);
      ops.push_back(Ok(called, called + 5 + random() % 10 * 10, kind, 1,
                       kind == Kind::kGet && told == 0 ? std::nullopt : std::optional(told)));
    }
    const bool expected = BruteForce(ops);
    good += expected ? 1 : 0;
    EXPECT_EQ(Check(ops), expected ? Verdict::kYes : Verdict::kNo) << round;
  }
  EXPECT_GT(good, 10u);
}

// What a register answered, each operation at a moment within its time, and some are not known.
TEST(Linearizable, LongHistoriesOfARegister) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    std::vector<Op> ops;
    std::optional<int64_t> state;
    for (uint64_t i = 0; i < 300; ++i) {
      const uint64_t at = 1000 + i * 10;
      Op op = Ok(at - random() % 30 * 2, at + random() % 30 * 2 + 1,
                 static_cast<Kind>(random() % 4), static_cast<int64_t>(i + 1) * 1000, {});
      if (op.kind == Kind::kGet) op.told = state;
      if (op.kind == Kind::kSet) state = op.value;
      if (op.kind == Kind::kIncr) state = op.told = state.value_or(0) + 1;
      if (op.kind == Kind::kDel) op.told = state.has_value() ? 1 : 0;
      if (op.kind == Kind::kDel) state.reset();
      if (random() % 40 == 0) {
        op.outcome = Outcome::kUnknown;
        op.returned = UINT64_MAX;
        op.told.reset();
      }
      ops.push_back(op);
    }
    ASSERT_EQ(Check(ops), Verdict::kYes) << round;
  }
}

}  // namespace
}  // namespace gemel::fleet_sim
