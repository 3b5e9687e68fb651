// A walk through a node's keys with SCAN.

#include "backend/resp/scan_walk.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace gemel::scan_walk_test {
namespace {

using Keys = std::vector<std::string_view>;

TEST(ScanWalk, GoesFromCursorToCursorUntilItHasComeRound) {
  ScanWalk walk;
  Keys keys;
  EXPECT_EQ(walk.cursor(), "0");
  EXPECT_FALSE(walk.done()) << "nothing was asked yet";
  EXPECT_EQ(walk.OnReply("*2\r\n$2\r\n17\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n", &keys), "");
  EXPECT_EQ(keys, (Keys{"a", ""}));
  EXPECT_EQ(walk.cursor(), "17");
  EXPECT_FALSE(walk.done());
  EXPECT_EQ(walk.OnReply("*2\r\n$1\r\n0\r\n*0\r\n", &keys), "");
  EXPECT_EQ(keys, Keys{});
  EXPECT_TRUE(walk.done());
  walk.Begin();
  EXPECT_FALSE(walk.done());
  EXPECT_EQ(walk.cursor(), "0");
}

TEST(ScanWalk, AnEmptyReplyInTheMiddleIsNotTheEnd) {
  ScanWalk walk;
  Keys keys;
  EXPECT_EQ(walk.OnReply("*2\r\n$2\r\n00\r\n*0\r\n", &keys), "");
  EXPECT_FALSE(walk.done()) << "only 0 is the end";
}

TEST(ScanWalk, WhatIsNoReplyToScanLeavesItWhereItWas) {
  for (const std::string_view wrong :
       {"-ERR no such thing\r\n", "+OK\r\n", ":0\r\n", "*-1\r\n", "*0\r\n", "*1\r\n$1\r\n0\r\n",
        "*3\r\n$1\r\n0\r\n*0\r\n$1\r\nx\r\n", "*2\r\n$1\r\n0\r\n$1\r\nx\r\n"}) {
    ScanWalk walk;
    Keys keys;
    ASSERT_EQ(walk.OnReply("*2\r\n$1\r\n5\r\n*1\r\n$1\r\na\r\n", &keys), "");
    const std::string error = walk.OnReply(wrong, &keys);
    EXPECT_EQ(error, wrong[0] == '-' ? "SCAN: ERR no such thing" : "SCAN: an odd reply") << wrong;
    EXPECT_EQ(keys, Keys{});
    EXPECT_EQ(walk.cursor(), "5");
    EXPECT_FALSE(walk.done());
  }
}

}  // namespace
}  // namespace gemel::scan_walk_test
