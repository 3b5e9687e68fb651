// What a shard makes durable, and in which order.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel {
namespace {

class RoleEditsTest : public ShardWorld {
 protected:
  void MakeFresh() {
    fresh_ = true;
    Make(2);
    Up(0, "r0", 0);
    Up(1, "r1", 0);
  }
};

// If it came back without its data, a start that does not know it would take it for what it was.
TEST_F(RoleEditsTest, WhoIsInSyncBesideAnotherIsKnownByItsProcess) {
  MakeFresh();
  RunEdits(/*ok=*/false);
  EXPECT_EQ(Durable().copies[0].run_id, "");
  edits_.clear();
  for (int round = 0; round < 20 && edits_.empty(); ++round) shard_->Tick(now_ms_ += 100, 0);
  EXPECT_EQ(edits_, "set run_id n0: first contact\n");
  RunEdits(/*ok=*/false);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_NE(notes_.find("could not mark in sync n1: the disk is full"), std::string::npos)
      << notes_;
  edits_.clear();
  for (int round = 0; round < 20 && edits_.empty(); ++round) shard_->Tick(now_ms_ += 100, 0);
  RunEdits();
  EXPECT_TRUE(
      edits_.starts_with("set run_id n0: first contact\nmark in sync n1: both copies are empty\n"))
      << edits_;
  EXPECT_EQ(Durable().copies[0].run_id, "r0");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
}

}  // namespace
}  // namespace gemel
