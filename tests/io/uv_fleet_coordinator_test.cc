// Two members' coordinators, each on a thread of its own, over registers that both share.

#include "backend/uv/uv_fleet_coordinator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/uv/uv_boot_clock.h"
#include "backend/uv/uv_timer.h"
#include "tests/io/loop_fixture.h"
#include "tests/members_world.h"

namespace gemel::uv_fleet_coordinator_test {
namespace {

// What all members' registers are. Any thread.
struct Store {
  std::mutex mutex;
  std::map<std::string, RegisterValue> all;
  bool broken = false;  // nobody is answered but that it cannot be reached
};

class SharedRegisters : public Registers {
 public:
  SharedRegisters(uv_loop_t* loop, std::shared_ptr<Store> store)
      : store_(std::move(store)), timer_(loop, [this] {
          for (const auto& answer : std::exchange(answers_, {})) answer();
        }) {}
  void Read(const std::string& name, ReadDone done) override {
    const std::lock_guard lock(store_->mutex);
    const RegisterValue value = store_->broken ? RegisterValue() : store_->all[name];
    Answer([done, value, outcome = Outcome()] { done(outcome, value); });
  }
  void List(const std::string& prefix, ListDone done) override {
    const std::lock_guard lock(store_->mutex);
    std::vector<NamedRegister> all;
    for (const auto& [name, value] : store_->all) {
      if (name.starts_with(prefix) && value.version > 0) all.push_back({name, value});
    }
    if (store_->broken) all.clear();
    Answer([done, all, outcome = Outcome()] { done(outcome, all); });
  }
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override {
    const std::lock_guard lock(store_->mutex);
    RegisterOutcome outcome = Outcome();
    RegisterValue& value = store_->all[name];
    if (outcome == RegisterOutcome::kDone && value.version != expected) {
      outcome = RegisterOutcome::kConflict;
    }
    if (outcome == RegisterOutcome::kDone) value = {text, value.version + 1};
    Answer([done, outcome, version = value.version] { done(outcome, version); });
  }
  void set_on_change(std::function<void()>) override {}
  std::string place() const override { return "a test"; }
  std::string trouble() const override { return {}; }

 private:
  RegisterOutcome Outcome() const {
    return store_->broken ? RegisterOutcome::kUnreachable : RegisterOutcome::kDone;
  }
  void Answer(std::function<void()> answer) {
    answers_.push_back(std::move(answer));
    timer_.Set(1);
  }
  std::shared_ptr<Store> store_;
  std::vector<std::function<void()>> answers_;
  UvTimer timer_;
};

class UvFleetCoordinatorTest : public LoopTest {
 protected:
  // A process: its coordinator and a front on this loop.
  struct Member {
    std::unique_ptr<UvFleetCoordinator> coordinator;
    std::unique_ptr<Coordinator> front;
    int told = 0;  // that leases have changed
  };
  ~UvFleetCoordinatorTest() override {
    for (Member& member : members_) member.coordinator.reset();
  }

  UvFleetCoordinator::Options OptionsOf(const std::string& name, int shards = 4) {
    UvFleetCoordinator::Options options;
    // Long, for a test machine may be busy.
    options.life = {name, "addr-" + name, 1500, false};
    options.open = [store = store_](uv_loop_t* loop, std::string*) {
      return std::make_unique<SharedRegisters>(loop, store);
    };
    options.founding = {"id-" + name, {members_world::Founded(shards)}};
    options.patience_ms = 300;
    options.note = [](NoteLevel, const std::string&) {};
    return options;
  }
  Member& Join(const std::string& name) {
    std::string error;
    Member& member = members_.emplace_back();
    member.coordinator = UvFleetCoordinator::Open(OptionsOf(name), &error);
    EXPECT_NE(member.coordinator, nullptr) << error;
    // Answers come on the coordinator's own thread, and wait here for this one.
    member.front = member.coordinator->FrontFor([this](std::function<void()> task) {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    });
    member.front->set_on_leases([told = &member.told] { ++*told; });
    member.coordinator->Start(&loop_);
    return member;
  }
  bool Until(const std::function<bool()>& condition) {
    return RunUntil([&] {
      std::vector<std::function<void()>> tasks;
      {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
      }
      for (const auto& task : tasks) task();
      return condition();
    });
  }
  static size_t Owned(const Member& member) {
    size_t owned = 0;
    for (const ShardInfo& shard : member.coordinator->current()->shards) {
      owned += member.front->LeaseOf(shard.name).mine ? 1 : 0;
    }
    return owned;
  }
  static void GiveLeaving(const Member& member) {
    for (const ShardInfo& shard : member.coordinator->current()->shards) {
      const ShardLease lease = member.front->LeaseOf(shard.name);
      if (lease.leaving) member.front->Give(shard.name, lease.epoch, /*clean=*/true);
    }
  }
  EditResult Ask(const Member& member, Edit edit) {
    std::optional<EditResult> result;
    member.front->Propose(std::move(edit), [&](const EditResult& r) { result = r; });
    EXPECT_FALSE(result) << "answered inside Propose";
    EXPECT_TRUE(Until([&] { return result.has_value(); }));
    return result.value_or(EditResult());
  }

  std::shared_ptr<Store> store_ = std::make_shared<Store>();
  std::deque<Member> members_;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
};

TEST_F(UvFleetCoordinatorTest, ShardsAreOwnedAndMoveToWhoJoins) {
  Member& first = Join("m1");
  EXPECT_EQ(first.coordinator->current()->shards.size(), 4U) << "known before it joins";
  ASSERT_TRUE(Until([&] { return Owned(first) == 4; }));
  EXPECT_GT(first.told, 0);
  EXPECT_GT(first.front->LeasesUntilMs(), BootMs());
  Member& second = Join("m2");
  EXPECT_EQ(second.coordinator->fleet_id(), "id-m1");
  ASSERT_TRUE(Until([&] {
    GiveLeaving(first);
    return Owned(first) == 2 && Owned(second) == 2;
  }));
  for (const ShardInfo& shard : first.coordinator->current()->shards) {
    const ShardLease here = first.front->LeaseOf(shard.name);
    const ShardLease there = second.front->LeaseOf(shard.name);
    EXPECT_NE(here.mine, there.mine);
    EXPECT_EQ(there.mine ? here.address : there.address, there.mine ? "addr-m2" : "addr-m1");
  }
  const FleetStatus status = second.coordinator->Status();
  EXPECT_EQ(status.self, "m2");
  ASSERT_EQ(status.members.size(), 2U);
  EXPECT_EQ(status.members[0].shards, 2U);
}

TEST_F(UvFleetCoordinatorTest, TheOwnerEditsAndAllAreTold) {
  Member& first = Join("m1");
  Member& second = Join("m2");
  ASSERT_TRUE(Until([&] {
    GiveLeaving(first);
    return Owned(first) == 2 && Owned(second) == 2;
  }));
  const bool mine = first.front->LeaseOf("s0").mine;
  const Member& owner = mine ? first : second;
  const Member& other = mine ? second : first;
  bool told = false;
  other.front->Watch([&](const std::shared_ptr<const Topology>& now) {
    told = now->shards[0].copies[1].state == CopyState::kStale;
  });
  const Edit stale{EditKind::kMarkStale, "s0", "s0-2", "", "a test"};
  EXPECT_FALSE(Ask(other, stale).ok);
  const EditResult result = Ask(owner, stale);
  EXPECT_TRUE(result.ok) << result.error;
  EXPECT_EQ(result.topology, owner.front->current());
  EXPECT_TRUE(Until([&] { return told; }));
}

// A thread that stood still serves yet what it had before, and others may have that now.
TEST_F(UvFleetCoordinatorTest, WhoWasNotToldThatAllWasLostHoldsNothing) {
  Member& member = Join("m1");
  ASSERT_TRUE(Until([&] { return Owned(member) == 4; }));
  const auto set_broken = [&](bool broken) {
    const std::lock_guard lock(store_->mutex);
    store_->broken = broken;
  };
  set_broken(true);
  ASSERT_TRUE(RunUntil([&] { return Owned(member) == 0; }));
  set_broken(false);
  ASSERT_TRUE(RunUntil([&] { return Owned(member) == 4; }));
  EXPECT_EQ(member.front->LeasesUntilMs(), 0U);
  EXPECT_TRUE(Until([&] { return member.front->LeasesUntilMs() > BootMs(); }));
}

TEST_F(UvFleetCoordinatorTest, WhoLeavesInOrderLeavesAllInSync) {
  Member& first = Join("m1");
  Member& second = Join("m2");
  ASSERT_TRUE(Until([&] {
    GiveLeaving(first);
    return Owned(first) == 2 && Owned(second) == 2;
  }));
  bool left = false;
  first.coordinator->Leave([&] { left = true; });
  ASSERT_TRUE(Until([&] {
    GiveLeaving(first);
    return left;
  }));
  EXPECT_EQ(Owned(first), 0U);
  std::optional<EditResult> closed;
  first.coordinator->Close(true, [&](const EditResult& result) { closed = result; });
  ASSERT_TRUE(Until([&] { return closed.has_value(); }));
  EXPECT_TRUE(closed->ok) << closed->error;
  EXPECT_FALSE(Ask(first, {EditKind::kMarkStale, "s0", "s0-2", "", ""}).ok);
  ASSERT_TRUE(Until([&] { return Owned(second) == 4; }));
  for (const ShardInfo& shard : second.coordinator->current()->shards) {
    EXPECT_EQ(shard.copies[1].state, CopyState::kInSync) << shard.name;
  }
}

TEST_F(UvFleetCoordinatorTest, WhatDoesNotFitTheFleetIsRefused) {
  Join("m1");
  std::string error;
  EXPECT_EQ(UvFleetCoordinator::Open(OptionsOf("m2", 5), &error), nullptr);
  EXPECT_NE(error.find("the fleet has no shard \"s4\""), std::string::npos) << error;
}

TEST_F(UvFleetCoordinatorTest, RegistersThatCannotBeReachedAreSaid) {
  store_->broken = true;
  std::string error;
  EXPECT_EQ(UvFleetCoordinator::Open(OptionsOf("m1"), &error), nullptr);
  EXPECT_EQ(error, "a test cannot be reached");
}

}  // namespace
}  // namespace gemel::uv_fleet_coordinator_test
