// What gemel sets on the nodes of a shard, and what of that is durable.

#include "tests/unit/node_settings_world.h"

namespace gemel::node_settings_test {
namespace {

class NodeSettingsTest : public NodeSettingsWorld {};

TEST_F(NodeSettingsTest, SetsWhatLacksAndKeepsWhatWasThere) {
  nodes_ = {{}, {}};
  nodes_[1].events = "K$";
  Begin();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(nodes_[0].events, "xeE");
  EXPECT_EQ(nodes_[1].events, "$xeKE");
  EXPECT_EQ(Kept(0), (List{{"notify-keyspace-events", "", "xeE", ""}}));
  EXPECT_EQ(Kept(1), (List{{"maxmemory", kEight, kNine, ""},
                           {"notify-keyspace-events", "$K", "$xeKE", ""}}));
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes,
                  "shard 'a': n1 has maxmemory '9437184' now (its own: '8388608'), so that "
                  "it follows the primary and evicts nothing of its own\n"),
            1u)
      << notes;
  EXPECT_EQ(Count(notes,
                  "shard 'a': n0 has notify-keyspace-events 'xeE' now (its own: ''), so "
                  "that it tells of keys that it expires and evicts\n"),
            1u)
      << notes;
  EXPECT_EQ(Report(1, "maxmemory"), kNine);
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  EXPECT_EQ(Report(1, "maxmemory_policy"), "allkeys-lru");
  EXPECT_EQ(Report(1, "notifications"), "on");
  EXPECT_EQ(Report(1, "settings"), "");
}

TEST_F(NodeSettingsTest, ASteadyShardMakesNoEditsAndIsReadOnceASecond) {
  Begin();
  Settle();
  Sets();
  Edits();
  Notes();
  asked_of_.clear();
  Turn(500);  // 10 s
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Edits(), "");
  EXPECT_EQ(Notes(), "");
  EXPECT_GE(asked_of_[0], 8u);
  EXPECT_LE(asked_of_[0], 10u);
}

TEST_F(NodeSettingsTest, WhatNeedsNothingIsNotTouched) {
  nodes_ = {{}, {}};
  nodes_[0].events = "KEA";
  nodes_[1].events = "Exe";
  nodes_[1].maxmemory = "0";
  Begin();
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Edits(), "");
  EXPECT_EQ(Notes(), "");
  EXPECT_TRUE(settings_->Notifies(0) && settings_->Notifies(1));
}

TEST_F(NodeSettingsTest, NothingIsSetBeforeItsOwnIsDurable) {
  saves_ = false;
  Begin();
  Settle();
  EXPECT_EQ(Sets(), "");
  saves_ = true;
  disk_ok_ = false;
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_TRUE(Kept(1).empty());
  disk_ok_ = true;
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(nodes_[1].events, "xeE");
}

TEST_F(NodeSettingsTest, TheLeastOfTheLimitsIsThePrimarys) {
  nodes_ = {{}, {}};
  nodes_[0].maxmemory = kSixteen;
  Begin();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(Count(Notes(),
                  "n0 has maxmemory '8388608' now (its own: '16777216'), for n1 may use "
                  "no more, and the least limit is the shard's"),
            1u);
  EXPECT_EQ(Report(0, "maxmemory_own"), kSixteen);
}

TEST_F(NodeSettingsTest, APromotionTurnsTheLimitsRound) {
  Begin();
  Settle();
  Lose(0, /*refused=*/true);
  Settle();
  ASSERT_EQ(shard_->info().primary, 1u);
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  EXPECT_EQ(Kept(1), (List{{"notify-keyspace-events", "", "xeE", ""}}));
  EXPECT_EQ(Report(0, "notifications"), "unknown");
  Back(0, "r0");
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kNine);
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
}

TEST_F(NodeSettingsTest, TheLimitStaysWhereTheLeastIsAway) {
  nodes_ = {{}, {}, {}};
  nodes_[0].maxmemory = nodes_[1].maxmemory = kSixteen;
  Begin(3);
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  Lose(2, true);
  Settle();
  ASSERT_EQ(Durable().copies[2].state, CopyState::kStale);
  Turn(1000);
  EXPECT_EQ(nodes_[0].maxmemory, kEight) << "it will be back";
  EXPECT_EQ(nodes_[1].maxmemory, kSixteen);
}

TEST_F(NodeSettingsTest, WhatAnOperatorSetsIsItsOwnFromThenOn) {
  Begin();
  Settle();
  Notes();
  nodes_[1].maxmemory = kSixteen;
  nodes_[1].events = "Kg";
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kSixteen);
  EXPECT_EQ(nodes_[1].events, "gxeKE");
  EXPECT_EQ(Kept(1), (List{{"notify-keyspace-events", "gK", "gxeKE", ""}}));
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes, "n1 has a maxmemory of its own of '16777216' now, no more '8388608'"), 1u)
      << notes;
  // Less than the primary has: the shard's is that.
  nodes_[1].maxmemory = "4194304";
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "4194304");
  EXPECT_EQ(nodes_[1].maxmemory, "5242880");
  EXPECT_EQ(Kept(0)[0], (NodeSetting{"maxmemory", kEight, "4194304", ""}));
  // What gemel once set, and has not for long, is an operator's, too.
  nodes_[1].maxmemory = kNine;
  Settle();
  EXPECT_EQ(Report(1, "maxmemory_own"), kNine);
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
}

TEST_F(NodeSettingsTest, ARestartedNodeHasWhatItsFileSays) {
  Begin();
  Settle();
  Lose(1);
  nodes_[1].events = "Kx";
  nodes_[1].maxmemory = "6291456";
  Back(1, "another");
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "6291456");
  EXPECT_EQ(nodes_[1].maxmemory, "7340032");
  EXPECT_EQ(nodes_[1].events, "xeKE");
  EXPECT_EQ(Report(1, "maxmemory_own"), "6291456");
}

// With what it has come back by, nobody is told what to do.
TEST_F(NodeSettingsTest, WhereNothingIsEvictedALimitSetSinceACopyLeftCountsOnceItIsBack) {
  nodes_.resize(2);
  for (ModelNode& node : nodes_) node.maxmemory = "0", node.policy = "noeviction";
  Begin();
  Settle();
  Lose(1);
  nodes_[1].maxmemory = "1";
  Back(1, "another");
  Settle();
  ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(nodes_[0].maxmemory, "0");
  EXPECT_EQ(nodes_[1].maxmemory, "1") << "and it keeps it";
}

// Nor by the next gemel, which hears it for the first time.
TEST_F(NodeSettingsTest, WhereNothingIsEvictedTheLimitOfAStaleCopyDoesNotCount) {
  nodes_.resize(2);
  for (ModelNode& node : nodes_) node.maxmemory = "0", node.policy = "noeviction";
  Begin();
  Settle();
  Lose(1);
  Back(1, "another");
  Settle();
  ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
  nodes_[1].maxmemory = "1";
  NewGemel();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "0");
  EXPECT_FALSE(settings_->RefusesWhenFull(0));
}

// As little, if that was a moment's mistake while the first gemel came.
TEST_F(NodeSettingsTest, WhereNothingIsEvictedTheFirstLimitOfACopyCountsOnceItWasReadTwice) {
  for (const bool mistake : {true, false}) {
    nodes_.assign(2, {});
    for (ModelNode& node : nodes_) node.maxmemory = kSixteen, node.policy = "noeviction";
    nodes_[1].maxmemory = kEight;
    settings_.reset();
    shard_.reset();
    transports_.clear();
    Begin();
    for (int i = 0; i < 200 && Report(1, "maxmemory_own") != kEight; ++i) Turn();
    EXPECT_EQ(nodes_[0].maxmemory, kSixteen);
    EXPECT_TRUE(settings_->RefusesWhenFull(0)) << "its own";
    if (mistake) nodes_[1].maxmemory = kSixteen;
    Turn(15);
    EXPECT_EQ(nodes_[0].maxmemory, mistake ? kSixteen : kEight);
  }
}

// What the last gemel had made of it stays as it is meanwhile.
TEST_F(NodeSettingsTest, TheNextGemelDoesNotRaiseALimitThatItHasNotReadTwice) {
  nodes_.assign(2, {});
  for (ModelNode& node : nodes_) node.maxmemory = kSixteen, node.policy = "noeviction";
  nodes_[1].maxmemory = kEight;
  Begin();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  Sets();
  NewGemel();
  Settle();
  EXPECT_EQ(Sets(), "");
}

TEST_F(NodeSettingsTest, WhereNothingIsEvictedALowerLimitCountsOnceItWasReadTwice) {
  nodes_.resize(2);
  for (ModelNode& node : nodes_) node.maxmemory = "0", node.policy = "noeviction";
  Begin();
  Settle();
  nodes_[1].maxmemory = "1048576";
  for (int i = 0; i < 200 && settings_->Report(1)[1].second != "1048576"; ++i) Turn();
  EXPECT_EQ(Report(1, "maxmemory_own"), "1048576");
  EXPECT_EQ(nodes_[0].maxmemory, "0") << "it may be a moment's mistake";
  EXPECT_FALSE(settings_->RefusesWhenFull(1));
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "1048576");
  EXPECT_TRUE(settings_->RefusesWhenFull(0));
  EXPECT_TRUE(settings_->RefusesWhenFull(1));
  nodes_[1].maxmemory = "0";
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "0");
  EXPECT_FALSE(settings_->RefusesWhenFull(0));
}

TEST_F(NodeSettingsTest, WhoIsShortOfMemoryKeepsNoLatencies) {
  nodes_.resize(2);
  nodes_[0].latency = nodes_[1].latency = "yes";
  nodes_[1].maxmemory = "0";
  nodes_[0].policy = nodes_[1].policy = "noeviction";
  Begin();
  EXPECT_TRUE(settings_->working());
  Settle();
  EXPECT_FALSE(settings_->working());
  EXPECT_EQ(nodes_[0].latency, "no");
  EXPECT_EQ(nodes_[1].latency, "yes") << "it has no limit";
  EXPECT_EQ(settings_->TakeBack(0).back(),
            (NodeSettings::Command{"CONFIG", "SET", "latency-tracking", "yes"}));
  nodes_[0].maxmemory = "1073741824";
  Settle();
  EXPECT_EQ(nodes_[0].latency, "yes") << "it has enough";
}

TEST_F(NodeSettingsTest, TheNextGemelKnowsWhatIsTheirOwn) {
  Begin();
  Settle();
  Sets();
  Edits();
  Notes();
  NewGemel();
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Edits(), "");
  EXPECT_EQ(Notes(), "");
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  config_ = {false, false};
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].events, "");
}

// It dies at each moment between an edit and what follows from it.
TEST_F(NodeSettingsTest, AGemelThatIsKilledForgetsNothing) {
  nodes_ = {{}, {}};
  Begin();
  // The first time.
  for (ModelNode& node : nodes_) node.keeps = false;
  Settle();
  ASSERT_FALSE(Kept(1).empty());
  for (ModelNode& node : nodes_) node.keeps = true;
  NewGemel();
  Settle();
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  // A change of what is set: the node still has what was set before.
  nodes_[1].keeps = false;
  nodes_[0].maxmemory = "7864320";
  Settle();
  ASSERT_EQ(Kept(1)[0], (NodeSetting{"maxmemory", kEight, "8912896", kNine}));
  ASSERT_EQ(nodes_[1].maxmemory, kNine);
  nodes_[1].keeps = true;
  NewGemel();
  Settle();
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  EXPECT_EQ(nodes_[1].maxmemory, "8912896");
  // And when it is taken back.
  nodes_[1].keeps = false;
  config_.set_limits = false;
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(Kept(1)[0].own, kEight);
  nodes_[1].keeps = true;
  NewGemel();
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
}

}  // namespace
}  // namespace gemel::node_settings_test
