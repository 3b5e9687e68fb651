#include "backend/fleet/fleet_member.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/members_world.h"

namespace gemel::fleet_member_test {

using members_world::kLeaseMs;
using members_world::World;

bool IsStale(const ShardInfo& info) { return info.copies[1].state == CopyState::kStale; }

TEST(FleetMember, ShardsAreSpreadEvenlyAndMoveToWhoJoins) {
  World world(1, 3, 7);
  world.Start(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }));
  EXPECT_EQ(world.Loads()["m0"], 7U);
  world.Start(1);
  world.Start(2);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  // What was handed over in order has all writes on all copies.
  for (const auto& [name, shard] : world.at(0).member->view().shards()) {
    EXPECT_FALSE(IsStale(shard.record.info)) << name;
  }
}

TEST(FleetMember, WhoDiesIsReplacedWithItsReplicasStale) {
  World world(2, 3, 6);
  for (size_t i = 0; i < 3; ++i) world.Start(i);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  std::set<std::string> of_first;
  std::map<std::string, uint64_t> epochs;
  for (const auto& [name, shard] : world.at(0).member->view().shards()) {
    if (!world.at(0).member->LeaseOf(name).mine) continue;
    of_first.insert(name);
    epochs[name] = shard.record.owner_epoch;
  }
  const uint64_t killed_ms = world.engine().now_ms();
  world.Kill(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }));
  EXPECT_LE(world.engine().now_ms(), killed_ms + kLeaseMs * 3 / 2);
  world.RunFor(kLeaseMs);  // so that each knows what the other has taken
  for (const auto& [name, shard] : world.at(1).member->view().shards()) {
    const bool taken = of_first.contains(name);
    EXPECT_EQ(IsStale(shard.record.info), taken) << name;
    if (taken) {
      EXPECT_EQ(shard.record.info.copies[1].cause, StaleCause::kNotClean);
      EXPECT_GT(shard.record.owner_epoch, epochs[name]);
    }
  }
}

// A copy that was equal when an owner died is not known to be once the next one has served.
TEST(FleetMember, WhoGetsAShardInOrderKnowsNotWhatWasWrittenSinceADeath) {
  World world(2, 2, 6);
  world.Start(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }));
  world.Kill(0);
  world.Start(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.Loads()["m1"] == 6; }));
  world.Start(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.Loads()["m0"] == 3; }));
  world.RunFor(kLeaseMs);
  size_t moved = 0;
  for (const auto& [name, shard] : world.at(1).member->view().shards()) {
    const bool is_moved = shard.record.owner == world.at(0).name;
    moved += is_moved;
    EXPECT_EQ(shard.record.info.copies[1].cause,
              is_moved ? StaleCause::kNotCleanBefore : StaleCause::kNotClean)
        << name;
  }
  EXPECT_EQ(moved, 3U);
}

TEST(FleetMember, WhoIsPausedHasLostItsShardsWhenItGoesOn) {
  World world(3, 2, 4);
  world.Start(0);
  world.Start(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  world.at(0).paused = true;
  ASSERT_TRUE(world.RunUntil([&] { return world.Loads()["m1"] == 4; }));
  // It still believes that it owns some, but its time has run out.
  EXPECT_GE(world.ClockOf(world.at(0)), world.at(0).member->life().until_ms());
  world.at(0).paused = false;
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  EXPECT_GE(world.at(0).member->life().record().number, 2U);
}

TEST(FleetMember, WhoIsCutOffOwnsNothingAfterItsLease) {
  World world(4, 2, 4);
  world.Start(0);
  world.Start(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  world.at(0).registers->CutOff(true);
  ASSERT_TRUE(world.RunUntil([&] { return !world.at(0).member->owns_any(); }));
  bool told = false;
  for (const std::string& note : world.notes())
    told |= note.find("owns no shard any more") != note.npos;
  EXPECT_TRUE(told);
  ASSERT_TRUE(world.RunUntil([&] { return world.Loads()["m1"] == 4; }));
  world.at(0).registers->CutOff(false);
  EXPECT_TRUE(world.RunUntil([&] { return world.Even(); }));
}

TEST(FleetMember, OnlyTheOwnerEdits) {
  World world(5, 2, 2);
  world.Start(0);
  world.Start(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  const size_t owner = world.OwnerOf("s0");
  ASSERT_TRUE(world.RunUntil(
      [&] { return world.at(1 - owner).member->LeaseOf("s0").owner == world.at(owner).name; }));
  const gemel::Edit stale{EditKind::kMarkStale, "s0", "s0-2", "", "a test"};
  const EditResult refused = world.Edit(1 - owner, stale);
  EXPECT_EQ(refused.error, "shard \"s0\" is member m" + std::to_string(owner) + "'s now");
  const EditResult result = world.Edit(owner, stale);
  EXPECT_TRUE(result.ok) << result.error;
  EXPECT_TRUE(IsStale(result.topology->shards[0]));
  ASSERT_TRUE(world.RunUntil(
      [&] { return IsStale(world.at(1 - owner).member->view().topology()->shards[0]); }));
  EXPECT_FALSE(world.Edit(owner, {EditKind::kMarkStale, "s0", "s0-1", "", "the primary"}).ok);
  EXPECT_FALSE(world.Edit(owner, {EditKind::kRemoveShard, "s0", "", "", ""}).ok);
  EXPECT_TRUE(world.Edit(owner, {EditKind::kOpen, "", "", "", ""}).ok);
  // What it was decided on.
  gemel::Edit old{EditKind::kMarkInSync, "s0", "s0-2", "run2", ""};
  old.expected = 1;
  EXPECT_NE(world.Edit(owner, old).error.find("it was decided on epoch 1"), std::string::npos);
}

// As of two processes with one name the second: nothing is lost with it.
TEST(FleetMember, WhoNeverJoinedEndsInOrder) {
  World world(7, 2, 2);
  world.Start(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }));
  world.at(1).name = world.at(0).name;
  world.Start(1);
  world.RunFor(3000);
  EXPECT_FALSE(world.at(1).member->life().alive());
  std::optional<EditResult> closed;
  world.at(1).member->Close(true, [&](const EditResult& result) { closed = result; });
  ASSERT_TRUE(world.RunUntil([&] { return closed.has_value(); }));
  EXPECT_TRUE(closed->ok) << closed->error;
  EXPECT_TRUE(world.AllOwned());
}

TEST(FleetMember, AnOrderlyEndLeavesNothingStale) {
  World world(6, 2, 4);
  world.Start(0);
  world.Start(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  world.at(0).member->SetDraining(true);
  ASSERT_TRUE(world.RunUntil([&] { return world.Loads()["m1"] == 4; }));
  bool closed = false;
  world.at(0).member->Close(true, [&](const EditResult& result) { closed = result.ok; });
  ASSERT_TRUE(world.RunUntil([&] { return closed; }));
  world.Kill(0);
  // The last one of all.
  closed = false;
  world.at(1).member->Close(true, [&](const EditResult& result) { closed = result.ok; });
  ASSERT_TRUE(world.RunUntil([&] { return closed; }));
  world.Kill(1);
  world.Start(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }));
  for (const auto& [name, shard] : world.at(0).member->view().shards()) {
    EXPECT_FALSE(IsStale(shard.record.info)) << name;
  }
}

TEST(FleetMember, WhatIsGivenInDoubtIsTakenOverWithItsReplicasStale) {
  World world(9, 1, 1);
  world.Start(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.AllOwned(); }));
  const uint64_t epoch = world.at(0).member->LeaseOf("s0").epoch;
  world.at(0).member->Give("s0", epoch, /*clean=*/false);
  ASSERT_TRUE(world.RunUntil([&] {
    const ShardLease lease = world.at(0).member->LeaseOf("s0");
    return lease.mine && lease.epoch > epoch;
  })) << "nobody else is there";
  EXPECT_TRUE(IsStale(world.at(0).member->view().topology()->shards[0]));
}

TEST(FleetMember, AWitnessOwnsNothing) {
  World world(7, 3, 4);
  world.Start(0, /*witness=*/true);
  world.RunFor(2000);
  EXPECT_FALSE(world.at(0).member->owns_any());
  world.Start(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.Loads()["m1"] == 4; }));
  // But it ends the lives of others.
  world.Kill(1);
  ASSERT_TRUE(world.RunUntil([&] { return !world.at(0).member->view().Lives("m1", 1); }));
}

TEST(FleetMember, TwoOfOneNameDoNotBothServe) {
  World world(8, 2, 2);
  world.Start(0);
  world.at(1).name = "m0";
  world.Start(1);
  world.RunFor(5000);
  EXPECT_EQ(world.at(0).member->owns_any() + world.at(1).member->owns_any(), 1);
  bool told = false;
  for (const std::string& note : world.notes())
    told |= note.find("another process is the member") != note.npos;
  EXPECT_TRUE(told);
}

// Members die, come back, are paused and cut off, and lose requests and answers, by drawn lots.
// Check looks after each event that no two own the same shard.
class FleetMemberFaults : public ::testing::TestWithParam<int> {};

TEST_P(FleetMemberFaults, NoShardHasTwoOwnersAndNoneIsLost) {
  for (int run = 0; run < 4; ++run) {
    const uint64_t seed = static_cast<uint64_t>(GetParam()) * 1000 + static_cast<uint64_t>(run);
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed, 3 + run % 3, 5, /*drift=*/0.05);
    for (size_t i = 0; i < world.size(); ++i) world.Start(i);
    for (int step = 0; step < 30; ++step) {
      const size_t who = world.random()() % world.size();
      World::Process& process = world.at(who);
      switch (world.random()() % 7) {
        case 0:
          if (process.running) world.Kill(who);
          break;
        case 1:
          process.paused = !process.paused;
          break;
        case 2:
          if (process.registers) process.registers->CutOff(!process.registers->faults().cut_off);
          break;
        case 3:
          if (process.registers) {
            MemoryFaults faults = process.registers->faults();
            faults.answer = world.random()() % 2 * 20;
            faults.late = world.random()() % 2 * 20;
            process.registers->SetFaults(faults);
          }
          break;
        case 4:
          if (process.member) process.member->SetDraining(world.random()() % 2 == 0);
          break;
        default:
          if (!process.running) {
            process.registers.reset();
            world.Start(who);
          } else if (process.member) {
            process.member->Propose({EditKind::kMarkStale, "s" + std::to_string(step % 5),
                                     "s" + std::to_string(step % 5) + "-2", "", "a test"},
                                    [](const EditResult&) {});
          }
      }
      world.RunFor(world.random()() % 700);
      if (HasFatalFailure()) return;
    }
    for (size_t i = 0; i < world.size(); ++i) {
      World::Process& process = world.at(i);
      process.paused = false;
      if (process.registers) process.registers->SetFaults(MemoryFaults());
      if (!process.running) {
        process.registers.reset();
        world.Start(i);
      }
      process.member->SetDraining(false);
    }
    ASSERT_TRUE(world.RunUntil([&] { return world.Even(); }));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FleetMemberFaults, ::testing::Range(0, 4));

}  // namespace gemel::fleet_member_test
