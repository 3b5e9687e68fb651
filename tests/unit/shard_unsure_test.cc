// A copy that is in sync as far as is durable, and lacks a write: who reads it, and who may go.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel::shard_unsure_test {
namespace {

class ShardUnsureTest : public ShardWorld {};

// Who starts next would take the copies for equal.
TEST_F(ShardUnsureTest, WhileACopyLacksAWriteAndNobodyCanSayItDurablyTheShardIsNotQuiet) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_FALSE(shard_->Quiet());
  Lose(0, /*refused=*/true);
  Reply(1, "+OK\r\n");
  RunEdits(false);
  for (int i = 0; i < 60; ++i) {
    Pass(100);
    RunEdits(false);
  }
  EXPECT_TRUE(set->told.starts_with("-CLUSTERDOWN")) << set->told;
  EXPECT_FALSE(shard_->Quiet());
  Pass(1000);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_TRUE(shard_->Quiet());
}

// The copy that answers the read has refused the write in front of it, and the other one is not to
// be read either just now.
TEST_F(ShardUnsureTest, AReadBehindAWriteThatItsCopyRefusedWaits) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Ask({"SET", "j", "v"});
  Asked* get = Ask({"GET", "k"});
  Reply(1, "+OK\r\n-BUSY a script runs\r\n");
  Reply(0, "-READONLY a replica\r\n-READONLY a replica\r\n$3\r\nold\r\n");
  EXPECT_EQ(get->told, "");
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(set->told, "+OK\r\n");
  Sent(1);
  Pass(10);
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
}

}  // namespace
}  // namespace gemel::shard_unsure_test
