// What clients saw of each shard.

#include "proxy/seen/shards_seen.h"

#include <gtest/gtest.h>

namespace gemel::shards_seen_test {
namespace {

TEST(ShardsSeen, CountsNothingForNobody) {
  ShardsSeen seen;
  EXPECT_FALSE(seen.on());
  seen.OnDone(0, 5);
  seen.OnError(7, "-ERR x");
  EXPECT_TRUE(seen.all().empty());
}

TEST(ShardsSeen, KeepsWhatItCountedOfAShardThatStays) {
  ShardsSeen seen;
  seen.Use({"a", "b"});
  seen.OnDone(0, 10);
  seen.OnDone(1, 20);
  seen.OnDone(1, 30);
  seen.OnError(1, "-WRONGTYPE of it\r\n");
  seen.OnDone(2, 40);  // there is none
  seen.Use({"c", "b", "d"});
  EXPECT_EQ(seen.all()[0].times.total(), 0U);
  EXPECT_EQ(seen.all()[1].times.sum_us(), 50U);
  EXPECT_EQ(seen.all()[1].errors.at("WRONGTYPE"), 1U);
  EXPECT_EQ(seen.all()[2].times.total(), 0U);
  seen.Use({});
  EXPECT_FALSE(seen.on());
}

TEST(ShardsSeen, KindsAreBounded) {
  ShardsSeen seen;
  seen.Use({"a"});
  for (int i = 0; i < 1000; ++i) seen.OnError(0, "-E" + std::to_string(i) + " x");
  EXPECT_LE(seen.all()[0].errors.size(), ShardsSeen::kMostKinds + 1);
  uint64_t all = 0;
  for (const auto& [kind, count] : seen.all()[0].errors) all += count;
  EXPECT_EQ(all, 1000U);
  EXPECT_EQ(seen.all()[0].errors.at("ERR"), 1000U - ShardsSeen::kMostKinds);
}

}  // namespace
}  // namespace gemel::shards_seen_test
