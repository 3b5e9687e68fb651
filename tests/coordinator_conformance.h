// What every coordinator must keep to. Include it, write a harness, and instantiate:
//
//   struct MyHarness {
//     void Make(const Topology& initial);             // a new life, with that in effect
//     CoordinatorService* service();
//     CoordinatorService::PostBack Post();            // closures that Turn runs
//     bool TurnUntil(std::function<bool()> condition);
//     void End();                                     // without Close, as a crash
//     std::optional<Topology> Kept();                 // what a new life would find; after End
//     void set_broken(bool broken);                   // nothing can be made durable
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Mine, CoordinatorConformance, MyHarness);

#ifndef GEMEL_TESTS_COORDINATOR_CONFORMANCE_H_
#define GEMEL_TESTS_COORDINATOR_CONFORMANCE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/topology/coordinator.h"

namespace gemel::conformance {

inline std::vector<ShardMembers> TestMembers() {
  return {{"a", {"a1", "a2"}}, {"b", {"b1", "b2"}}};
}

// Shards "a" and "b" of two copies in sync.
inline Topology TestTopology() {
  std::string error;
  Topology topology = *InitialTopology(TestMembers(), nullptr, &error);
  for (const char* node : {"a2", "b2"}) {
    ApplyTo(&topology, {EditKind::kMarkInSync, std::string(1, *node), node, "run", ""}, &error);
  }
  return topology;
}

inline Edit StaleEdit(const std::string& shard = "a") {
  return {EditKind::kMarkStale, shard, shard + "2", "", "a test"};
}
inline Edit InSyncEdit(const std::string& shard = "a") {
  return {EditKind::kMarkInSync, shard, shard + "2", "run", ""};
}
inline bool IsStale(const Topology& topology, const std::string& shard = "a") {
  const int index = topology.IndexOf(shard);
  return topology.shards[static_cast<size_t>(index)].copies[1].state == CopyState::kStale;
}

template <typename Harness>
class CoordinatorConformance : public ::testing::Test {
 protected:
  CoordinatorConformance() { Begin(TestTopology()); }

  void Begin(const Topology& initial) {
    harness_.Make(initial);
    front_ = harness_.service()->FrontFor(harness_.Post());
  }
  EditDone Keep() {
    return [this](const EditResult& result) { results_.push_back(result); };
  }
  bool Answered(size_t count) {
    return harness_.TurnUntil([&] { return results_.size() >= count; });
  }
  EditResult Ask(Edit edit, Coordinator* front = nullptr) {
    std::optional<EditResult> result;
    (front == nullptr ? front_.get() : front)->Propose(std::move(edit), [&](const EditResult& r) {
      result = r;
    });
    EXPECT_FALSE(result) << "answered inside Propose";
    EXPECT_TRUE(harness_.TurnUntil([&] { return result.has_value(); }));
    return result.value_or(EditResult{false, "not answered", front_->current()});
  }
  EditResult Close(bool clean) {
    std::optional<EditResult> closed;
    harness_.service()->Close(clean, [&](const EditResult& result) { closed = result; });
    EXPECT_FALSE(closed) << "answered inside Close";
    EXPECT_TRUE(harness_.TurnUntil([&] { return closed.has_value(); }));
    return closed.value_or(EditResult());
  }
  Coordinator::Watcher Note(std::vector<uint64_t>* epochs) {
    return [epochs](const std::shared_ptr<const Topology>& topology) {
      epochs->push_back(topology->epoch);
    };
  }

  Harness harness_;
  std::unique_ptr<Coordinator> front_;
  std::vector<EditResult> results_;
};

TYPED_TEST_SUITE_P(CoordinatorConformance);

TYPED_TEST_P(CoordinatorConformance, AnEditIsDurableBeforeItIsAnswered) {
  const EditResult result = this->Ask(StaleEdit());
  EXPECT_TRUE(result.ok) << result.error;
  EXPECT_TRUE(IsStale(*result.topology));
  EXPECT_EQ(this->front_->current(), result.topology);
  EXPECT_EQ(this->harness_.service()->current(), result.topology);
  this->harness_.End();
  const std::optional<Topology> kept = this->harness_.Kept();
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, *result.topology);
}

TYPED_TEST_P(CoordinatorConformance, AnIllegalEditIsRefusedBySentenceAndAlone) {
  const auto before = this->front_->current();
  const EditResult refused = this->Ask({EditKind::kMarkStale, "a", "a1", "", "why"});
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.error, "a1 of shard \"a\" is the primary, which cannot be stale");
  EXPECT_EQ(*refused.topology, *before);
  this->front_->Propose({EditKind::kMarkStale, "c", "c1", "", "why"}, this->Keep());
  this->front_->Propose(StaleEdit(), this->Keep());
  ASSERT_TRUE(this->Answered(2));
  EXPECT_FALSE(this->results_[0].ok);
  EXPECT_TRUE(this->results_[1].ok);
}

TYPED_TEST_P(CoordinatorConformance, EditsTakeEffectInTheirOrder) {
  constexpr size_t kEdits = 50;
  for (size_t i = 0; i < kEdits; ++i) {
    this->front_->Propose(i % 2 == 0 ? StaleEdit() : InSyncEdit(),
                          [this, i](const EditResult& result) {
                            EXPECT_EQ(this->results_.size(), i);
                            this->results_.push_back(result);
                          });
  }
  ASSERT_TRUE(this->Answered(kEdits));
  for (const EditResult& result : this->results_) EXPECT_TRUE(result.ok) << result.error;
  EXPECT_FALSE(IsStale(*this->front_->current()));
  EXPECT_EQ(this->front_->current()->epoch, TestTopology().epoch + kEdits);
}

TYPED_TEST_P(CoordinatorConformance, AnAnswerMayProposeTheNext) {
  int left = 10;
  EditDone next = [&](const EditResult& result) {
    EXPECT_TRUE(result.ok) << result.error;
    if (--left > 0) this->front_->Propose(left % 2 == 0 ? StaleEdit() : InSyncEdit(), next);
  };
  this->front_->Propose(StaleEdit(), next);
  EXPECT_TRUE(this->harness_.TurnUntil([&] { return left == 0; }));
}

TYPED_TEST_P(CoordinatorConformance, WhatCannotBeMadeDurableIsNotInEffect) {
  std::vector<uint64_t> epochs;
  this->front_->Watch(this->Note(&epochs));
  const auto before = this->front_->current();
  this->harness_.set_broken(true);
  const EditResult failed = this->Ask(StaleEdit());
  EXPECT_FALSE(failed.ok);
  EXPECT_FALSE(failed.error.empty());
  EXPECT_EQ(*failed.topology, *before);
  EXPECT_EQ(*this->front_->current(), *before);
  EXPECT_TRUE(epochs.empty());
  this->harness_.set_broken(false);
  EXPECT_TRUE(this->Ask(StaleEdit()).ok);
}

TYPED_TEST_P(CoordinatorConformance, WatchersAreToldOfWhatOthersChange) {
  const std::unique_ptr<Coordinator> other =
      this->harness_.service()->FrontFor(this->harness_.Post());
  std::vector<uint64_t> epochs;
  std::vector<uint64_t> own;
  this->Ask(StaleEdit());
  this->front_->Watch(this->Note(&epochs));
  other->Watch(this->Note(&own));
  EXPECT_TRUE(epochs.empty()) << "what is in effect is not told";
  for (int i = 0; i < 4; ++i) {
    const EditResult result = this->Ask(i % 2 == 0 ? InSyncEdit() : StaleEdit(), other.get());
    ASSERT_TRUE(result.ok) << result.error;
    const uint64_t epoch = result.topology->epoch;
    ASSERT_TRUE(
        this->harness_.TurnUntil([&] { return !epochs.empty() && epochs.back() == epoch; }));
    ASSERT_TRUE(this->harness_.TurnUntil([&] { return !own.empty() && own.back() == epoch; }));
    EXPECT_EQ(this->front_->current()->epoch, epoch);
  }
  EXPECT_EQ(epochs.size(), 4U);
  EXPECT_EQ(own, epochs);
  // No change, nothing to tell.
  this->Ask(StaleEdit());
  this->Ask({EditKind::kMarkStale, "c", "", "", ""});
  this->Ask(InSyncEdit());
  ASSERT_TRUE(this->harness_.TurnUntil([&] { return epochs.size() == 5; }));
}

TYPED_TEST_P(CoordinatorConformance, AWatchEnds) {
  std::vector<uint64_t> kept;
  std::vector<uint64_t> ended;
  std::vector<uint64_t> gone;
  uint64_t itself = 0;
  int told = 0;
  const uint64_t watch = this->front_->Watch(this->Note(&ended));
  itself = this->front_->Watch([&](const std::shared_ptr<const Topology>&) {
    ++told;
    this->front_->Unwatch(itself);
  });
  this->front_->Watch(this->Note(&kept));
  std::unique_ptr<Coordinator> other = this->harness_.service()->FrontFor(this->harness_.Post());
  other->Watch(this->Note(&gone));
  // In the answer: what is to be told of it is on its way.
  this->front_->Propose(StaleEdit(), [&](const EditResult&) {
    this->front_->Unwatch(watch);
    other.reset();
  });
  ASSERT_TRUE(this->harness_.TurnUntil([&] { return kept.size() == 1; }));
  this->Ask(InSyncEdit());
  ASSERT_TRUE(this->harness_.TurnUntil([&] { return kept.size() == 2; }));
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(ended.empty());
  EXPECT_TRUE(gone.empty());
}

TYPED_TEST_P(CoordinatorConformance, AnEditOnOldKnowledgeIsRefused) {
  const uint64_t known = this->front_->current()->shards[0].epoch;
  Edit stale = StaleEdit();
  stale.expected = known;
  Edit promote{EditKind::kPromote, "a", "a2", "", "it was in sync when I looked"};
  promote.expected = known;
  Edit run_id{EditKind::kSetRunId, "a", "a1", "run", ""};
  Edit other = StaleEdit("b");
  other.expected = this->front_->current()->shards[1].epoch;
  for (const Edit& edit : {stale, promote, run_id, other}) {
    this->front_->Propose(edit, this->Keep());
  }
  ASSERT_TRUE(this->Answered(4));
  EXPECT_TRUE(this->results_[0].ok) << this->results_[0].error;
  EXPECT_FALSE(this->results_[1].ok);
  EXPECT_EQ(this->results_[1].error, "it was decided on epoch " + std::to_string(known) +
                                         " of shard \"a\", which is at epoch " +
                                         std::to_string(known + 1) + " now");
  EXPECT_TRUE(this->results_[2].ok) << "right whatever the epoch is";
  EXPECT_TRUE(this->results_[3].ok) << "another shard";
}

TYPED_TEST_P(CoordinatorConformance, ShardsAreOwnedUntilTheEndAndTheEpochFences) {
  const ShardLease first = this->front_->LeaseOf("a");
  EXPECT_TRUE(first.mine);
  EXPECT_FALSE(first.owner.empty());
  EXPECT_GT(first.epoch, 0U);
  EXPECT_GT(first.until_ms, 0U);
  const ShardLease nobody = this->front_->LeaseOf("c");
  EXPECT_FALSE(nobody.mine);
  EXPECT_TRUE(nobody.owner.empty());
  // Edits do not change the owner.
  ASSERT_TRUE(this->Ask({EditKind::kOpen, "", "", "", ""}).ok);
  ASSERT_TRUE(this->Ask(StaleEdit()).ok);
  EXPECT_EQ(this->front_->LeaseOf("a").epoch, first.epoch);

  uint64_t epoch = first.epoch;
  for (const bool clean : {false, true}) {
    if (clean) {
      EXPECT_TRUE(this->Close(true).ok);
      EXPECT_FALSE(this->front_->LeaseOf("a").mine);
    }
    this->harness_.End();
    EXPECT_FALSE(this->front_->LeaseOf("a").mine);
    const std::optional<Topology> kept = this->harness_.Kept();
    ASSERT_TRUE(kept);
    std::string error;
    this->Begin(*InitialTopology(TestMembers(), &*kept, &error));
    EXPECT_GT(this->front_->LeaseOf("a").epoch, epoch);
    epoch = this->front_->LeaseOf("a").epoch;
    ASSERT_TRUE(this->Ask({EditKind::kOpen, "", "", "", ""}).ok);
  }
}

TYPED_TEST_P(CoordinatorConformance, AnEncodedEditIsTheSameEdit) {
  Topology expected = *this->front_->current();
  Edit ring{EditKind::kSetRing, "", "", "", ""};
  ring.spec = {0, 8, "{}", {{"a", 1}, {"b", 2}}};
  Edit swept{EditKind::kSwept, "b", "", "", ""};
  swept.ring = 1;
  Edit drain{EditKind::kDrain, "b", "b2", "", "it leaves"};
  drain.drained_by = DrainedBy::kConfig;
  Edit settings{EditKind::kKeepSettings, "a", "a1", "", "its limit"};
  settings.settings = {{"maxmemory", "8388608", "9437184", ""},
                       {"notify-keyspace-events", "", "xeE", "\x01 any \xff bytes\n"}};
  const Edit edits[] = {
      {EditKind::kOpen, "", "", "", ""},
      StaleEdit(),
      InSyncEdit(),
      {EditKind::kHandOver, "a", "a2", "", "an order"},
      {EditKind::kPromote, "a", "a1", "", "a loss"},
      {EditKind::kForcePromote, "a", "a2", "run7", "\x01 any \xff bytes\n"},
      {EditKind::kSetRunId, "a", "a2", "run8", ""},
      ring,
      swept,
      settings,
      drain,
      {EditKind::kUndrain, "b", "b2", "", ""},
      {EditKind::kAddCopy, "a", "a3", "", ""},
      {EditKind::kRemoveCopy, "a", "a1", "", ""},
      {EditKind::kAddShard, "c", "", "", "", {"c1", "c2"}},
      {EditKind::kRemoveShard, "c", "", "", ""},
      {EditKind::kClose, "", "", "", ""},
  };
  EXPECT_EQ(std::size(edits), kEditKinds);
  for (const Edit& edit : edits) {
    std::string error;
    ASSERT_TRUE(ApplyTo(&expected, edit, &error)) << error;
    std::string text;
    edit.EncodeTo(&text);
    const std::optional<Edit> decoded = Edit::DecodeFrom(text, &error);
    ASSERT_TRUE(decoded) << error;
    const EditResult result = this->Ask(*decoded);
    ASSERT_TRUE(result.ok) << result.error;
    ASSERT_EQ(*result.topology, expected) << EditKindName(edit.kind);
  }
}

TYPED_TEST_P(CoordinatorConformance, TheEndComesAfterTheResultsOfAllEdits) {
  ASSERT_TRUE(this->Ask({EditKind::kOpen, "", "", "", ""}).ok);
  std::vector<uint64_t> epochs;
  this->front_->Watch(this->Note(&epochs));
  this->front_->Propose(StaleEdit(), this->Keep());
  this->front_->Propose(InSyncEdit(), this->Keep());
  this->front_->Propose(StaleEdit("b"), this->Keep());
  const EditResult closed = this->Close(true);
  EXPECT_TRUE(closed.ok) << closed.error;
  EXPECT_TRUE(closed.topology->clean);
  EXPECT_TRUE(IsStale(*closed.topology, "b"));
  ASSERT_TRUE(this->Answered(3));
  for (const EditResult& result : this->results_) EXPECT_TRUE(result.ok) << result.error;
  const size_t told = epochs.size();
  const EditResult late = this->Ask(StaleEdit());
  EXPECT_FALSE(late.ok);
  EXPECT_EQ(late.error, "gemel is being stopped");
  EXPECT_EQ(*late.topology, *closed.topology);
  EXPECT_LE(epochs.size(), told + 1) << "the end itself may still be told";
  this->harness_.End();
  EXPECT_EQ(*this->harness_.Kept(), *closed.topology);
  // The front outlives all.
  EXPECT_EQ(*this->front_->current(), *closed.topology);
  EXPECT_EQ(this->Ask(StaleEdit()).error, "gemel is being stopped");
}

TYPED_TEST_P(CoordinatorConformance, AnEndThatIsNotCleanSaysSo) {
  ASSERT_TRUE(this->Ask({EditKind::kOpen, "", "", "", ""}).ok);
  const EditResult closed = this->Close(false);
  EXPECT_TRUE(closed.ok) << closed.error;
  EXPECT_FALSE(closed.topology->clean);
  this->harness_.End();
  EXPECT_FALSE(this->harness_.Kept()->clean);
}

TYPED_TEST_P(CoordinatorConformance, AnEndThatCannotBeMadeDurableFails) {
  ASSERT_TRUE(this->Ask({EditKind::kOpen, "", "", "", ""}).ok);
  this->harness_.set_broken(true);
  EXPECT_FALSE(this->Close(true).ok);
  this->harness_.set_broken(false);
  this->harness_.End();
  EXPECT_FALSE(this->harness_.Kept()->clean);
}

TYPED_TEST_P(CoordinatorConformance, ItSaysWhereItIs) {
  EXPECT_FALSE(this->harness_.service()->place().empty());
}

REGISTER_TYPED_TEST_SUITE_P(CoordinatorConformance, AnEditIsDurableBeforeItIsAnswered,
                            AnIllegalEditIsRefusedBySentenceAndAlone, EditsTakeEffectInTheirOrder,
                            AnAnswerMayProposeTheNext, WhatCannotBeMadeDurableIsNotInEffect,
                            WatchersAreToldOfWhatOthersChange, AWatchEnds,
                            AnEditOnOldKnowledgeIsRefused,
                            ShardsAreOwnedUntilTheEndAndTheEpochFences, AnEncodedEditIsTheSameEdit,
                            TheEndComesAfterTheResultsOfAllEdits, AnEndThatIsNotCleanSaysSo,
                            AnEndThatCannotBeMadeDurableFails, ItSaysWhereItIs);

}  // namespace gemel::conformance

#endif  // GEMEL_TESTS_COORDINATOR_CONFORMANCE_H_
