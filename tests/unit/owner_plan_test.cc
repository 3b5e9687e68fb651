#include "backend/fleet/owner_plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/members_world.h"

namespace gemel::owner_plan_test {

constexpr uint32_t kLeaseMs = 500;

// The members m0 to m2 and the shards s0 to s3 of nobody.
class OwnerPlanTest : public ::testing::Test {
 protected:
  explicit OwnerPlanTest(int shards = 4) {
    Put(std::string(kFleetRegister),
        EncodeFleet({"f", {members_world::Founded(shards)}, {}, 1, {}}));
    for (int i = 0; i < 3; ++i) Beat("m" + std::to_string(i));
    Listed(1000);
  }

  void Put(const std::string& name, const std::string& text) {
    std::string error;
    EXPECT_TRUE(view_.OnText(name, {text, ++version_}, now_ms_, &error)) << error;
  }
  void Beat(const std::string& member) {
    LifeRecord life;
    life.number = 1;
    life.id = member;
    life.beat = ++version_;
    life.route = view_.fleet()->plan.route;
    view_.OnLife(member, life, version_, now_ms_);
  }
  void Listed(uint64_t now_ms) {
    std::string error;
    now_ms_ = now_ms;
    view_.OnList({}, now_ms, now_ms, &error);
  }
  void Own(const std::string& shard, const std::string& member, const std::string& next = "") {
    ShardRecord record = view_.FindShard(shard)->record;
    record.owner = member;
    record.owner_life = 1;
    record.owner_life_id = member;
    record.next = next;
    view_.OnShard(record, ++version_);
  }

  FleetView view_;
  uint64_t version_ = 0;
  uint64_t now_ms_ = 1000;
};

TEST_F(OwnerPlanTest, FreeShardsGoToWhoHasTheFewest) {
  Own("s0", "m0");
  EXPECT_EQ(PlanOwners(view_, "m0", kLeaseMs, true).claims, std::vector<std::string>{"s3"});
  EXPECT_EQ(PlanOwners(view_, "m1", kLeaseMs, true).claims, std::vector<std::string>{"s1"});
  EXPECT_EQ(PlanOwners(view_, "m2", kLeaseMs, true).claims, std::vector<std::string>{"s2"});
}

TEST_F(OwnerPlanTest, WhoIsSilentGetsNoneThatIsFree) {
  Listed(1200);
  Beat("m1");
  Listed(1000 + kLeaseMs / 2);
  // m1 takes all: m0 and m2 have been silent for half a lease.
  EXPECT_EQ(PlanOwners(view_, "m1", kLeaseMs, true).claims.size(), 4U);
  // Whoever looks does not count itself as silent.
  EXPECT_EQ(PlanOwners(view_, "m0", kLeaseMs, true).claims, (std::vector<std::string>{"s0", "s2"}));
}

TEST_F(OwnerPlanTest, WhoIsSilentGetsNoneForTheSakeOfBalanceNorOfWhoDrains) {
  for (const char* shard : {"s0", "s1", "s2", "s3"}) Own(shard, "m0");
  EXPECT_EQ(PlanOwners(view_, "m0", kLeaseMs, true).moves.size(), 2U);
  Listed(1200);
  Beat("m2");
  Listed(1000 + kLeaseMs / 2);
  for (const OwnerPlan::Move& move : PlanOwners(view_, "m0", kLeaseMs, true).moves) {
    EXPECT_EQ(move.to, "m2");
  }
  Listed(1200 + kLeaseMs / 2);
  EXPECT_TRUE(PlanOwners(view_, "m0", kLeaseMs, true).moves.empty());
}

TEST_F(OwnerPlanTest, AShardOnItsWayToWhoHasFallenSilentGoesToAnother) {
  Own("s0", "m0", "m1");
  EXPECT_EQ(NextOwner(view_, "m0", "m1", kLeaseMs), "m1");
  Listed(1200);
  Beat("m2");
  Listed(1000 + kLeaseMs / 2);
  EXPECT_EQ(NextOwner(view_, "m0", "m1", kLeaseMs), "m2");
  Listed(1200 + kLeaseMs / 2);
  EXPECT_EQ(NextOwner(view_, "m0", "m1", kLeaseMs), "");
}

class OwnerPlanOfTwelve : public OwnerPlanTest {
 protected:
  OwnerPlanOfTwelve() : OwnerPlanTest(12) {
    for (int i = 0; i < 12; ++i) Own("s" + std::to_string(i), i < 6 ? "m0" : "m1");
  }
};

TEST_F(OwnerPlanOfTwelve, AllWhoHaveTooManyGiveTheirPartsAtOnce) {
  for (const char* giver : {"m0", "m1"}) {
    const std::vector<OwnerPlan::Move> moves = PlanOwners(view_, giver, kLeaseMs, true).moves;
    ASSERT_EQ(moves.size(), 2U) << giver;
    for (const OwnerPlan::Move& move : moves) EXPECT_EQ(move.to, "m2");
  }
  EXPECT_TRUE(PlanOwners(view_, "m2", kLeaseMs, true).moves.empty());
  EXPECT_TRUE(PlanOwners(view_, "m0", kLeaseMs, false).moves.empty());
  // What is on its way is the next one's.
  Own("s0", "m0", "m2");
  Own("s1", "m0", "m2");
  EXPECT_TRUE(PlanOwners(view_, "m0", kLeaseMs, true).moves.empty());
  EXPECT_EQ(PlanOwners(view_, "m1", kLeaseMs, true).moves.size(), 2U);
}

}  // namespace gemel::owner_plan_test
