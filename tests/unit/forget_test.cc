// What becomes of keys when the ring changes: misses, never old values.

#include "backend/forget/forget.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/forget_world.h"

namespace gemel::forget_test {
namespace {

class ForgetTest : public ForgetWorld {
 protected:
  // a had all, then b came, then b went: keys that b had are suspect. `swept`: a was, in ring 1.
  void Reversed(uint32_t copies, Ack ack = Ack::kAll) {
    AddRing(Alone());
    AddRing(Both());
    AddRing(Alone());
    swept_ = 1;
    moved_ = KeyOf({true, false, true});
    moved2_ = KeyOf({true, false, true});
    stayed_ = KeyOf({true, true, true});
    data_.resize(copies);
    for (Data& data : data_) {
      data = {{moved_, "old"}, {moved2_, "old"}, {stayed_, "good"}};
    }
    Begin(copies, ack);
  }
  bool Logged(const std::string& line) const {
    return std::find(log_.begin(), log_.end(), line) != log_.end();
  }
  void ExpectDone() {
    EXPECT_FALSE(forget_->active());
    EXPECT_FALSE(forget_->guarding());
    EXPECT_EQ(forget_->marks(), 0U);
    EXPECT_EQ(Durable().swept, queue_->current()->rings.back().id);
  }

  uint64_t moved_ = 0;
  uint64_t moved2_ = 0;
  uint64_t stayed_ = 0;
};

TEST_F(ForgetTest, OneRingNeedsNothing) {
  AddRing(Both());
  const uint64_t foreign = KeyOf({false});
  Begin(2);
  Put(foreign, "whatever");
  EXPECT_FALSE(forget_->active());
  Live(500);
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(edits_, "");
  EXPECT_EQ(data_[0].size(), 1U);
}

TEST_F(ForgetTest, WhatMovedAwayIsDeletedInTheBackground) {
  AddRing(Alone());
  swept_ = 1;
  AddRing(Both());
  std::vector<uint64_t> foreign;
  for (int i = 0; i < 10; ++i) foreign.push_back(KeyOf({true, false}));
  const uint64_t kept = KeyOf({true, true});
  Begin(2);
  for (const uint64_t key : foreign) Put(key, "v");
  Put(kept, "v");
  EXPECT_TRUE(forget_->active());
  EXPECT_FALSE(forget_->guarding()) << "nothing that it owns is old";
  Live(500);
  for (const Data& data : data_) EXPECT_EQ(data, (Data{{kept, "v"}}));
  ExpectDone();
  EXPECT_EQ(edits_, "mark swept : no key of other shards is left\n");
  EXPECT_EQ(queue_->current()->rings.size(), 1U);
  EXPECT_EQ(shard_->figures().Get("forgotten"), 10U);
  EXPECT_EQ(shard_->figures().Get("sweeps"), 1U);
  EXPECT_NE(notes_.find("no old keys are left after the change to ring 2"), std::string::npos)
      << notes_;
}

TEST_F(ForgetTest, WhoLostNothingIsNotScanned) {
  AddRing(Both());
  AddRing(Alone());
  swept_ = 1;
  Begin(2);
  EXPECT_FALSE(forget_->guarding());
  Live(50);
  ExpectDone();
  EXPECT_EQ(shard_->figures().Get("sweep_scanned"), 0U);
}

TEST_F(ForgetTest, SuspectKeysAreMissesAndNewValuesStay) {
  options_.keys_per_s = 1;
  Reversed(2);
  EXPECT_TRUE(forget_->guarding());
  EXPECT_EQ(Get(stayed_), "$4\r\ngood\r\n");
  EXPECT_EQ(Get(moved_), "$-1\r\n");
  EXPECT_EQ(shard_->figures().Get("forgotten_on_access"), 1U);
  for (const Data& data : data_) EXPECT_FALSE(data.contains(moved_));
  // A write goes behind the deletion, and what it wrote is not deleted again.
  Ask({"SET", Key(moved2_), "new"});
  ServeAll();
  EXPECT_EQ(Get(moved2_), "$3\r\nnew\r\n");
  EXPECT_EQ(forget_->marks(), 2U);
  forget_->set_rate(0);
  Live(100);
  EXPECT_EQ(Get(moved2_), "$3\r\nnew\r\n");
  EXPECT_EQ(Get(stayed_), "$4\r\ngood\r\n");
  ExpectDone();
}

TEST_F(ForgetTest, TheSweepDeletesSuspectKeysAndMarksThem) {
  options_.keys_per_s = 0;
  Reversed(2);
  // By hand: SCAN, then the deletion, which is not answered yet.
  forget_->Tick(now_ms_ += 10);
  for (int i = 0; i < 3 && forget_->marks() == 0; ++i) Serve(0);
  ASSERT_EQ(forget_->marks(), 2U);
  Asked* early = Ask({"SET", Key(moved_), "new"});
  EXPECT_EQ(early->told, "");
  Live(200);
  EXPECT_EQ(early->told, "+OK\r\n");
  EXPECT_EQ(Get(moved_), "$3\r\nnew\r\n");
  EXPECT_EQ(Get(moved2_), "$-1\r\n");
  ExpectDone();
}

TEST_F(ForgetTest, AReadWaitsUntilTheDeletionIsAnswered) {
  Reversed(2);
  refuse_unlink_ = true;
  Asked* read = Ask({"GET", Key(moved_)});
  ServeAll();
  EXPECT_EQ(read->told, "") << "the node refused: the old value is still there";
  Live(100);
  EXPECT_EQ(read->told, "");
  EXPECT_NE(Durable().swept, 3U);
  refuse_unlink_ = false;
  Live(20);
  EXPECT_EQ(read->told, "$-1\r\n");
  Live(3000);
  ExpectDone();
}

TEST_F(ForgetTest, APipelineKeepsItsOrder) {
  options_.keys_per_s = 1;
  Reversed(2);
  Asked* first = Ask({"SET", Key(moved_), "one"}, 7);
  Asked* second = Ask({"GET", Key(moved_)}, 7);
  Asked* third = Ask({"SET", Key(stayed_), "two"}, 7);
  Asked* fourth = Ask({"GET", Key(moved2_)}, 7);
  Asked* other = Ask({"GET", Key(stayed_)}, 8);
  ServeAll();
  EXPECT_EQ(other->told, "$4\r\ngood\r\n") << "another session does not wait";
  EXPECT_EQ(first->told, "+OK\r\n");
  EXPECT_EQ(second->told, "$3\r\none\r\n");
  EXPECT_EQ(third->told, "+OK\r\n");
  EXPECT_EQ(fourth->told, "$-1\r\n");
  // Both deletions went out at once, not one after the other.
  ASSERT_GE(log_.size(), 2U);
  std::vector<std::string> primary;
  for (const std::string& line : log_) {
    if (line[0] == '0') primary.push_back(line);
  }
  EXPECT_EQ(primary[0], "0 UNLINK " + Key(moved_));
  EXPECT_EQ(primary[1], "0 UNLINK " + Key(moved2_));
}

TEST_F(ForgetTest, CommandsOfSeveralKeys) {
  options_.keys_per_s = 1;
  Reversed(2);
  Asked* read = Ask({"MGET", Key(moved_), Key(stayed_), Key(moved2_), Key(moved_)});
  ServeAll();
  EXPECT_EQ(read->told, "*4\r\n$-1\r\n$4\r\ngood\r\n$-1\r\n$-1\r\n");
  const std::string a = Key(std::min(moved_, moved2_));
  Asked* write = Ask({"MSET", Key(moved_), "x", Key(moved2_), "y"});
  ServeAll();
  EXPECT_EQ(write->told, "+OK\r\n");
  EXPECT_EQ(Get(moved_), "$1\r\nx\r\n");
  EXPECT_EQ(forget_->marks(), 2U);
}

TEST_F(ForgetTest, ReversedAgainWhileDeletionsRun) {
  options_.keys_per_s = 1;
  Reversed(2);
  Ask({"SET", Key(moved_), "ring 3"});
  ServeAll();
  // b has it meanwhile: what was new in ring 3 is old in ring 5.
  ChangeRing(Both());
  ChangeRing(Alone());
  EXPECT_EQ(rings_.size(), 5U);
  EXPECT_EQ(Get(moved_), "$-1\r\n");
  EXPECT_EQ(Get(moved2_), "$-1\r\n");
  EXPECT_EQ(Get(stayed_), "$4\r\ngood\r\n");
  // A change in which it stays a's: what was new stays.
  Ask({"SET", Key(moved_), "ring 5"});
  ServeAll();
  ChangeRing({{"a", 2}});
  EXPECT_EQ(Get(moved_), "$6\r\nring 5\r\n");
  forget_->set_rate(0);
  Live(200);
  EXPECT_EQ(Get(moved_), "$6\r\nring 5\r\n");
  ExpectDone();
}

TEST_F(ForgetTest, ARestartInTheMiddle) {
  options_.keys_per_s = 1;
  Reversed(2);
  Ask({"SET", Key(moved_), "new"});
  ServeAll();
  Live(50);
  Restart(2);
  EXPECT_TRUE(forget_->guarding());
  EXPECT_EQ(Get(moved2_), "$-1\r\n");
  EXPECT_EQ(Get(moved_), "$-1\r\n") << "what was new is not known any more: a miss";
  Ask({"SET", Key(moved_), "newer"});
  ServeAll();
  forget_->set_rate(0);
  Live(100);
  ExpectDone();
  Restart(2);
  EXPECT_FALSE(forget_->active());
  EXPECT_EQ(Get(moved_), "$5\r\nnewer\r\n");
}

TEST_F(ForgetTest, APromotionInTheMiddleScansAnew) {
  options_.keys_per_s = 1;
  base_.wait_ms = 100000;
  Reversed(2);
  Live(10);
  Asked* read = Ask({"GET", Key(moved_)});
  Lose(0, /*refused=*/true);  // with the deletion in flight
  pending_[0].clear();
  Live(300);
  EXPECT_EQ(Durable().primary, 1U);
  EXPECT_EQ(read->told, "$-1\r\n");
  forget_->set_rate(0);
  Live(1500);
  EXPECT_EQ(data_[1], (Data{{stayed_, "good"}}));
  ExpectDone();
}

TEST_F(ForgetTest, NothingIsDeletedWhileRequestsOfBeforeMayCome) {
  AddRing(Alone());
  swept_ = 1;
  const uint64_t late = [this] {
    rings_.push_back({2, 16, "{}", Both()});
    const uint64_t key = KeyOf({true, false});
    rings_.pop_back();
    return key;
  }();
  Begin(2);
  Put(late, "v");
  ChangeRing(Both(), /*allow=*/false);
  Live(300);
  EXPECT_EQ(Get(late), "$1\r\nv\r\n");
  shard_->ports().resync.Pause([] {});
  Asked* held = Ask({"SET", Key(late), "w"});
  forget_->AllowSweep(now_ms_);
  Live(300);
  EXPECT_EQ(data_[0].size(), 1U);
  shard_->ports().resync.Resume();
  Live(300);
  EXPECT_EQ(held->told, "+OK\r\n");
  EXPECT_TRUE(data_[0].empty());
  EXPECT_TRUE(data_[1].empty());
  ExpectDone();
}

TEST_F(ForgetTest, ALateRequestGetsNoOldValueEither) {
  options_.keys_per_s = 1;
  Reversed(2);
  ChangeRing(Both(), /*allow=*/false);
  EXPECT_EQ(Get(moved_), "$-1\r\n") << "routed by ring 3, in which it was suspect";
  EXPECT_EQ(Get(stayed_), "$4\r\ngood\r\n");
}

TEST_F(ForgetTest, AtTheBoundTheRateEndsAndThenRequestsAreRefused) {
  options_.keys_per_s = 1;
  options_.mark_keys = 1;
  AddRing(Alone());
  AddRing(Both());
  AddRing(Alone());
  swept_ = 1;
  std::vector<uint64_t> keys;
  for (int i = 0; i < 4; ++i) keys.push_back(KeyOf({true, false, true}));
  Begin(1);
  for (const uint64_t key : keys) Put(key, "old");
  forget_->SetHistory(History(), now_ms_);  // the sweep may not begin yet
  EXPECT_EQ(Get(keys[0]), "$-1\r\n");
  EXPECT_EQ(Get(keys[1]), "$-1\r\n");
  EXPECT_TRUE(Get(keys[2]).starts_with("-TRYAGAIN shard 'a' is deleting old keys"));
  EXPECT_EQ(Get(keys[0]), "$-1\r\n");
  forget_->AllowSweep(now_ms_);
  Live(200);
  ExpectDone();
  EXPECT_EQ(Get(keys[2]), "$-1\r\n");
}

TEST_F(ForgetTest, TheRateIsKept) {
  options_.keys_per_s = 10;
  AddRing(Alone());
  swept_ = 1;
  AddRing(Both());
  std::vector<uint64_t> keys;
  for (int i = 0; i < 300; ++i) keys.push_back(KeyOf({true, false}));
  Begin(1);
  for (const uint64_t key : keys) Put(key, "v");
  Live(10000);
  EXPECT_TRUE(forget_->active());
  EXPECT_GE(shard_->figures().Get("forgotten"), 60U);
  EXPECT_LE(shard_->figures().Get("forgotten"), 170U);
}

TEST_F(ForgetTest, SortByUnnamedKeysIsRefusedMeanwhile) {
  options_.keys_per_s = 1;
  Reversed(1);
  Asked* sort = Ask({"SORT", Key(stayed_), "BY", "k*"});
  EXPECT_TRUE(sort->told.starts_with("-TRYAGAIN")) << sort->told;
}

TEST_F(ForgetTest, ADiskThatFailsIsTriedAgain) {
  options_.keys_per_s = 0;
  Reversed(2);
  for (int i = 0; i < 10; ++i) {
    forget_->Tick(now_ms_ += 10);
    ServeAll();
    RunEdits(/*ok=*/false);
  }
  EXPECT_TRUE(forget_->active());
  EXPECT_TRUE(forget_->guarding());
  EXPECT_EQ(Durable().swept, 1U);
  EXPECT_EQ(Get(moved_), "$-1\r\n");
  Live(1200);
  ExpectDone();
}

TEST_F(ForgetTest, TheRingChangesWhileTheEditIsUnderWay) {
  options_.keys_per_s = 0;
  Reversed(2);
  for (int i = 0; i < 10; ++i) {
    forget_->Tick(now_ms_ += 10);
    ServeAll();
  }
  ASSERT_FALSE(queue_->idle());
  Ask({"SET", Key(moved_), "ring 3"});
  ServeAll();
  AddRing(Both());
  forget_->SetHistory(History(), now_ms_);
  AddRing(Alone());
  forget_->SetHistory(History(), now_ms_);
  RunEdits();
  EXPECT_EQ(Durable().swept, 3U);
  EXPECT_TRUE(forget_->guarding());
  EXPECT_EQ(Get(moved_), "$-1\r\n");
}

TEST_F(ForgetTest, AForcedCopyBringsOldKeysBack) {
  options_.keys_per_s = 0;
  Reversed(2);
  Live(200);
  ExpectDone();
  ChangeRing(Both());
  Live(200);
  ChangeRing(Alone());
  Live(200);
  ExpectDone();
  ChangeRing(Both());
  // A stale copy is made primary, before the sweep: nothing is believed of before these rings.
  Topology next = *queue_->current();
  next.shards[0].swept = 0;
  queue_ = std::make_unique<EditQueue>(std::make_shared<const Topology>(next));
  shard_->ports().forget.set_swept(0);
  Live(200);
  ExpectDone();
}

// Its only node keeps every write on its disk and restarts after the sweep: rings that are kept no
// more do not say that what came since may be old.
TEST_F(ForgetTest, WhatCameAfterTheSweepOutlivesTheNodesProcess) {
  Reversed(1);
  Live(200);
  ExpectDone();
  ASSERT_EQ(queue_->current()->rings.size(), 1U);
  Lose(0);
  Up(0, "r0", 5, "always");
  Live(100);
  Put(moved_, "new");
  log_.clear();
  Lose(0);
  Up(0, "r1", 5, "always");
  Live(2000);
  EXPECT_EQ(Durable().copies[0].run_id, "r1");
  ExpectDone();
  EXPECT_EQ(Get(moved_), "$3\r\nnew\r\n");
  EXPECT_TRUE(std::none_of(log_.begin(), log_.end(), [](const std::string& line) {
    return line.find("UNLINK") != line.npos;
  }));
}

}  // namespace
}  // namespace gemel::forget_test
