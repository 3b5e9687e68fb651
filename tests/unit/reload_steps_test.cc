// The steps of a reload, each of which may fail, or be the last that is done.

#include "proxy/reload/reload_steps.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "backend/topology/edit_queue.h"
#include "proxy/reload/reload_order.h"

namespace gemel::reload_steps_test {
namespace {

const char* const kRefusal = "refused: the change could not be made durable: no disk; ";

class ReloadStepsTest : public ::testing::Test, public ReloadSteps::Host {
 protected:
  ReloadStepsTest() {
    Topology topology;
    topology.shards.push_back({"a", 1, 0, false, 0, {{"n1", CopyState::kInSync, "r", ""}}});
    RingSpec ring;
    ring.shards.push_back({"a", 1});
    ring.id = 1;
    ring.points = 1;
    topology.rings.push_back(ring);
    queue_ = std::make_unique<EditQueue>(std::make_shared<const Topology>(topology));
  }
  // Two shards come, the ring changes and one goes.
  ReloadSteps::Plan Everything() {
    ReloadSteps::Plan plan;
    plan.cause = "a test";
    plan.added = {{"b", {"n2", "n3"}}, {"c", {"n4"}}};
    plan.ring.emplace();
    plan.ring->shards = {{"b", 1}, {"c", 1}};
    plan.ring->points = 1;
    plan.removed = {{"a", 7}};
    return plan;
  }
  // The next of the edits that wait, alone, becomes durable or not.
  void Edit(bool ok = true) {
    ASSERT_FALSE(edits_.empty());
    auto [edit, done] = std::move(edits_.front());
    edits_.pop_front();
    queue_->Add(std::move(edit), std::move(done));
    queue_->BeginWrite();
    std::vector<EditQueue::Finished> finished;
    queue_->EndWrite(ok, ok ? "" : "no disk", &finished);
    for (EditQueue::Finished& one : finished) one.done(one.result);
  }
  std::string Told() { return std::exchange(told_, {}); }
  std::string Shards() const {
    std::string names;
    for (const ShardInfo& shard : Durable()->shards) names += shard.name;
    return names;
  }

  void Propose(gemel::Edit edit, EditDone done) override {
    told_ +=
        std::string(EditKindName(edit.kind)) + (edit.shard.empty() ? "" : " " + edit.shard) + "; ";
    edits_.emplace_back(std::move(edit), std::move(done));
  }
  std::shared_ptr<const Topology> Durable() const override { return queue_->current(); }
  void MakeRings(std::shared_ptr<const Topology> topology) override {
    EXPECT_EQ(topology, Durable());
    told_ += "rings " + std::to_string(topology->rings.size()) + "; ";
  }
  void ChangeWorkers(std::shared_ptr<const Topology> topology) override {
    EXPECT_EQ(topology, Durable());
    told_ += "change; ";
  }
  void OnTakenEffect() override { told_ += "in effect; "; }
  void OnRefused(const std::string& why) override { told_ += "refused: " + why + "; "; }
  void Note(NoteLevel level, const std::string& text) override {
    notes_ += (level == NoteLevel::kWarn ? "warning: " : "") + text + "\n";
  }

  std::unique_ptr<EditQueue> queue_;
  std::deque<std::pair<gemel::Edit, EditDone>> edits_;
  std::string told_;
  std::string notes_;
  ReloadSteps steps_{this};
};

TEST_F(ReloadStepsTest, WhatConcernsTheWorkersAloneIsAtOnceTheirs) {
  steps_.Begin({"a test", {}, {}, {}});
  EXPECT_EQ(Told(), "change; ");
  EXPECT_TRUE(steps_.changing());
  steps_.OnChanged();
  EXPECT_EQ(Told(), "in effect; ");
  EXPECT_FALSE(steps_.changing());
  EXPECT_TRUE(steps_.leaving().empty());
}

TEST_F(ReloadStepsTest, ShardsThenTheRingThenTheWorkersThenWhatIsRemoved) {
  steps_.Begin(Everything());
  EXPECT_EQ(Told(), "add shard b; add shard c; ");
  Edit();
  EXPECT_EQ(Told(), "");
  Edit();
  EXPECT_EQ(Told(), "set ring; ");
  EXPECT_EQ(Durable()->shards[1].copies.size(), 2u);
  Edit();
  EXPECT_EQ(Told(), "rings 2; ");
  EXPECT_FALSE(steps_.changing());
  steps_.OnRingsMade();
  EXPECT_EQ(Told(), "change; ");
  EXPECT_EQ(steps_.leaving(), (std::vector<LeavingShard>{{"a", 7}}));
  steps_.OnChanged();
  EXPECT_EQ(Told(), "in effect; ");
  EXPECT_EQ(Shards(), "abc") << "it is still served";
  steps_.OnRetired("a");
  EXPECT_EQ(Told(), "remove shard a; ");
  EXPECT_EQ(steps_.leaving().size(), 1u);
  Edit();
  EXPECT_EQ(Shards(), "bc");
  EXPECT_TRUE(steps_.leaving().empty());
  EXPECT_EQ(notes_, "shard 'a': removed\n");
}

// One worker may be done with it before another has gone over.
TEST_F(ReloadStepsTest, AShardMayBeGoneBeforeAllHaveGoneOver) {
  steps_.Begin({"a test", {}, {}, {{"a", 7}}});
  steps_.OnRetired("a");
  Edit(false);
  EXPECT_TRUE(steps_.leaving().empty());
  steps_.OnChanged();
  EXPECT_EQ(Told(), "change; remove shard a; in effect; ");
  EXPECT_TRUE(steps_.leaving().empty()) << "it would be waited for, for ever";
  EXPECT_EQ(notes_, "warning: shard 'a': removed, but that could not be made durable: no disk\n");
}

TEST_F(ReloadStepsTest, AShardThatIsThereAlreadyIsNotAdded) {
  ReloadSteps::Plan plan = Everything();
  plan.added = {{"a", {"n1"}}};
  plan.ring.reset();
  steps_.Begin(plan);
  EXPECT_EQ(Told(), "change; ");
}

TEST_F(ReloadStepsTest, WhereNoShardCanBeAddedNothingHasChanged) {
  steps_.Begin(Everything());
  Told();
  Edit(false);
  EXPECT_EQ(Told(), "") << "the other one may still come";
  Edit(false);
  EXPECT_EQ(Told(), kRefusal);
  EXPECT_EQ(Shards(), "a");
}

// Whichever it is: what was added is taken back before the end is told.
TEST_F(ReloadStepsTest, WhereOneShardCannotBeAddedTheOtherIsTakenBack) {
  for (const bool first : {true, false}) {
    steps_.Begin(Everything());
    Told();
    Edit(first);
    Edit(!first);
    EXPECT_EQ(Told(), first ? "remove shard b; " : "remove shard c; ");
    EXPECT_EQ(Shards(), first ? "ab" : "ac");
    Edit();
    EXPECT_EQ(Told(), kRefusal);
    EXPECT_EQ(Shards(), "a");
    EXPECT_TRUE(steps_.leaving().empty());
  }
}

TEST_F(ReloadStepsTest, WhereTheRingCannotBeSetTheShardsAreTakenBack) {
  steps_.Begin(Everything());
  Edit();
  Edit();
  Told();
  Edit(false);
  EXPECT_EQ(Told(), "remove shard b; remove shard c; ");
  Edit();
  EXPECT_EQ(Told(), "");
  Edit(false);
  EXPECT_EQ(Told(), kRefusal);
  EXPECT_EQ(notes_, "warning: shard 'c' keeps its nodes until gemel is started again: no disk\n");
  EXPECT_EQ(Shards(), "ac");
  // The next one begins from what there is.
  steps_.Begin(Everything());
  EXPECT_EQ(Told(), "add shard b; ");
}

TEST_F(ReloadStepsTest, StoppedWhileShardsAreAddedItTakesNothingBack) {
  steps_.Begin(Everything());
  Edit();
  Told();
  steps_.Stop();
  Edit();
  EXPECT_EQ(Told(), "refused: " + std::string(kReloadStopped) + "; ");
  EXPECT_TRUE(edits_.empty()) << "the next start goes by the file";
}

TEST_F(ReloadStepsTest, StoppedWhileOneShardCannotBeAddedItTakesNothingBack) {
  steps_.Begin(Everything());
  Edit();
  Told();
  steps_.Stop();
  Edit(false);
  EXPECT_EQ(Told(), kRefusal);
  EXPECT_TRUE(edits_.empty());
}

TEST_F(ReloadStepsTest, StoppedWhileTheRingIsSetItDoesNotReachTheWorkers) {
  steps_.Begin(Everything());
  Edit();
  Edit();
  Told();
  steps_.Stop();
  Edit();
  EXPECT_EQ(Told(), "refused: " + std::string(kReloadStopped) + "; ");
  EXPECT_TRUE(edits_.empty());
}

TEST_F(ReloadStepsTest, StoppedWhileTheRingsAreMadeItDoesNotReachTheWorkers) {
  steps_.Begin(Everything());
  Edit();
  Edit();
  Edit();
  Told();
  steps_.Stop();
  steps_.OnRingsMade();
  EXPECT_EQ(Told(), "refused: " + std::string(kReloadStopped) + "; ");
  EXPECT_FALSE(steps_.changing());
  EXPECT_TRUE(steps_.leaving().empty());
}

TEST_F(ReloadStepsTest, StoppedWhileTheWorkersGoOverItTakesEffect) {
  steps_.Begin({"a test", {}, {}, {{"a", 7}}});
  steps_.Stop();
  EXPECT_TRUE(steps_.changing());
  steps_.OnChanged();
  EXPECT_EQ(Told(), "change; in effect; ");
  steps_.Begin({"a test", {}, {}, {}});
  EXPECT_EQ(Told(), "refused: " + std::string(kReloadStopped) + "; ");
}

TEST_F(ReloadStepsTest, StoppedWhileItIsTakenBackItEnds) {
  steps_.Begin(Everything());
  Edit();
  Edit();
  Edit(false);
  Told();
  steps_.Stop();
  Edit();
  EXPECT_EQ(Told(), "");
  Edit();
  EXPECT_EQ(Told(), kRefusal);
}

}  // namespace
}  // namespace gemel::reload_steps_test
