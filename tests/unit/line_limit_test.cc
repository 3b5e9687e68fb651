// How many lines a second are let through, and how many were not.

#include "proxy/log/line_limit.h"

#include <gtest/gtest.h>

namespace gemel::line_limit_test {
namespace {

TEST(LineLimit, LetsSoManyThroughASecond) {
  LineLimit limit;
  uint64_t now_ms = 5000;
  uint64_t suppressed = 0;
  for (int second = 0; second < 3; ++second, now_ms += 1000) {
    for (uint32_t i = 0; i < LineLimit::kLinesPerSecond; ++i) {
      ASSERT_TRUE(limit.Allow(now_ms + i, &suppressed));
      EXPECT_EQ(suppressed, second > 0 && i == 0 ? 3u : 0u);
    }
    for (const uint64_t later : {300, 500, 999}) {
      ASSERT_FALSE(limit.Allow(now_ms + later, &suppressed));
    }
  }
}

TEST(LineLimit, TellsOfWhatWasLeftOutOnce) {
  LineLimit limit;
  uint64_t suppressed = 0;
  for (uint32_t i = 0; i < 1000; ++i) limit.Allow(1000, &suppressed);
  ASSERT_TRUE(limit.Allow(100000, &suppressed));
  EXPECT_EQ(suppressed, 1000 - LineLimit::kLinesPerSecond);
  ASSERT_TRUE(limit.Allow(100000, &suppressed));
  EXPECT_EQ(suppressed, 0u);
}

}  // namespace
}  // namespace gemel::line_limit_test
