#include "backend/fleet/lease_word.h"

#include <gtest/gtest.h>

namespace gemel::lease_word_test {

TEST(LeaseWord, HoldsAsLongAsItIsRenewed) {
  LeaseWord word;
  EXPECT_EQ(word.UntilMs(0), 0U);
  word.Set(0);  // nothing was held
  word.Set(500);
  EXPECT_EQ(word.UntilMs(0), 500U);
  word.Set(600);
  EXPECT_EQ(word.UntilMs(0), 600U);
  EXPECT_EQ(word.lost(), 0U);
}

// Another life's lease says nothing of what was served under the one before.
TEST(LeaseWord, WhoDoesNotKnowOfALossHoldsNothingAfterIt) {
  LeaseWord word;
  word.Set(500);
  word.Set(0);
  word.Set(0);
  EXPECT_EQ(word.lost(), 1U);
  word.Set(900);
  EXPECT_EQ(word.UntilMs(0), 0U);
  EXPECT_EQ(word.UntilMs(1), 900U);
  EXPECT_EQ(word.until_ms(), 900U);
}

}  // namespace gemel::lease_word_test
