#include "backend/pace/token_bucket.h"

#include <gtest/gtest.h>

namespace gemel::token_bucket_test {
namespace {

TEST(TokenBucket, FillsAtItsRateUpToItsLimit) {
  TokenBucket bucket;
  bucket.Refill(5000, 100, 20);
  EXPECT_FALSE(bucket.Has(1)) << "nothing is there at first";
  bucket.Refill(5100, 100, 20);
  EXPECT_DOUBLE_EQ(bucket.left(), 10);
  bucket.Refill(9000, 100, 20);
  EXPECT_DOUBLE_EQ(bucket.left(), 20);
}

TEST(TokenBucket, WhatIsOwedIsWaitedFor) {
  TokenBucket bucket;
  bucket.Refill(1, 1000, 10, ~uint64_t{0}, 10);
  EXPECT_TRUE(bucket.Has(10)) << "full at first, if so wished";
  bucket.Take(15);
  bucket.Refill(5, 1000, 10);
  EXPECT_FALSE(bucket.Has(0.1));
  bucket.Refill(7, 1000, 10);
  EXPECT_TRUE(bucket.Has(1));
}

TEST(TokenBucket, ALongPauseIsNotMadeUpFor) {
  TokenBucket bucket;
  bucket.Refill(1000, 10, 100);
  bucket.Refill(61000, 10, 100, 1000);
  EXPECT_DOUBLE_EQ(bucket.left(), 10);
}

}  // namespace
}  // namespace gemel::token_bucket_test
