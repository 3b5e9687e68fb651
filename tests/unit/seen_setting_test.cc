// How often a setting of a node is set.

#include "backend/settings/seen_setting.h"

#include <gtest/gtest.h>

namespace gemel {
namespace {

bool SameWord(std::string_view a, std::string_view b) { return a == b; }

TEST(SeenSetting, AnotherValueIsSetAtOnce) {
  SeenSetting limit("maxmemory", SameWord);
  const NodeSetting kept{"maxmemory", "6", "70", ""};
  limit.Take("6", nullptr);
  for (uint64_t now_ms = 1000; now_ms < 1010; now_ms += 2) {
    limit.set_want("70");
    ASSERT_TRUE(limit.MustSet() && limit.MaySet(now_ms)) << now_ms;
    limit.OnSet({}, now_ms);
    limit.Take("70", &kept);
    limit.set_want("6");
    ASSERT_TRUE(limit.MustSet() && limit.MaySet(now_ms + 1)) << now_ms;
    limit.OnSet({}, now_ms + 1);
    limit.Take("6", &kept);
  }
}

TEST(SeenSetting, WhatSomebodyElseChangesBackIsSetLessAndLessOften) {
  SeenSetting limit("maxmemory", SameWord);
  limit.Take("6", nullptr);
  limit.set_want("70");
  limit.OnSet({}, 1000);
  limit.Take("6", nullptr);
  EXPECT_TRUE(limit.MaySet(1001));
  limit.OnSet({}, 1001);
  limit.Take("6", nullptr);
  EXPECT_FALSE(limit.MaySet(2000));
  EXPECT_TRUE(limit.MaySet(2001));
  limit.OnSet({}, 2001);
  EXPECT_FALSE(limit.MaySet(4000));
  EXPECT_TRUE(limit.MaySet(4001));
}

TEST(SeenSetting, ANodeThatRefusesIsLeftAloneForAWhile) {
  SeenSetting limit("maxmemory", SameWord);
  limit.Take("6", nullptr);
  limit.set_want("70");
  limit.OnSet("NOPERM", 1000);
  limit.set_want("80");
  EXPECT_FALSE(limit.MaySet(10999));
  EXPECT_TRUE(limit.MaySet(11000));
}

}  // namespace
}  // namespace gemel
