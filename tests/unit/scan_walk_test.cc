// A walk through a node's keys with SCAN.

#include "backend/keys/scan_walk.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::scan_walk_test {
namespace {

using Keys = std::vector<std::string>;

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
  walk.Begin(1);
  EXPECT_FALSE(walk.done());
  EXPECT_EQ(walk.cursor(), "0");
}

TEST(ScanWalk, GoesFromDatabaseToDatabase) {
  ScanWalk walk;
  Keys keys;
  walk.Begin(3);
  EXPECT_EQ(walk.OnReply("*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", &keys), "");
  EXPECT_EQ(keys, Keys{"a"});
  EXPECT_FALSE(walk.done());
  EXPECT_EQ(walk.database(), 1);
  EXPECT_EQ(walk.cursor(), "0");
  EXPECT_EQ(walk.OnReply("*2\r\n$1\r\n5\r\n*1\r\n$1\r\na\r\n", &keys), "");
  EXPECT_EQ(keys, Keys{MakeKeyName(1, "a")});
  EXPECT_EQ(walk.database(), 1);
  EXPECT_EQ(walk.OnReply("*2\r\n$1\r\n0\r\n*0\r\n", &keys), "");
  EXPECT_EQ(walk.database(), 2);
  EXPECT_FALSE(walk.done());
  EXPECT_EQ(walk.OnReply("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n", &keys), "");
  EXPECT_EQ(keys, Keys{MakeKeyName(2, "b")});
  EXPECT_TRUE(walk.done());
  walk.Begin(256);
  for (int i = 0; i < 256; ++i) {
    EXPECT_FALSE(walk.done());
    EXPECT_EQ(walk.database(), i);
    EXPECT_EQ(walk.OnReply("*2\r\n$1\r\n0\r\n*0\r\n", &keys), "");
  }
  EXPECT_TRUE(walk.done());
}

TEST(KeyName, SaysWhichDatabaseAndWhichKey) {
  const std::string nul(1, '\0');
  for (const std::string& key :
       {std::string(), std::string("a"), nul, nul + nul, nul + "\1a", std::string("a") + nul}) {
    std::set<std::string> names;
    for (const int database : {0, 1, 2, 97, 255}) {
      const auto index = static_cast<uint8_t>(database);
      const std::string name = MakeKeyName(index, key);
      EXPECT_EQ(DatabaseOf(name), index);
      EXPECT_EQ(KeyOf(name), key);
      names.insert(name);
    }
    EXPECT_EQ(names.size(), 5u);
  }
  EXPECT_EQ(MakeKeyName(0, "a"), "a");
  EXPECT_NE(MakeKeyName(0, nul + "\1a"), MakeKeyName(1, "a"));
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
