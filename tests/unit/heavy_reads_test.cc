// What is remembered of large replies and of commands that ended connections.

#include "backend/shard/heavy_reads.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::heavy_reads_test {
namespace {

TEST(HeavyReads, RemembersTheLargestForAWhile) {
  HeavyReads heavy;
  EXPECT_TRUE(heavy.empty());
  EXPECT_EQ(heavy.Find("k", 0).bytes, 0u);
  heavy.NoteSize("k", 2000000, 1000);
  heavy.NoteSize("k", 1500000, 2000);
  heavy.NoteEnd("bad", 2000);
  EXPECT_EQ(heavy.Find("k", 2000).bytes, 2000000u);
  EXPECT_FALSE(heavy.Find("k", 2000).ends);
  EXPECT_TRUE(heavy.Find("bad", 2000).ends);
  EXPECT_EQ(heavy.Find("k", 2001 + HeavyReads::kKeepMs).bytes, 0u);
  heavy.Forget(2001 + HeavyReads::kKeepMs);
  EXPECT_TRUE(heavy.empty());
}

TEST(HeavyReads, IsBounded) {
  HeavyReads heavy;
  for (size_t i = 0; i < 2 * HeavyReads::kMost; ++i) {
    heavy.NoteSize("key" + std::to_string(i), HeavyReads::kLarge, 5);
  }
  size_t known = 0;
  for (size_t i = 0; i < 2 * HeavyReads::kMost; ++i) {
    if (heavy.Find("key" + std::to_string(i), 5).bytes > 0) ++known;
  }
  EXPECT_EQ(known, HeavyReads::kMost);
  EXPECT_EQ(heavy.Find("key" + std::to_string(2 * HeavyReads::kMost - 1), 5).bytes,
            HeavyReads::kLarge);
}

}  // namespace
}  // namespace gemel::heavy_reads_test
