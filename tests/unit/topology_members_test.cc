// Apply: who belongs to a shard, and which shards there are.

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "backend/topology/edit.h"

namespace gemel::topology_members_test {
namespace {

// A shard "s" with an in-sync primary n1, an in-sync replica n2 and a stale replica n3; "t" of m1.
Topology Sample() {
  Topology topology;
  topology.epoch = 10;
  ShardInfo shard;
  shard.name = "s";
  shard.epoch = 5;
  shard.copies = {{"n1", CopyState::kInSync, "run1", ""},
                  {"n2", CopyState::kInSync, "run2", ""},
                  {"n3", CopyState::kStale, "run3", "it was away"}};
  topology.shards.push_back(shard);
  ShardInfo other;
  other.name = "t";
  other.copies = {{"m1", CopyState::kInSync, "run4", ""}};
  topology.shards.push_back(other);
  return topology;
}

Topology Applied(const Edit& edit, const Topology& from = Sample()) {
  std::string error;
  std::optional<Topology> next = Apply(from, edit, &error);
  EXPECT_TRUE(next) << error;
  if (!next) return {};
  EXPECT_TRUE(CheckTopology(*next, &error)) << error;
  return *next;
}

std::string Refusal(const Edit& edit) {
  std::string error;
  EXPECT_FALSE(Apply(Sample(), edit, &error));
  return error;
}

TEST(ApplyMembers, ANewCopyIsStale) {
  const Topology next = Applied({EditKind::kAddCopy, "s", "n4", {}, {}});
  EXPECT_EQ(next.epoch, 11U);
  EXPECT_EQ(next.shards[0].epoch, 6U);
  ASSERT_EQ(next.shards[0].copies.size(), 4U);
  EXPECT_EQ(next.shards[0].copies[3].node, "n4");
  EXPECT_EQ(next.shards[0].copies[3].state, CopyState::kStale);
  EXPECT_EQ(Applied({EditKind::kAddCopy, "s", "n2", {}, {}}), Sample());  // it is there
}

TEST(ApplyMembers, ANodeBelongsToOneShard) {
  EXPECT_EQ(Refusal({EditKind::kAddCopy, "s", "m1", {}, {}}),
            "node m1 still belongs to shard \"t\"; remove it there first");
  EXPECT_EQ(Refusal({EditKind::kAddShard, "u", {}, {}, {}, {"u1", "n3"}}),
            "node n3 still belongs to shard \"s\"; remove it there first");
  EXPECT_EQ(Refusal({EditKind::kAddCopy, "x", "n9", {}, {}}), "there is no shard \"x\"");
}

TEST(ApplyMembers, ARemovedCopyLeavesTheRolesOfTheOthers) {
  Topology from = Sample();
  from.shards[0].primary = 1;
  const Topology next = Applied({EditKind::kRemoveCopy, "s", "n1", {}, {}}, from);
  ASSERT_EQ(next.shards[0].copies.size(), 2U);
  EXPECT_EQ(next.shards[0].copies[next.shards[0].primary].node, "n2");
  EXPECT_EQ(next.shards[0].epoch, 6U);
  const Topology last = Applied({EditKind::kRemoveCopy, "s", "n3", {}, {}}, from);
  EXPECT_EQ(last.shards[0].copies[last.shards[0].primary].node, "n2");
  EXPECT_EQ(Applied({EditKind::kRemoveCopy, "s", "n9", {}, {}}), Sample());  // it is not there
  EXPECT_EQ(Refusal({EditKind::kRemoveCopy, "s", "n1", {}, {}}),
            "n1 of shard \"s\" is the primary, which cannot be removed");
}

TEST(ApplyMembers, ShardsComeAndGo) {
  const Topology more = Applied({EditKind::kAddShard, "u", {}, {}, {}, {"u1", "u2"}});
  ASSERT_EQ(more.shards.size(), 3U);
  EXPECT_EQ(more.epoch, 11U);
  EXPECT_TRUE(more.shards[2].adopted);
  EXPECT_EQ(more.shards[2].primary, 0U);
  EXPECT_EQ(more.shards[2].copies[1].state, CopyState::kStale);
  EXPECT_EQ(Applied({EditKind::kAddShard, "s", {}, {}, {}, {"z1"}}), Sample());  // it is there

  const Topology less = Applied({EditKind::kRemoveShard, "s", {}, {}, {}});
  ASSERT_EQ(less.shards.size(), 1U);
  EXPECT_EQ(less.shards[0].name, "t");
  EXPECT_EQ(Applied({EditKind::kRemoveShard, "x", {}, {}, {}}), Sample());
  // Its nodes are free.
  EXPECT_EQ(Applied({EditKind::kAddCopy, "t", "n2", {}, {}}, less).shards[0].copies.size(), 2U);
}

TEST(InitialTopology, ACopyThatWasOnItsWayOutAndIsInTheConfigStays) {
  Topology stored = Sample();
  CopyInfo& copy = stored.shards[0].copies[1];
  copy.state = CopyState::kStale;
  copy.reason = "it leaves the shard";
  copy.drained_by = DrainedBy::kConfig;
  stored.shards.pop_back();
  stored.clean = true;
  std::string error;
  const auto next = InitialTopology({{"s", {"n1", "n2", "n3"}}}, &stored, &error);
  ASSERT_TRUE(next) << error;
  EXPECT_FALSE(next->shards[0].copies[1].drained());
  EXPECT_EQ(next->shards[0].copies[1].state, CopyState::kStale);
}

// It was stale for another reason before it was made to leave, and that reason stands.
TEST(InitialTopology, SettingsFollowTheirNode) {
  Topology stored = Sample();
  stored.shards[0].copies[1].settings = {{"maxmemory", "8", "9", ""}};
  stored.shards[0].copies[2].settings = {{"maxmemory", "4", "5", ""}};
  std::string error;
  const std::optional<Topology> next =
      InitialTopology({{"s", {"n1", "n2"}}, {"t", {"m1", "n3"}}, {"u", {"new"}}}, &stored, &error);
  ASSERT_TRUE(next) << error;
  EXPECT_EQ(next->shards[0].copies[1].settings, stored.shards[0].copies[1].settings);
  EXPECT_EQ(next->shards[1].copies[1].settings, stored.shards[0].copies[2].settings);
  EXPECT_TRUE(next->shards[1].copies[0].settings.empty());
  EXPECT_TRUE(next->shards[2].copies[0].settings.empty());
}

TEST(InitialTopology, AStaleCopyThatWasOnItsWayOutStays) {
  Edit edit{EditKind::kDrain, "s", "n3", {}, "it leaves the shard"};
  std::string error;
  for (const DrainedBy drained_by : {DrainedBy::kConfig, DrainedBy::kOperator}) {
    edit.drained_by = drained_by;
    const Topology stored = Applied(edit);
    EXPECT_EQ(stored.shards[0].copies[2].reason, "it was away");
    EXPECT_EQ(stored.shards[0].copies[2].drained_by, drained_by);
    const auto next = InitialTopology({{"s", {"n1", "n2", "n3"}}, {"t", {"m1"}}}, &stored, &error);
    ASSERT_TRUE(next) << error;
    EXPECT_EQ(next->shards[0].copies[2].drained(), drained_by == DrainedBy::kOperator);
    EXPECT_EQ(next->shards[0].copies[2].reason, "it was away");
  }
}

TEST(ApplyDrain, WhoDrainedFirstStandsAndSomebodyDid) {
  Edit edit{EditKind::kDrain, "s", "n2", {}, {}};
  edit.drained_by = DrainedBy::kNobody;
  EXPECT_EQ(Refusal(edit), "n2 of shard \"s\" cannot be drained by nobody");
  edit.drained_by = DrainedBy::kConfig;
  const Topology drained = Applied(edit);
  edit.drained_by = DrainedBy::kOperator;
  EXPECT_EQ(Applied(edit, drained), drained);
}

}  // namespace
}  // namespace gemel::topology_members_test
