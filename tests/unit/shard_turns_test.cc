#include "proxy/worker/shard_turns.h"

#include <gtest/gtest.h>

namespace gemel::shard_turns_test {

using Away = ShardTurns::Away;
using Here = ShardTurns::Here;

ShardLease Mine(uint64_t epoch, bool leaving = false) {
  ShardLease lease;
  lease.mine = true;
  lease.epoch = epoch;
  lease.leaving = leaving;
  return lease;
}

TEST(ShardTurns, WhatIsHereStaysUnderItsOwnLeaseAlone) {
  EXPECT_EQ(ShardTurns::OfHere(Mine(3), 3, false), Here::kStays);
  EXPECT_EQ(ShardTurns::OfHere(Mine(3, true), 3, false), Here::kLeaves);
  EXPECT_EQ(ShardTurns::OfHere(Mine(4), 3, false), Here::kIsCut);
  EXPECT_EQ(ShardTurns::OfHere(Mine(4, true), 3, false), Here::kIsCut);
  ShardLease other = Mine(3);
  other.mine = false;
  EXPECT_EQ(ShardTurns::OfHere(other, 3, false), Here::kIsCut);
  // It is in the config no more.
  EXPECT_EQ(ShardTurns::OfHere(ShardLease(), 3, true), Here::kStays);
  EXPECT_EQ(ShardTurns::OfHere(Mine(3, true), 3, true), Here::kStays);
}

TEST(ShardTurns, WhatIsNotHereBegins) {
  ShardTurns turns;
  EXPECT_EQ(turns.OfAway("s", ShardLease()), Away::kStays);
  EXPECT_EQ(turns.OfAway("s", Mine(3)), Away::kBegins);
  // It is to leave before it has begun: once.
  EXPECT_EQ(turns.OfAway("t", Mine(3, true)), Away::kIsGiven);
  EXPECT_EQ(turns.OfAway("t", Mine(3, true)), Away::kStays);
  EXPECT_EQ(turns.OfAway("t", Mine(4, true)), Away::kIsGiven);
}

TEST(ShardTurns, WhatWasCutOffDoesNotBeginAgainUnderThatLease) {
  ShardTurns turns;
  turns.OnCut("s", 3);
  EXPECT_EQ(turns.OfAway("s", Mine(3)), Away::kIsGiven);
  EXPECT_EQ(turns.OfAway("s", Mine(3)), Away::kStays);
  EXPECT_EQ(turns.OfAway("s", Mine(4)), Away::kBegins);
  EXPECT_EQ(turns.OfAway("t", Mine(3)), Away::kBegins);
}

TEST(ShardTurns, WhatHasLeftIsGivenUnlessItIsNotToLeaveAnyMore) {
  ShardTurns turns;
  EXPECT_TRUE(turns.OnLeft("s", 3, true, Mine(3, true)));
  EXPECT_EQ(turns.OfAway("s", Mine(3, true)), Away::kStays);  // it is under way
  EXPECT_FALSE(turns.OnLeft("t", 3, true, Mine(4, true)));
  EXPECT_FALSE(turns.OnLeft("t", 3, true, Mine(3)));
  EXPECT_EQ(turns.OfAway("t", Mine(3)), Away::kBegins);
  // What it had in flight was cut off.
  EXPECT_FALSE(turns.OnLeft("u", 3, false, Mine(3)));
  EXPECT_EQ(turns.OfAway("u", Mine(3)), Away::kIsGiven);
}

}  // namespace gemel::shard_turns_test
