#include "backend/fleet/fleet_change.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "backend/topology/edit.h"
#include "tests/members_world.h"

namespace gemel::fleet_change_test {
namespace {

using members_world::World;

// Shards s0 to s<shards - 1> on two nodes each, and their ring.
WantedPlan Wanted(int shards, uint32_t weight = 1) {
  WantedPlan wanted;
  wanted.ring.points = 16;
  wanted.ring.hash_tag = "{}";
  for (int i = 0; i < shards; ++i) {
    const std::string name = "s" + std::to_string(i);
    wanted.members.push_back({name, {name + "-1", name + "-2"}});
    wanted.databases.push_back(0);
    wanted.ring.shards.push_back({name, i == 0 ? weight : 1});
  }
  return wanted;
}

// Members whose workers go over to a plan as soon as it is in effect, and who agree as soon as they
// are asked, if they are to.
class FleetChangeTest : public ::testing::Test {
 protected:
  void Start(int members) {
    for (int i = 0; i < members; ++i) world_->Start(static_cast<size_t>(i));
    served_.assign(static_cast<size_t>(members), 1);
    agrees_.assign(static_cast<size_t>(members), true);
    ASSERT_TRUE(RunUntil([&] { return world_->AllOwned(); }));
  }
  bool RunUntil(const std::function<bool()>& condition, uint64_t ms = 20000) {
    return world_->RunUntil(
        [&] {
          Follow();
          return condition();
        },
        ms);
  }
  void Follow() {
    for (size_t i = 0; i < served_.size(); ++i) {
      World::Process& process = world_->at(i);
      if (process.member == nullptr || process.paused || !process.running) continue;
      const auto& fleet = process.member->view().fleet();
      if (!fleet) continue;
      // No plan takes effect that a member who serves has not agreed to.
      const uint64_t route = fleet->plan.route;
      if (fleet->next && agrees_[i] && asked_[i] != fleet->next->version) {
        asked_[i] = fleet->next->version;
        process.member->change().Agree(asked_[i]);
      }
      if (route != served_[i]) {
        EXPECT_TRUE(asked_[i] == fleet->plan.version || !process.member->life().alive() ||
                    process.member->life().record().number > 1)
            << process.name << " was not asked for version " << fleet->plan.version;
        served_[i] = route;
        process.member->change().Serve(fleet->plan.version, route);
      }
    }
  }
  // What becomes of a proposal: an error, or its version.
  std::pair<std::string, uint64_t> Propose(size_t member, const WantedPlan& wanted) {
    std::optional<std::pair<std::string, uint64_t>> result;
    world_->at(member).member->change().Propose(wanted,
                                                [&](const std::string& error, uint64_t version) {
                                                  result = {error, version};
                                                });
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return result.value_or(std::pair<std::string, uint64_t>{"no answer", 0});
  }
  const FleetRecord& FleetOf(size_t member) { return *world_->at(member).member->view().fleet(); }
  bool WaitForPlan(uint64_t version) {
    return RunUntil([&] {
      for (size_t i = 0; i < served_.size(); ++i) {
        if (world_->at(i).member != nullptr && FleetOf(i).plan.version != version) return false;
      }
      return true;
    });
  }

  std::unique_ptr<World> world_ = std::make_unique<World>(7, 3, 2);
  std::vector<uint64_t> served_;
  std::vector<bool> agrees_;
  std::map<size_t, uint64_t> asked_;
};

TEST_F(FleetChangeTest, AllAgreeAndTheNewShardGetsAnOwner) {
  Start(3);
  // The first ring moves keys, too.
  const auto [error, version] = Propose(1, Wanted(3));
  EXPECT_EQ(error, "");
  EXPECT_EQ(version, 2u);
  ASSERT_TRUE(WaitForPlan(2));
  EXPECT_EQ(FleetOf(0).plan.route, 2u);
  EXPECT_EQ(FleetOf(0).plan.topology.shards.size(), 3u);
  EXPECT_TRUE(RunUntil([&] { return world_->OwnerOf("s2") != SIZE_MAX; }));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(asked_[i], 2u);
}

TEST_F(FleetChangeTest, WhatLeavesKeysWhereTheyAreTakesEffectAtOnce) {
  Start(3);
  ASSERT_EQ(Propose(0, Wanted(2)).second, 2u);
  ASSERT_TRUE(WaitForPlan(2));
  WantedPlan wanted = Wanted(2);
  wanted.members[1].nodes[1] = "another";
  agrees_.assign(3, false);  // nobody is asked
  const auto [error, version] = Propose(2, wanted);
  EXPECT_EQ(error, "");
  ASSERT_TRUE(WaitForPlan(version));
  EXPECT_EQ(FleetOf(0).plan.route, 2u);
  EXPECT_EQ(FleetOf(0).plan.topology.shards[1].copies[1].node, "another");
}

TEST_F(FleetChangeTest, WhoDoesNotAgreeStopsIt) {
  Start(3);
  agrees_[2] = false;
  ASSERT_EQ(Propose(0, Wanted(3)).second, 2u);
  // While it waits there is no other.
  EXPECT_NE(Propose(1, Wanted(4)).first, "");
  ASSERT_TRUE(RunUntil([&] { return !FleetOf(0).next && !FleetOf(1).next; }));
  EXPECT_EQ(FleetOf(0).plan.version, 1u);
  bool told = false;
  for (const std::string& note : world_->notes()) {
    told |= note.find("member 'm2' did not agree") != note.npos;
  }
  EXPECT_TRUE(told);
  // Its number is not used again.
  agrees_[2] = true;
  ASSERT_EQ(Propose(0, Wanted(3)).second, 3u);
  EXPECT_TRUE(WaitForPlan(3));
}

TEST_F(FleetChangeTest, WhoDiesIsNotWaitedForAndWhoComesBackGoesByThePlan) {
  Start(3);
  world_->at(2).paused = true;
  ASSERT_EQ(Propose(0, Wanted(3)).second, 2u);
  ASSERT_TRUE(RunUntil([&] { return FleetOf(0).plan.version == 2; }));
  ASSERT_TRUE(RunUntil([&] { return world_->Loads()["m0"] + world_->Loads()["m1"] == 3; }));
  world_->at(2).paused = false;
  // By its first route it owns nothing.
  world_->RunFor(members_world::kLeaseMs * 4);
  EXPECT_EQ(world_->Loads()["m2"], 0u);
  EXPECT_TRUE(RunUntil([&] { return world_->Loads()["m2"] == 1; }));
}

TEST_F(FleetChangeTest, AnOwnerThatDiesMeanwhileIsReplacedFirst) {
  Start(3);
  agrees_[0] = false;
  const size_t owner = world_->OwnerOf("s1");
  const size_t other = owner == 1 ? 2 : 1;
  agrees_.assign(3, true);
  agrees_[other] = false;
  ASSERT_EQ(Propose(other, Wanted(3)).second, 2u);
  world_->Kill(owner);
  EXPECT_TRUE(RunUntil(
      [&] {
        const size_t next = world_->OwnerOf("s1");
        return next != SIZE_MAX && next != owner;
      },
      FleetChange::kPatienceMs / 2));
  agrees_[other] = true;
  EXPECT_TRUE(WaitForPlan(2));
}

TEST_F(FleetChangeTest, AShardThatWentMayComeBackAndBeginsAnew) {
  Start(2);
  ASSERT_EQ(Propose(0, Wanted(3)).second, 2u);
  ASSERT_TRUE(WaitForPlan(2));
  ASSERT_TRUE(RunUntil([&] { return world_->OwnerOf("s2") != SIZE_MAX; }));
  ASSERT_TRUE(
      world_->Edit(world_->OwnerOf("s2"), {EditKind::kMarkInSync, "s2", "s2-2", "run", ""}).ok);
  const size_t owner = world_->OwnerOf("s2");
  ASSERT_EQ(Propose(1, Wanted(2)).second, 3u);
  ASSERT_TRUE(WaitForPlan(3));
  // Its owner has it until it has let go of it.
  EXPECT_TRUE(world_->at(owner).member->Leases().contains("s2"));
  EXPECT_NE(Propose(1, Wanted(3)).first, "");
  ASSERT_TRUE(world_->Edit(owner, {EditKind::kRemoveShard, "s2", {}, {}, ""}).ok);
  EXPECT_FALSE(world_->at(owner).member->Leases().contains("s2"));
  std::pair<std::string, uint64_t> result;
  for (int i = 0; i < 5 && result.second == 0; ++i) result = Propose(1, Wanted(3));
  EXPECT_EQ(result.first, "");
  ASSERT_TRUE(WaitForPlan(result.second));
  ASSERT_TRUE(RunUntil([&] { return world_->OwnerOf("s2") != SIZE_MAX; }));
  const auto& topology = *world_->at(0).member->view().topology();
  const ShardInfo& info = topology.shards[static_cast<size_t>(topology.IndexOf("s2"))];
  EXPECT_TRUE(info.adopted);
  EXPECT_EQ(info.copies[1].state, CopyState::kStale);
}

TEST(FleetPlanText, ComesBackAsItWas) {
  std::string error;
  FleetRecord record{"id", {}, {}, 4, {"aaaa", "bbbb"}};
  record.plan = *NextPlan({}, {}, Wanted(2), 3, &error);
  EXPECT_EQ(DecodeFleet(EncodeFleet(record), &error), record);
  record.next = *NextPlan(record.plan, record.plan.topology, Wanted(3, 2), 4, &error);
  record.next->databases[1] = 5;
  EXPECT_EQ(DecodeFleet(EncodeFleet(record), &error), record);
  std::string damaged = EncodeFleet(record);
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_FALSE(DecodeFleet(damaged, &error));
  EXPECT_NE(error, "");
}

TEST(FleetPlanText, TheOrderOfShardsAndNodesSaysNothing) {
  const std::string one = FingerprintOf(Wanted(3));
  WantedPlan other = Wanted(3);
  std::swap(other.members[0], other.members[2]);
  std::swap(other.members[1].nodes[0], other.members[1].nodes[1]);
  EXPECT_EQ(FingerprintOf(other), one);
  std::string error;
  EXPECT_EQ(FingerprintOf(*NextPlan({}, {}, Wanted(3), 2, &error)), one);
  EXPECT_NE(FingerprintOf(Wanted(2)), one);
  EXPECT_NE(FingerprintOf(Wanted(3, 2)), one);
  other.databases[0] = 1;
  EXPECT_NE(FingerprintOf(other), one);
}

}  // namespace
}  // namespace gemel::fleet_change_test
