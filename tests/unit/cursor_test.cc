// Cursors as clients have them: the node's own, and whose it is.

#include "backend/keys/cursor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "proxy/session/merge.h"

namespace gemel::cursor_test {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};

std::string RunId(std::mt19937_64& random) {
  std::string id;
  for (int i = 0; i < 40; ++i) id += "0123456789abcdef"[random() % 16];
  return id;
}

TEST(TaggedCursorTest, ReadAsRedisReadsIt) {
  uint64_t cursor = 0;
  for (const std::string_view zero : {"", "0", "-0", "+0", "00"}) {
    ASSERT_TRUE(ParseCursor(zero, &cursor)) << zero;
    EXPECT_EQ(cursor, 0u);
  }
  ASSERT_TRUE(ParseCursor("+12", &cursor));
  EXPECT_EQ(cursor, 12u);
  ASSERT_TRUE(ParseCursor("-1", &cursor));
  EXPECT_EQ(cursor, kMax);
  ASSERT_TRUE(ParseCursor("18446744073709551615", &cursor));
  EXPECT_EQ(cursor, kMax);
  for (const std::string_view text :
       {" ", "-", "+", "--1", "+-1", "x", "1x", "1 ", " 1", "0x10", "1.5", "18446744073709551616",
        "99999999999999999999999", "1\r\n"}) {
    EXPECT_FALSE(ParseCursor(text, &cursor)) << text;
  }
}

TEST(TaggedCursorTest, RoundTrip) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const TaggedCursor parts{std::max<uint64_t>(1, random() >> (14 + random() % 50)),
                             CursorTagOf(RunId(random))};
    uint64_t cursor = 0;
    ASSERT_TRUE(JoinCursor(parts, &cursor));
    EXPECT_NE(cursor, 0u);
    EXPECT_EQ(SplitCursor(cursor).node, parts.node);
    EXPECT_EQ(SplitCursor(cursor).tag, parts.tag);
  }
}

// The beginning and the end are nobody's.
TEST(TaggedCursorTest, ZeroHasNoTag) {
  uint64_t cursor = 1;
  ASSERT_TRUE(JoinCursor({0, CursorTagOf("r")}, &cursor));
  EXPECT_EQ(cursor, 0u);
}

TEST(TaggedCursorTest, NeverWrapsAround) {
  uint64_t cursor = 0;
  EXPECT_TRUE(JoinCursor({kMax >> kCursorTagBits, 1}, &cursor));
  EXPECT_FALSE(JoinCursor({(kMax >> kCursorTagBits) + 1, 1}, &cursor));
}

// Large tables fit, with the shard, in what clients take for a signed number; all but the largest
// in what JavaScript holds exactly.
TEST(TaggedCursorTest, FitsWhereClientsPutIt) {
  const auto whole = [](uint64_t node) {
    uint64_t cursor = 0;
    EXPECT_TRUE(JoinCursor({node, (1u << kCursorTagBits) - 1}, &cursor));
    return std::stoull(EncodeCursor(cursor, 4095));
  };
  EXPECT_LT(whole((uint64_t{1} << 36) - 1), uint64_t{1} << 63);
  EXPECT_LT(whole((uint64_t{1} << 26) - 1), uint64_t{1} << 53);
}

TEST(TaggedCursorTest, TagsFollowFromTheProcessAlone) {
  EXPECT_EQ(CursorTagOf("a"), CursorTagOf("a"));
  std::mt19937_64 random(1);
  std::set<uint32_t> tags;
  for (int i = 0; i < 100000; ++i) {
    const uint32_t tag = CursorTagOf(RunId(random));
    EXPECT_LT(tag, 1u << kCursorTagBits);
    EXPECT_NE(tag % 8, 0u);
    tags.insert(tag);
  }
  EXPECT_GT(tags.size(), 14'000u);  // of 14,336
}

// A cursor of SCAN from before there were tags: the node's cursor times 65536, and the shard.
TEST(TaggedCursorTest, OldOnesKeepTheirShardAndAreNobodys) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t node = random() >> (16 + random() % 48);
    const uint32_t slot = static_cast<uint32_t>(random() % 4096);
    uint64_t cursor = 0;
    uint32_t got_slot = 0;
    ASSERT_TRUE(DecodeCursor(std::to_string(node * 65536 + slot), &cursor, &got_slot));
    EXPECT_EQ(got_slot, slot);
    EXPECT_EQ(SplitCursor(cursor).tag % 8, 0u);
  }
}

// As Lua reckons it (backend/command/script_cursors.cc).
TEST(TaggedCursorTest, ARunIdsTagIsOfItsFirstDigits) {
  EXPECT_EQ(CursorTagOf("00000000" + std::string(32, 'f')), 1u);
  EXPECT_EQ(CursorTagOf("00000007" + std::string(32, '0')), 9u);
  EXPECT_EQ(CursorTagOf("000037ff" + std::string(32, '0')), 16383u);
  EXPECT_EQ(CursorTagOf("00003800" + std::string(32, '0')), 1u);
}

}  // namespace
}  // namespace gemel::cursor_test
