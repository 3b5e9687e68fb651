// Which maxmemory each copy of a shard should have.

#include "backend/settings/limit_plan.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace gemel::limit_plan_test {
namespace {

constexpr uint64_t kMb = 1u << 20;

// In MB. The first copy is the primary unless the case says so.
struct Copy {
  uint64_t own;
  bool evicts = true;
  bool counts = true;
  bool known = true;
  uint64_t now = 0;
  std::optional<uint64_t> asks = {};
};

MemoryView View(const std::vector<Copy>& copies, uint32_t primary = 0) {
  MemoryView view;
  view.primary = primary;
  for (const Copy& copy : copies) {
    view.copies[view.count++] = {copy.counts,    copy.known,
                                 copy.own * kMb, copy.asks.value_or(copy.own) * kMb,
                                 copy.now * kMb, copy.evicts};
  }
  return view;
}

std::vector<uint64_t> Limits(const std::vector<Copy>& copies, uint32_t primary = 0) {
  const LimitPlan plan = PlanLimits(View(copies, primary));
  EXPECT_TRUE(plan.made);
  std::vector<uint64_t> limits;
  for (uint32_t i = 0; i < copies.size(); ++i) limits.push_back(plan.limits[i] / kMb);
  return limits;
}

using Expected = std::vector<uint64_t>;
constexpr bool kEvicts = true;
constexpr bool kRefuses = false;

TEST(LimitPlan, WithoutALimitNothingIsSet) {
  EXPECT_EQ(Limits({{0}, {0}}), (Expected{0, 0}));
  EXPECT_EQ(Limits({{0, kRefuses}, {0, kRefuses}}), (Expected{0, 0}));
  EXPECT_EQ(Limits({{0}}), (Expected{0}));
  EXPECT_EQ(Limits({{8}}), (Expected{8}));
}

TEST(LimitPlan, TheOthersHaveAMarginAboveThePrimary) {
  EXPECT_EQ(Limits({{8}, {8}}), (Expected{8, 9}));
  EXPECT_EQ(Limits({{80}, {80}, {80}}), (Expected{80, 90, 90}));
  EXPECT_EQ(Limits({{8}, {8}}, 1), (Expected{9, 8})) << "whoever is the primary";
  EXPECT_EQ(Limits({{2}, {2}}), (Expected{2, 3})) << "a megabyte at least";
  EXPECT_EQ(LimitMargin(100, true), kMb);
  EXPECT_EQ(LimitMargin(800 * kMb, true), 100 * kMb);
  EXPECT_EQ(LimitMargin(100, false), 64 * kMb);
  EXPECT_EQ(LimitMargin(800 * kMb, false), 400 * kMb);
}

TEST(LimitPlan, AHigherLimitOfItsOwnStays) {
  EXPECT_EQ(Limits({{80}, {100}}), (Expected{80, 100}));
  EXPECT_EQ(Limits({{80}, {90}}), (Expected{80, 90}));
  EXPECT_EQ(Limits({{80}, {85}}), (Expected{80, 90})) << "which is less than the margin";
  EXPECT_EQ(Limits({{80}, {0}}), (Expected{80, 0})) << "it has none";
}

TEST(LimitPlan, TheLeastDecides) {
  EXPECT_EQ(Limits({{16}, {8}}), (Expected{8, 9}));
  EXPECT_EQ(Limits({{0}, {8}}), (Expected{8, 9})) << "a primary without a limit gets one";
  EXPECT_EQ(Limits({{16}, {0}, {8}}), (Expected{8, 0, 9}));
  EXPECT_EQ(Limits({{16}, {80}, {8}}), (Expected{8, 80, 9}));
  EXPECT_EQ(PlanLimits(View({{16}, {80}, {8}})).least, 2);
  EXPECT_EQ(PlanLimits(View({{8}, {8}}, 1)).least, 1) << "its own is not somebody else's";
  EXPECT_EQ(PlanLimits(View({{8}, {8}}, 1)).primary, 8 * kMb);
}

TEST(LimitPlan, PoliciesThatDiffer) {
  EXPECT_EQ(Limits({{16, kRefuses}, {8, kRefuses}}), (Expected{8, 72}))
      << "the primary refuses first, and the others never what it takes";
  EXPECT_EQ(Limits({{16, kEvicts}, {8, kRefuses}}), (Expected{8, 9}));
  EXPECT_EQ(Limits({{16, kRefuses}, {8, kEvicts}}), (Expected{16, 8}))
      << "the primary is to keep all, so the other one decides";
  EXPECT_EQ(Limits({{8, kRefuses}, {8, kEvicts}}), (Expected{8, 72}));
  EXPECT_EQ(Limits({{8, kRefuses}, {16, kEvicts}}), (Expected{8, 72}));
  EXPECT_EQ(Limits({{0, kRefuses}, {8, kEvicts}}), (Expected{0, 8}));
  EXPECT_EQ(Limits({{16, kRefuses}, {8, kEvicts}, {12, kRefuses}}), (Expected{12, 8, 76}));
  EXPECT_EQ(Limits({{16, kRefuses}, {8, kEvicts}}, 1), (Expected{16, 8}));
}

TEST(LimitPlan, WhatDoesNotCountYetStays) {
  Copy stale{1, kRefuses};
  stale.asks = 0;
  EXPECT_EQ(Limits({{0, kRefuses}, stale}), (Expected{0, 1}));
  EXPECT_EQ(Limits({{8, kRefuses}, stale}), (Expected{8, 1}));
}

TEST(LimitPlan, CopiesThatLeaveDoNotCountAndAreAsTheyWere) {
  Copy leaves{4};
  leaves.counts = false;
  EXPECT_EQ(Limits({{16}, leaves}), (Expected{16, 4}));
  leaves.own = 16;
  EXPECT_EQ(Limits({{16}, leaves}), (Expected{16, 16}));
}

TEST(LimitPlan, UntilAllWereHeardThePrimaryIsNotRaised) {
  Copy unheard{0};
  unheard.known = false;
  Copy primary{16};
  primary.now = 8;  // gemel set it for the other one, before it was started again
  EXPECT_EQ(Limits({primary, unheard})[0], 8u);
  EXPECT_EQ(PlanLimits(View({primary, unheard})).least, -1);
  primary.own = 0;
  EXPECT_EQ(Limits({primary, unheard})[0], 8u) << "nor is a limit taken away";
  EXPECT_EQ(Limits({primary, unheard, {4}}), (Expected{4, 0, 5})) << "but lowered";
  primary = {8};
  primary.now = 9;  // it was a copy until a moment ago
  EXPECT_EQ(Limits({primary, unheard})[0], 8u);
  primary.now = 8;
  EXPECT_EQ(Limits({primary, unheard, {8}}), (Expected{8, 0, 9}));
}

TEST(LimitPlan, NothingIsChangedBeforeThePrimaryWasHeard) {
  Copy unheard{0};
  unheard.known = false;
  EXPECT_FALSE(PlanLimits(View({unheard, {8}})).made);
}

// Whatever there is: no node that had a limit is without one, none gets more than its own and the
// margin of that, and the primary never more than its own.
TEST(LimitPlan, HoldsForAll) {
  const uint64_t sizes[] = {0, 1, 8, 9, 16, 100};
  for (uint64_t a : sizes) {
    for (uint64_t b : sizes) {
      for (uint64_t c : sizes) {
        for (int bits = 0; bits < 64; ++bits) {
          std::vector<Copy> copies = {
              {a, (bits & 1) != 0}, {b, (bits & 2) != 0}, {c, (bits & 4) != 0}};
          copies[1].counts = (bits & 8) != 0;
          copies[2].known = (bits & 16) != 0;
          copies[0].now = (bits & 32) != 0 ? 8 : a;
          const LimitPlan plan = PlanLimits(View(copies));
          ASSERT_TRUE(plan.made);
          for (uint32_t i = 0; i < 3; ++i) {
            if (!copies[i].known) continue;
            const uint64_t own = copies[i].own * kMb;
            const std::string what = std::to_string(a) + " " + std::to_string(b) + " " +
                                     std::to_string(c) + " " + std::to_string(bits);
            EXPECT_TRUE(own == 0 || plan.limits[i] != 0) << what;
            EXPECT_TRUE(own == 0 || plan.limits[i] <= own + LimitMargin(own, copies[0].evicts))
                << what;
            EXPECT_TRUE(i != 0 || own == 0 || plan.limits[i] <= own) << what;
            EXPECT_TRUE(i == 0 || own != 0 || plan.limits[i] == 0) << what;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace gemel::limit_plan_test
