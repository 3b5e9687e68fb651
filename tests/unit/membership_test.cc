// Nodes that come to a shard and leave it while it serves.

#include "backend/shard/membership.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/shard_world.h"

namespace gemel::membership_test {
namespace {

class MembershipTest : public ShardWorld, public Membership::Host {
 protected:
  void Begin(uint32_t copies) {
    MakeUp(copies);
    membership_ = std::make_unique<Membership>(shard_.get(), this, this);
  }
  void Want(const std::vector<std::string>& names, bool force = false) {
    std::vector<LinkOptions> nodes;
    for (const std::string& name : names) nodes.emplace_back().name = name;
    membership_->SetNodes(nodes, force);
  }
  void Turn(uint32_t times = 1) {
    for (uint32_t i = 0; i < times; ++i) {
      now_ms_ += 10;
      shard_->Tick(now_ms_, 0);
      membership_->Tick(now_ms_);
      RunEdits();
    }
  }
  // Copy 0 is gone, and cannot be reached any more.
  void LosePrimary() {
    shard_->link(0)->OnClosed("gone", true, now_ms_);
    shard_->Tick(now_ms_, 0);
    now_ms_ += 1000;
    shard_->Tick(now_ms_, 0);
    shard_->link(0)->OnClosed("refused", true, now_ms_);
    Turn(100);
  }
  // A copy is made equal, as a resync does it.
  void MakeEqual(uint32_t copy) {
    bool ok = false;
    shard_->ports().resync.Pause(
        [&] { shard_->ports().resync.ProposeInSync(copy, [&](bool done) { ok = done; }); });
    RunEdits();
    shard_->ports().resync.Resume();
    ASSERT_TRUE(ok);
  }
  std::string Members() const {
    std::string text;
    for (const CopyInfo& copy : Durable().copies) text += copy.node + " ";
    return text;
  }

  std::unique_ptr<Membership> membership_;
  std::vector<uint32_t> added_;
  std::vector<uint32_t> removed_;

 private:
  void OnCopyAdded(uint32_t copy, const LinkOptions&) override {
    added_.push_back(copy);
    if (transports_.size() <= copy) transports_.resize(copy + 1);
    transports_[copy] = {};
    shard_->link(copy)->set_transport(&transports_[copy]);
  }
  void OnCopyRemoved(uint32_t copy) override { removed_.push_back(copy); }
};

TEST_F(MembershipTest, WhatIsRightIsLeftAlone) {
  Begin(2);
  Want({"n0", "n1"});
  Turn();
  EXPECT_TRUE(membership_->settled());
  EXPECT_EQ(queue_->current()->epoch, topology_->epoch);
}

TEST_F(MembershipTest, ANodeComes) {
  Begin(2);
  Want({"n0", "n1", "new"});
  Turn(2);
  EXPECT_TRUE(membership_->settled());
  EXPECT_EQ(Members(), "n0 n1 new ");
  ASSERT_EQ(added_, std::vector<uint32_t>{2});
  Up(2, "r9");
  // Stale: it gets no writes and is copied whole.
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_EQ(Sent(2), "");
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), 2);
  MakeEqual(2);
  Ask({"SET", "k", "w"});
  EXPECT_NE(Sent(2), "");
}

TEST_F(MembershipTest, AReplicaLeaves) {
  Begin(3);
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  Want({"n0", "n1"});
  Turn();
  // What is in flight to it is waited for.
  EXPECT_EQ(Members(), "n0 n1 n2 ");
  Reply(2, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  Turn();
  Sent(0);
  Reply(0, "+PONG\r\n");  // the primary proves that it lives
  Turn(3);
  EXPECT_TRUE(membership_->settled());
  EXPECT_EQ(Members(), "n0 n1 ");
  EXPECT_EQ(removed_, std::vector<uint32_t>{2});
  EXPECT_EQ(shard_->copies().IndexOf("n2"), -1);
  Asked* next = Ask({"SET", "k", "w"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(next->told, "+OK\r\n");
}

TEST_F(MembershipTest, ThePrimaryIsReplaced) {
  Begin(2);
  Want({"new", "n1"});
  Turn();
  EXPECT_EQ(Members(), "n0 n1 new ");
  Turn();  // n1 stays and has everything: the hand-over to it, then n0 leaves
  RunEdits();
  Turn(2);
  Reply(1, "+PONG\r\n");
  Turn(3);
  EXPECT_TRUE(membership_->settled()) << membership_->Outstanding();
  EXPECT_EQ(Members(), "n1 new ");
  EXPECT_EQ(shard_->info().copies[shard_->info().primary].node, "n1");
  Asked* set = Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(MembershipTest, TheOnlyCopyInSyncStaysUntilAnotherHasEverything) {
  Begin(1);
  Want({"new"});
  Turn(5);
  EXPECT_FALSE(membership_->settled());
  EXPECT_EQ(membership_->Outstanding(), "n0 leaves");
  Up(1, "r9");
  Turn(5);
  EXPECT_EQ(Members(), "n0 new ");
  MakeEqual(1);
  Turn(3);
  Reply(1, "+PONG\r\n");
  Turn(3);
  EXPECT_TRUE(membership_->settled());
  EXPECT_EQ(Members(), "new ");
}

TEST_F(MembershipTest, APlaceIsUsedAgain) {
  Begin(2);
  for (int round = 0; round < 40; ++round) {
    const std::string name = "x" + std::to_string(round);
    Want({"n0", "n1", name});
    Turn(3);
    ASSERT_TRUE(membership_->settled());
    Want({"n0", "n1"});
    Turn(3);
    ASSERT_TRUE(membership_->settled()) << membership_->Outstanding();
  }
  EXPECT_EQ(Members(), "n0 n1 ");
  EXPECT_EQ(added_.back(), 2u);
  EXPECT_EQ(shard_->copy_count(), 3u);
}

TEST_F(MembershipTest, ForcedAwayFromALostPrimary) {
  Begin(1);
  Want({"new"}, /*force=*/true);
  Turn(2);
  Up(1, "r9", 0);
  LosePrimary();
  EXPECT_EQ(Members(), "new ");
  EXPECT_TRUE(membership_->settled());
}

// A reload of something else says nothing of the nodes.
TEST_F(MembershipTest, ForceHoldsForTheSameNodes) {
  Begin(1);
  Want({"new"}, /*force=*/true);
  Turn(2);
  Want({"new"});
  Turn(2);
  Up(1, "r9", 0);
  LosePrimary();
  EXPECT_EQ(Members(), "new ");
  EXPECT_TRUE(membership_->settled());
}

TEST_F(MembershipTest, ForceIsOverWhenOthersAreWanted) {
  Begin(1);
  Want({"new"}, /*force=*/true);
  Turn(2);
  Want({"new", "more"});
  Turn(2);
  Up(1, "r9", 0);
  LosePrimary();
  EXPECT_EQ(Members(), "n0 new more ");
  EXPECT_FALSE(membership_->settled());
}

TEST_F(MembershipTest, ANodeOnItsWayOutIsWantedAgain) {
  Begin(2);
  Want({"n0"});
  Turn();  // the drain waits for the primary's word
  Turn();
  Reply(0, "+PONG\r\n");
  Want({"n0", "n1"});
  Turn(80);
  EXPECT_TRUE(membership_->settled());
  EXPECT_EQ(Members(), "n0 n1 ");
  EXPECT_FALSE(Durable().copies[1].drained());
}

TEST_F(MembershipTest, AStaleNodeOnItsWayOutIsWantedAgain) {
  Begin(2);
  Want({"n0", "n1", "new"});
  Turn(3);
  Want({"n0", "n1"});
  membership_->Tick(now_ms_ += 10);
  Want({"n0", "n1", "new"});
  Turn(80);
  EXPECT_TRUE(membership_->settled());
  ASSERT_EQ(Members(), "n0 n1 new ");
  EXPECT_FALSE(Durable().copies[2].drained());
}

// It was stale for another reason before it was drained to leave.
TEST_F(MembershipTest, ANodeThatWasStaleBeforeItWasToLeaveIsWantedAgain) {
  for (const DrainedBy drained_by : {DrainedBy::kConfig, DrainedBy::kOperator}) {
    Begin(2);
    const std::string node = Durable().copies[1].node;
    shard_->edits().ProposeOrder({EditKind::kMarkStale, "a", node, {}, "a resync"},
                                 [](const EditResult&) {});
    RunEdits();
    Edit drain{EditKind::kDrain, "a", node, {}, "it leaves the shard"};
    drain.drained_by = drained_by;
    shard_->edits().ProposeOrder(drain, [](const EditResult&) {});
    RunEdits();
    ASSERT_TRUE(Durable().copies[1].drained());
    ASSERT_EQ(Durable().copies[1].reason, "a resync");
    Want({"n0", "n1"});
    Turn(80);
    EXPECT_TRUE(membership_->settled());
    EXPECT_EQ(Durable().copies[1].drained(), drained_by == DrainedBy::kOperator);
    membership_.reset();
  }
}

TEST_F(MembershipTest, ARemovalThatWasGivenUpButIsDurableIsSeen) {
  Begin(2);
  Want({"n0", "n1", "new"});
  Turn(3);
  Want({"n0", "n1"});
  // The disk takes longer than the order may.
  for (int i = 0; i < 700; ++i) {
    now_ms_ += 10;
    shard_->Tick(now_ms_, 0);
    membership_->Tick(now_ms_);
  }
  EXPECT_EQ(removed_, std::vector<uint32_t>{});
  Turn(80);
  EXPECT_EQ(Members(), "n0 n1 ");
  EXPECT_EQ(removed_, std::vector<uint32_t>{2});
  EXPECT_TRUE(membership_->settled()) << membership_->Outstanding();
}

TEST_F(MembershipTest, AnEditThatEndsAfterTheShardIsNotHeard) {
  Begin(2);
  Want({"n0", "n1", "new"});
  Turn(3);
  Up(2, "r9");
  bool heard = false;
  shard_->ports().resync.Pause(
      [&] { shard_->ports().resync.ProposeInSync(2, [&](bool) { heard = true; }); });
  membership_.reset();
  shard_->Stop();
  shard_.reset();
  RunEdits();
  EXPECT_FALSE(heard);
}

TEST_F(MembershipTest, ADiskThatFailsIsToldOnceAndTriedAgain) {
  Begin(2);
  Want({"n0", "n1", "new"});
  membership_->Tick(now_ms_ += 10);
  RunEdits(false);
  EXPECT_FALSE(membership_->settled());
  EXPECT_EQ(Members(), "n0 n1 ");
  Turn(100);
  EXPECT_EQ(Members(), "n0 n1 new ");
}

TEST_F(MembershipTest, ANodeThatHasNoRoomDoesNotHoldUpTheShard) {
  Begin(kMaxCopies);
  std::vector<std::string> names;
  for (uint32_t i = 0; i < kMaxCopies; ++i) names.push_back("n" + std::to_string(i));
  names.push_back("new");
  Want(names);
  Turn(3);
  ASSERT_EQ(Durable().copies.size(), size_t{kMaxCopies} + 1);
  EXPECT_FALSE(membership_->settled());
  Lose(1, true);
  Turn(3);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale) << notes_;
}

// Another shard has the node still, and may wait for the one that leaves here.
TEST_F(MembershipTest, WhatLeavesDoesNotWaitForANodeThatAnotherShardHas) {
  Begin(2);
  Topology shared = *queue_->current();
  ShardInfo& other = shared.shards.emplace_back();
  other.name = "b";
  other.copies.push_back({"m0", CopyState::kInSync, "q0", ""});
  other.copies.push_back({"m1", CopyState::kInSync, "q1", ""});
  queue_ = std::make_unique<EditQueue>(std::make_shared<const Topology>(shared));
  Want({"m1", "n1"});
  for (int i = 0; i < 60; ++i) {
    Turn(2);
    for (uint32_t copy = 0; copy < 2; ++copy) {
      if (shard_->link(copy)->up() && Sent(copy) == Command({"PING"})) Reply(copy, "+PONG\r\n");
    }
  }
  EXPECT_EQ(Members(), "n1 ");
  EXPECT_FALSE(membership_->settled());
  EXPECT_EQ(membership_->Outstanding(), "m1 comes");
  // The other one lets it go.
  bool gone = false;
  Propose({EditKind::kRemoveCopy, "b", "m1", {}, "it leaves"},
          [&](const EditResult& result) { gone = result.ok; });
  RunEdits();
  ASSERT_TRUE(gone);
  Turn(100);
  EXPECT_TRUE(membership_->settled());
  EXPECT_EQ(Members(), "n1 m1 ");
}

}  // namespace
}  // namespace gemel::membership_test
