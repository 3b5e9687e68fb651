#include "backend/topology/changed_shards.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::changed_shards_test {
namespace {

TEST(ChangedShards, ThoseThatAreNewOrHaveAnotherEpoch) {
  Topology before;
  before.shards.resize(3);
  for (size_t i = 0; i < 3; ++i) before.shards[i].name = std::string(1, static_cast<char>('a' + i));
  Topology now = before;
  const auto changed = [&] {
    std::string names;
    ForEachChangedShard(before, now, [&](const ShardInfo& shard) { names += shard.name; });
    return names;
  };
  EXPECT_EQ(changed(), "");
  now.shards[1].epoch = 2;
  EXPECT_EQ(changed(), "b");
  now.shards.erase(now.shards.begin());
  EXPECT_EQ(changed(), "b");
  now.shards.emplace_back().name = "d";
  EXPECT_EQ(changed(), "bd");
}

}  // namespace
}  // namespace gemel::changed_shards_test
