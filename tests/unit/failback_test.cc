// The configured primary gets its role again by itself, if the config says so.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/shard_control_world.h"

namespace gemel::shard_control_test {
namespace {

class FailbackTest : public ShardControlTest {
 protected:
  // The configured primary dies and comes back.
  void FailOverAndResync() {
    Kill(0);
    RunEdits();
    ASSERT_EQ(Durable().primary, 1u);
    Tick(2000);
    Up(0, "r" + std::to_string(++starts_) + "x");
    RunEdits();
    MakeInSync(0);
    ASSERT_EQ(Durable().copies[0].state, CopyState::kInSync);
  }
  // How long it takes until the configured primary has its role again; ~0 if more than a minute.
  uint64_t TimeUntilHome() {
    for (uint64_t ms = 0; ms <= 60000; ms += 100) {
      if (Durable().primary == 0) return ms;
      Tick(100);
      RunEdits();
    }
    return ~uint64_t{0};
  }

  int starts_ = 0;
};

TEST_F(FailbackTest, NeverUnlessTheConfigSaysSo) {
  Make(2, /*failback=*/false);
  FailOverAndResync();
  EXPECT_EQ(TimeUntilHome(), ~uint64_t{0});
}

TEST_F(FailbackTest, AfterItHasBeenInSyncForAWhile) {
  Make(2, /*failback=*/true);
  FailOverAndResync();
  Tick(4900);
  EXPECT_TRUE(queue_->idle());
  Lose(0);  // not all the while
  Up(0, "r1x");
  EXPECT_NEAR(static_cast<double>(TimeUntilHome()), 5000, 300);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  EXPECT_TRUE(Noted("n1 handed the primary's role over to n0"));
  ExpectWrites(3);
}

TEST_F(FailbackTest, DoesNotFlap) {
  Make(2, /*failback=*/true);
  uint64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    FailOverAndResync();
    const uint64_t took = TimeUntilHome();
    if (i < 4 && last > 0) {
      EXPECT_NEAR(static_cast<double>(took), 2.0 * static_cast<double>(last), 500);
    }
    last = took;
  }
  // After a long quiet time it is quick again.
  Tick(100);
  Tick(10 * 60 * 1000);
  FailOverAndResync();
  EXPECT_NEAR(static_cast<double>(TimeUntilHome()), 5000, 300);
}

TEST_F(FailbackTest, AnAttemptThatFailsIsRepeatedLater) {
  Make(2, /*failback=*/true);
  FailOverAndResync();
  Tick(5100);
  Tick(5100);
  ASSERT_FALSE(queue_->idle());
  RunEdits(false);
  EXPECT_TRUE(Noted("the failback to n0 is put off: could not hand over n0: the disk is full"));
  EXPECT_NEAR(static_cast<double>(TimeUntilHome()), 10000, 300);
}

TEST_F(FailbackTest, AnOperatorsChoiceStands) {
  Make(2, /*failback=*/true);
  Order("PROMOTE", "n1");
  RunEdits();
  EXPECT_EQ(TimeUntilHome(), ~uint64_t{0});
  FailOverAndResync();
  EXPECT_NEAR(static_cast<double>(TimeUntilHome()), 5000, 300);
  // A drained primary gets its role back once it is let in again.
  Order("DRAIN", "n0");
  RunEdits();
  Prove(1);
  RunEdits();
  ASSERT_TRUE(Durable().copies[0].drained());
  EXPECT_EQ(TimeUntilHome(), ~uint64_t{0});
  Order("UNDRAIN", "n0");
  RunEdits();
  MakeInSync(0);
  EXPECT_NE(TimeUntilHome(), ~uint64_t{0});
}

}  // namespace
}  // namespace gemel::shard_control_test
