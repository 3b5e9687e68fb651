// Apply and InitialTopology: each rule by itself, then random histories that must keep the
// invariants.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "backend/topology/edit.h"

namespace gemel::topology_test {
namespace {

// A shard "s" with an in-sync primary n1, an in-sync replica n2 and a stale replica n3.
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
  return topology;
}

Edit Make(EditKind kind, const std::string& node, const std::string& text = "") {
  Edit edit{kind, "s", node, "", ""};
  if (kind == EditKind::kMarkInSync || kind == EditKind::kSetRunId ||
      kind == EditKind::kForcePromote) {
    edit.run_id = text;
  } else {
    edit.reason = text;
  }
  return edit;
}

// The edit is legal and changes something of the shard's roles or states.
ShardInfo Changed(const Edit& edit) {
  std::string error;
  const std::optional<Topology> next = Apply(Sample(), edit, &error);
  EXPECT_TRUE(next) << error;
  if (!next) return {};
  EXPECT_EQ(next->epoch, 11U);
  EXPECT_EQ(next->shards[0].epoch, 6U);
  return next->shards[0];
}

void ExpectNoChange(const Edit& edit) {
  std::string error;
  const std::optional<Topology> next = Apply(Sample(), edit, &error);
  ASSERT_TRUE(next) << error;
  EXPECT_EQ(*next, Sample());
}

std::string Refusal(const Edit& edit) {
  std::string error;
  EXPECT_FALSE(Apply(Sample(), edit, &error));
  return error;
}

TEST(Apply, MarkStale) {
  const ShardInfo shard = Changed(Make(EditKind::kMarkStale, "n2", "a write timed out"));
  EXPECT_EQ(shard.copies[1].state, CopyState::kStale);
  EXPECT_EQ(shard.copies[1].reason, "a write timed out");
  EXPECT_EQ(shard.primary, 0U);
  EXPECT_FALSE(Changed(Make(EditKind::kMarkStale, "n2")).copies[1].reason.empty());
  ExpectNoChange(Make(EditKind::kMarkStale, "n3", "again"));
  EXPECT_EQ(Refusal(Make(EditKind::kMarkStale, "n1", "x")),
            "n1 of shard \"s\" is the primary, which cannot be stale");
}

TEST(Apply, Promote) {
  const ShardInfo shard = Changed(Make(EditKind::kPromote, "n2", "n1 refused the connection"));
  EXPECT_EQ(shard.primary, 1U);
  EXPECT_EQ(shard.copies[0].state, CopyState::kStale);
  EXPECT_EQ(shard.copies[0].reason, "n1 refused the connection");
  EXPECT_EQ(shard.copies[1].state, CopyState::kInSync);
  EXPECT_FALSE(Changed(Make(EditKind::kPromote, "n2")).copies[0].reason.empty());
  ExpectNoChange(Make(EditKind::kPromote, "n1", "x"));
  EXPECT_EQ(Refusal(Make(EditKind::kPromote, "n3", "x")),
            "n3 of shard \"s\" is stale and cannot be primary: it was away");
}

TEST(Apply, HandOver) {
  const ShardInfo shard = Changed(Make(EditKind::kHandOver, "n2", "maintenance"));
  EXPECT_EQ(shard.primary, 1U);
  EXPECT_EQ(shard.copies[0].state, CopyState::kInSync);
  EXPECT_EQ(shard.copies[0].reason, "");
  ExpectNoChange(Make(EditKind::kHandOver, "n1"));
  EXPECT_NE(Refusal(Make(EditKind::kHandOver, "n3")), "");
}

TEST(Apply, MarkInSync) {
  const ShardInfo shard = Changed(Make(EditKind::kMarkInSync, "n3", "run9"));
  EXPECT_EQ(shard.copies[2].state, CopyState::kInSync);
  EXPECT_EQ(shard.copies[2].run_id, "run9");
  EXPECT_EQ(shard.copies[2].reason, "");
  ExpectNoChange(Make(EditKind::kMarkInSync, "n2", "run2"));
  EXPECT_EQ(Refusal(Make(EditKind::kMarkInSync, "n3", "")),
            "n3 of shard \"s\" cannot be in sync without a run_id");
}

TEST(Apply, MarkInSyncEndsAdoption) {
  Topology topology = Sample();
  topology.shards[0].adopted = true;
  topology.shards[0].copies[1] = {"n2", CopyState::kStale, "", "not known"};
  std::string error;
  ASSERT_TRUE(CheckTopology(topology, &error)) << error;
  std::optional<Topology> next = Apply(topology, Make(EditKind::kSetRunId, "n1", "r"), &error);
  ASSERT_TRUE(next && next->shards[0].adopted);
  next = Apply(*next, Make(EditKind::kMarkInSync, "n1", "r2"), &error);
  ASSERT_TRUE(next && next->shards[0].adopted) << "the primary says nothing of the replicas";
  next = Apply(*next, Make(EditKind::kMarkInSync, "n3", "r3"), &error);
  ASSERT_TRUE(next);
  EXPECT_FALSE(next->shards[0].adopted);
}

TEST(Apply, SetRunIdChangesNeitherRoleNorState) {
  std::string error;
  const std::optional<Topology> next =
      Apply(Sample(), Make(EditKind::kSetRunId, "n1", "run8"), &error);
  ASSERT_TRUE(next) << error;
  EXPECT_EQ(next->epoch, 11U);
  EXPECT_EQ(next->shards[0].epoch, 5U);
  EXPECT_EQ(next->shards[0].copies[0].run_id, "run8");
  ExpectNoChange(Make(EditKind::kSetRunId, "n1", "run1"));
  EXPECT_NE(Refusal(Make(EditKind::kSetRunId, "n1", "")), "");
  EXPECT_NE(Refusal(Make(EditKind::kSetRunId, "n3", "run8")), "");
}

TEST(Apply, ForcePromote) {
  Edit edit = Make(EditKind::kForcePromote, "n3", "run9");
  edit.reason = "n3 was forced";
  ShardInfo shard = Changed(edit);
  EXPECT_EQ(shard.primary, 2U);
  EXPECT_EQ(shard.copies[2], (CopyInfo{"n3", CopyState::kInSync, "run9", ""}));
  EXPECT_EQ(shard.copies[0], (CopyInfo{"n1", CopyState::kStale, "run1", "n3 was forced"}));
  EXPECT_EQ(shard.copies[1], (CopyInfo{"n2", CopyState::kStale, "run2", "n3 was forced"}));
  // Of a primary it is a change only if others have to leave.
  shard = Changed(Make(EditKind::kForcePromote, "n1", "run1"));
  EXPECT_EQ(shard.primary, 0U);
  EXPECT_EQ(shard.copies[2].reason, "it was away");
  EXPECT_FALSE(shard.copies[1].reason.empty());
  EXPECT_EQ(Refusal(Make(EditKind::kForcePromote, "n3", "")),
            "n3 of shard \"s\" cannot be primary without a run_id");
}

TEST(Apply, DrainAndUndrain) {
  const ShardInfo shard = Changed(Make(EditKind::kDrain, "n2", "maintenance"));
  EXPECT_TRUE(shard.copies[1].drained());
  EXPECT_EQ(shard.copies[1].state, CopyState::kStale);
  EXPECT_EQ(shard.copies[1].reason, "maintenance");
  EXPECT_FALSE(Changed(Make(EditKind::kDrain, "n2")).copies[1].reason.empty());
  const ShardInfo stale = Changed(Make(EditKind::kDrain, "n3", "maintenance"));
  EXPECT_TRUE(stale.copies[2].drained());
  EXPECT_EQ(stale.copies[2].reason, "it was away");  // it does not know these writes either
  EXPECT_EQ(Refusal(Make(EditKind::kDrain, "n1")),
            "n1 of shard \"s\" is the primary, which cannot be drained");
  ExpectNoChange(Make(EditKind::kUndrain, "n2"));
  ExpectNoChange(Make(EditKind::kUndrain, "n1"));

  std::string error;
  Topology drained = *Apply(Sample(), Make(EditKind::kDrain, "n2", "maintenance"), &error);
  EXPECT_EQ(*Apply(drained, Make(EditKind::kDrain, "n2", "again"), &error), drained);
  EXPECT_FALSE(Apply(drained, Make(EditKind::kMarkInSync, "n2", "run2"), &error));
  EXPECT_EQ(error, "n2 of shard \"s\" is drained and cannot be in sync");
  EXPECT_FALSE(Apply(drained, Make(EditKind::kHandOver, "n2"), &error));
  // A restart of the proxy does not let it in.
  const auto restarted = InitialTopology({{"s", {"n2", "n1", "n3"}}}, &drained, &error);
  ASSERT_TRUE(restarted) << error;
  EXPECT_TRUE(restarted->shards[0].copies[0].drained());

  const auto back = Apply(drained, Make(EditKind::kUndrain, "n2"), &error);
  ASSERT_TRUE(back) << error;
  EXPECT_FALSE(back->shards[0].copies[1].drained());
  EXPECT_EQ(back->shards[0].copies[1].state, CopyState::kStale);
  EXPECT_EQ(back->shards[0].epoch, 7U);
  EXPECT_TRUE(Apply(*back, Make(EditKind::kMarkInSync, "n2", "run2"), &error)) << error;
  // Forced, it is the primary, and drained no more.
  const auto forced = Apply(drained, Make(EditKind::kForcePromote, "n2", "run2"), &error);
  ASSERT_TRUE(forced) << error;
  EXPECT_TRUE(CheckTopology(*forced, &error)) << error;
}

TEST(Apply, OpenAndClose) {
  std::string error;
  const Topology closed = Sample();
  const std::optional<Topology> open = Apply(closed, {EditKind::kOpen, "", "", "", ""}, &error);
  ASSERT_TRUE(open);
  EXPECT_FALSE(open->clean);
  EXPECT_EQ(open->epoch, 11U);
  EXPECT_EQ(open->shards, closed.shards);
  EXPECT_EQ(*Apply(*open, {EditKind::kOpen, "", "", "", ""}, &error), *open);
  const std::optional<Topology> again = Apply(*open, {EditKind::kClose, "", "", "", ""}, &error);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->clean);
  EXPECT_EQ(again->epoch, 12U);
}

TEST(Apply, RefusesUnknownNames) {
  for (EditKind kind :
       {EditKind::kMarkStale, EditKind::kPromote, EditKind::kHandOver, EditKind::kMarkInSync,
        EditKind::kSetRunId, EditKind::kForcePromote, EditKind::kDrain, EditKind::kUndrain}) {
    EXPECT_EQ(Refusal(Make(kind, "n4", "x")), "shard \"s\" has no node \"n4\"");
    Edit edit = Make(kind, "n2", "x");
    edit.shard = "t";
    EXPECT_EQ(Refusal(edit), "there is no shard \"t\"");
    EXPECT_NE(EditKindName(kind), "?");
  }
  EXPECT_EQ(EditKindName(EditKind::kMarkStale), "mark stale");
}

TEST(InitialTopology, FirstStartAdopts) {
  std::string error;
  const auto topology = InitialTopology({{"a", {"p", "r"}}, {"b", {"q"}}}, nullptr, &error);
  ASSERT_TRUE(topology) << error;
  EXPECT_EQ(topology->epoch, 0U);
  EXPECT_TRUE(topology->clean);
  ASSERT_EQ(topology->shards.size(), 2U);
  const ShardInfo& a = topology->shards[0];
  EXPECT_TRUE(a.adopted);
  EXPECT_EQ(a.epoch, 1U);
  EXPECT_EQ(a.primary, 0U);
  EXPECT_EQ(a.copies[0], (CopyInfo{"p", CopyState::kInSync, "", ""}));
  EXPECT_EQ(a.copies[1], (CopyInfo{"r", CopyState::kStale, "", "its data is not known yet"}));
  EXPECT_EQ(topology->shards[1].copies.size(), 1U);
}

TEST(InitialTopology, KeepsWhatIsKnown) {
  std::string error;
  const Topology stored = Sample();
  EXPECT_EQ(*InitialTopology({{"s", {"n1", "n2", "n3"}}}, &stored, &error), stored);

  // Another order in the config: the roles stay.
  const auto turned = InitialTopology({{"s", {"n3", "n2", "n1"}}}, &stored, &error);
  ASSERT_TRUE(turned) << error;
  EXPECT_EQ(turned->shards[0].primary, 2U);
  EXPECT_EQ(turned->shards[0].copies[0], stored.shards[0].copies[2]);
  EXPECT_EQ(turned->shards[0].epoch, 5U);
}

TEST(InitialTopology, DropsAndAddsMembers) {
  std::string error;
  const Topology stored = Sample();
  const auto topology =
      InitialTopology({{"new", {"x"}}, {"s", {"n1", "n4", "n2"}}}, &stored, &error);
  ASSERT_TRUE(topology) << error;
  EXPECT_EQ(topology->epoch, 11U);
  EXPECT_TRUE(topology->shards[0].adopted);
  const ShardInfo& s = topology->shards[1];
  EXPECT_FALSE(s.adopted);
  EXPECT_EQ(s.epoch, 6U);
  EXPECT_EQ(s.IndexOf("n3"), -1);
  EXPECT_EQ(s.copies[1].state, CopyState::kStale);
  EXPECT_FALSE(s.copies[1].reason.empty());
  EXPECT_EQ(s.copies[2], stored.shards[0].copies[1]);

  const auto none = InitialTopology({{"new", {"x"}}}, &stored, &error);
  ASSERT_TRUE(none) << error;
  EXPECT_EQ(none->IndexOf("s"), -1);
}

TEST(InitialTopology, DroppedPrimaryPromotesOneInSync) {
  std::string error;
  const Topology stored = Sample();
  const auto topology = InitialTopology({{"s", {"n3", "n2"}}}, &stored, &error);
  ASSERT_TRUE(topology) << error;
  EXPECT_EQ(topology->shards[0].primary, 1U);
  EXPECT_EQ(topology->shards[0].copies[1].node, "n2");
  EXPECT_EQ(topology->shards[0].copies[0].state, CopyState::kStale);
  EXPECT_EQ(topology->shards[0].epoch, 6U);

  EXPECT_FALSE(InitialTopology({{"s", {"n3", "n4"}}}, &stored, &error));
  EXPECT_NE(error.find("shard \"s\""), std::string::npos) << error;
  EXPECT_NE(error.find("n1"), std::string::npos) << error;
  EXPECT_NE(error.find("remove the state file"), std::string::npos) << error;
}

TEST(InitialTopology, AfterADisorderlyStopReplicasAreStale) {
  std::string error;
  Topology stored = Sample();
  stored.clean = false;
  const auto topology = InitialTopology({{"s", {"n1", "n2", "n3"}}}, &stored, &error);
  ASSERT_TRUE(topology) << error;
  EXPECT_TRUE(topology->clean);  // so that kOpen is a change, and is written
  EXPECT_EQ(topology->epoch, 11U);
  const ShardInfo& shard = topology->shards[0];
  EXPECT_EQ(shard.epoch, 6U);
  EXPECT_EQ(shard.primary, 0U);
  EXPECT_EQ(shard.copies[0], stored.shards[0].copies[0]);
  EXPECT_EQ(shard.copies[1].state, CopyState::kStale);
  EXPECT_EQ(shard.copies[1].reason, "the proxy did not stop in order");
  EXPECT_EQ(shard.copies[1].cause, StaleCause::kNotClean);
  EXPECT_EQ(shard.copies[2].reason, "it was away");
  EXPECT_EQ(shard.copies[2].cause, StaleCause::kOther);

  // By the next start it may have missed writes, whether that one was in order or not.
  for (const bool clean : {true, false}) {
    Topology later = *topology;
    later.clean = clean;
    const auto next = InitialTopology({{"s", {"n1", "n2", "n3"}}}, &later, &error);
    ASSERT_TRUE(next) << error;
    EXPECT_EQ(next->shards[0].copies[1].cause, StaleCause::kNotCleanBefore);
    EXPECT_EQ(next->shards[0].copies[2].cause, StaleCause::kOther);
    // The words are for people: only the cause is looked at.
    later.shards[0].copies[1].cause = StaleCause::kOther;
    EXPECT_EQ(
        InitialTopology({{"s", {"n1", "n2", "n3"}}}, &later, &error)->shards[0].copies[1].cause,
        StaleCause::kOther);
  }
}

TEST(InitialTopology, RefusesMembersThatBreakTheInvariants) {
  std::string error;
  EXPECT_FALSE(InitialTopology({{"s", {}}}, nullptr, &error));
  EXPECT_FALSE(InitialTopology({{"s", {"a", "a"}}}, nullptr, &error));
  EXPECT_EQ(error, "shard \"s\" has a twice");
  EXPECT_FALSE(InitialTopology({{"s", {"a"}}, {"s", {"b"}}}, nullptr, &error));
  EXPECT_FALSE(InitialTopology({{"", {"a"}}}, nullptr, &error));
  EXPECT_FALSE(InitialTopology({{"s", {""}}}, nullptr, &error));
}

RingSpec RingSample(std::vector<RingShard> shards, uint32_t points = 8) {
  RingSpec spec;
  spec.points = points;
  spec.hash_tag = "{}";
  spec.shards = std::move(shards);
  return spec;
}

// Shards a and b, whose ring is `id` 1.
Topology TwoShards() {
  std::string error;
  return *InitialTopology({{"a", {"n1"}}, {"b", {"n2"}}}, RingSample({{"a", 1}, {"b", 1}}), nullptr,
                          &error);
}

Edit SetRing(RingSpec spec) {
  Edit edit{EditKind::kSetRing, "", "", "", ""};
  edit.spec = std::move(spec);
  return edit;
}

Edit Swept(const std::string& shard, uint64_t ring) {
  Edit edit{EditKind::kSwept, shard, "", "", ""};
  edit.ring = ring;
  return edit;
}

TEST(Apply, SetRingGivesTheNextId) {
  std::string error;
  const Topology first = TwoShards();
  ASSERT_EQ(first.rings.size(), 1U);
  EXPECT_EQ(first.rings[0].id, 1U);
  // The same ring, in another order and whatever its id.
  RingSpec same = RingSample({{"b", 1}, {"a", 1}});
  same.id = 7;
  EXPECT_EQ(*Apply(first, SetRing(same), &error), first);
  const auto next = Apply(first, SetRing(RingSample({{"a", 2}, {"b", 1}})), &error);
  ASSERT_TRUE(next) << error;
  EXPECT_EQ(next->epoch, first.epoch + 1);
  EXPECT_EQ(next->shards, first.shards);
  ASSERT_EQ(next->rings.size(), 2U);
  EXPECT_EQ(next->rings[1].id, 2U);
  // Back again: that is a third one.
  const auto back = Apply(*next, SetRing(first.rings[0]), &error);
  ASSERT_TRUE(back) << error;
  EXPECT_EQ(back->rings.size(), 3U);
  EXPECT_EQ(back->rings[2].id, 3U);
  EXPECT_TRUE(SameRing(back->rings[2], back->rings[0]));
}

TEST(Apply, SetRingRefusesWhatIsNoRing) {
  std::string error;
  const Topology first = TwoShards();
  const auto refusal = [&](const RingSpec& spec) {
    error.clear();
    EXPECT_FALSE(Apply(first, SetRing(spec), &error));
    return error;
  };
  EXPECT_EQ(refusal(RingSample({{"a", 1}, {"c", 1}})),
            "the ring has a shard \"c\", which is not there");
  EXPECT_EQ(refusal(RingSample({})), "a ring has no shards");
  EXPECT_EQ(refusal(RingSample({{"a", 1}}, 0)), "a ring has no points");
  EXPECT_EQ(refusal(RingSample({{"a", 0}})), "shard \"a\" has no weight in a ring");
  EXPECT_EQ(refusal(RingSample({{"a", 1}, {"a", 1}})), "a ring has shard \"a\" twice");
  EXPECT_EQ(refusal(RingSample({{"a", 1u << 31}}, 1)), "a ring has too many points");
  RingSpec odd = RingSample({{"a", 1}});
  odd.hash_tag = "{";
  EXPECT_NE(refusal(odd), "");
}

TEST(Apply, SweptDropsTheRingsThatNobodyNeeds) {
  std::string error;
  Topology topology = TwoShards();
  for (uint32_t weight = 2; weight <= 4; ++weight) {
    topology = *Apply(topology, SetRing(RingSample({{"a", weight}, {"b", 1}})), &error);
  }
  ASSERT_EQ(topology.rings.size(), 4U);
  const uint64_t epoch = topology.epoch;
  topology = *Apply(topology, Swept("a", 4), &error);
  EXPECT_EQ(topology.rings.size(), 4U) << "b may hold anything";
  EXPECT_EQ(topology.shards[0].swept, 4U);
  EXPECT_EQ(topology.shards[0].epoch, 1U);
  EXPECT_EQ(topology.epoch, epoch + 1);
  topology = *Apply(topology, Swept("b", 2), &error);
  ASSERT_EQ(topology.rings.size(), 3U);
  EXPECT_EQ(topology.rings[0].id, 2U);
  // It never goes back, and the ring must be there.
  EXPECT_EQ(*Apply(topology, Swept("a", 3), &error), topology);
  EXPECT_FALSE(Apply(topology, Swept("b", 1), &error));
  EXPECT_EQ(error, "shard \"b\" cannot be swept for ring 1, which is not kept");
  EXPECT_FALSE(Apply(topology, Swept("b", 5), &error));
  EXPECT_FALSE(Apply(topology, Swept("c", 4), &error));
  topology = *Apply(topology, Swept("b", 4), &error);
  ASSERT_EQ(topology.rings.size(), 1U);
  EXPECT_EQ(topology.rings[0].id, 4U);
  EXPECT_EQ(Apply(topology, SetRing(RingSample({{"a", 1}})), &error)->rings.back().id, 5U);
}

TEST(Apply, AShardThatIsGoneNeedsNoRings) {
  std::string error;
  Topology topology = TwoShards();
  topology = *Apply(topology, SetRing(RingSample({{"a", 1}})), &error);
  topology = *Apply(topology, Swept("a", 2), &error);
  ASSERT_EQ(topology.rings.size(), 1U);
  EXPECT_EQ(topology.rings[0].id, 2U);
}

TEST(Apply, TooManyRingsAreRefused) {
  std::string error;
  Topology topology = TwoShards();
  for (uint32_t weight = 2; topology.rings.size() < kMaxRings; ++weight) {
    topology = *Apply(topology, SetRing(RingSample({{"a", weight}, {"b", 1}})), &error);
  }
  EXPECT_FALSE(Apply(topology, SetRing(RingSample({{"a", 1}, {"b", 99}})), &error));
  EXPECT_NE(error.find("32 rings wait until"), std::string::npos) << error;
  EXPECT_TRUE(Apply(topology, SetRing(topology.rings.back()), &error));
  EXPECT_FALSE(InitialTopology({{"a", {"n1"}}, {"b", {"n2"}}}, RingSample({{"a", 1}, {"b", 99}}),
                               &topology, &error));
}

TEST(Apply, DataOfAnotherTimeIsNotSwept) {
  std::string error;
  Topology topology = Sample();
  topology.rings.push_back(RingSample({{"s", 1}}));
  topology.rings[0].id = 3;
  topology.shards[0].swept = 3;
  EXPECT_EQ(Apply(topology, Make(EditKind::kPromote, "n2", "x"), &error)->shards[0].swept, 3U);
  EXPECT_EQ(Apply(topology, Make(EditKind::kMarkInSync, "n3", "run9"), &error)->shards[0].swept,
            3U);
  EXPECT_EQ(Apply(topology, Make(EditKind::kForcePromote, "n2", "run2"), &error)->shards[0].swept,
            3U);
  EXPECT_EQ(Apply(topology, Make(EditKind::kForcePromote, "n3", "run3"), &error)->shards[0].swept,
            0U);
  EXPECT_EQ(Apply(topology, Make(EditKind::kSetRunId, "n1", "run8"), &error)->shards[0].swept, 0U);
  topology.shards[0].copies[0].run_id.clear();
  EXPECT_EQ(Apply(topology, Make(EditKind::kSetRunId, "n1", "run8"), &error)->shards[0].swept, 3U);
}

TEST(InitialTopology, ARingThatChangedWhileStoppedIsANewOne) {
  std::string error;
  const std::vector<ShardMembers> members = {{"a", {"n1"}}, {"b", {"n2"}}};
  // An older state knows no rings.
  Topology old = TwoShards();
  old.rings.clear();
  const RingSpec ring = RingSample({{"b", 1}, {"a", 1}});
  Topology topology = *InitialTopology(members, ring, &old, &error);
  ASSERT_EQ(topology.rings.size(), 1U);
  EXPECT_EQ(topology.rings[0].id, 1U);
  EXPECT_EQ(topology.epoch, old.epoch + 1);
  topology.shards[0].swept = 1;
  EXPECT_EQ(*InitialTopology(members, RingSample({{"a", 1}, {"b", 1}}), &topology, &error),
            topology);
  // b goes: what it had is a's from ring 2 on. It comes back with whatever it holds.
  topology = *InitialTopology({{"a", {"n1"}}}, RingSample({{"a", 1}}), &topology, &error);
  ASSERT_EQ(topology.rings.size(), 2U);
  EXPECT_EQ(topology.shards[0].swept, 1U);
  topology = *InitialTopology(members, ring, &topology, &error);
  ASSERT_EQ(topology.rings.size(), 3U);
  EXPECT_EQ(topology.rings[2].id, 3U);
  EXPECT_EQ(topology.shards[0].swept, 1U);
  EXPECT_EQ(topology.shards[1].swept, 0U);
  EXPECT_FALSE(InitialTopology({{"a", {"n1"}}}, ring, &topology, &error));
}

TEST(CheckTopology, FindsEachBreachOfTheRings) {
  const auto breach = [](auto change) {
    Topology topology = TwoShards();
    topology.rings.push_back(topology.rings[0]);
    topology.rings[1].id = 2;
    change(&topology);
    std::string error;
    return !CheckTopology(topology, &error) && !error.empty();
  };
  EXPECT_FALSE(breach([](Topology*) {}));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[1].id = 1; }));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[0].id = 0; }));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[0].shards.clear(); }));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[1].shards.push_back({"c", 1}); }));
  EXPECT_FALSE(breach([](Topology* t) { t->rings[0].shards.push_back({"c", 1}); }));
  EXPECT_FALSE(breach([](Topology* t) { t->shards[0].swept = 2; }));
  EXPECT_TRUE(breach([](Topology* t) { t->shards[0].swept = 3; }));
  EXPECT_TRUE(breach([](Topology* t) {
    for (uint64_t id = 3; id < kMaxRings + 2; ++id) {
      t->rings.push_back(t->rings[0]);
      t->rings.back().id = id;
    }
  }));
}

TEST(CheckTopology, FindsEachBreach) {
  const auto breach = [](auto change) {
    Topology topology = Sample();
    change(&topology.shards[0]);
    std::string error;
    return !CheckTopology(topology, &error) && !error.empty();
  };
  EXPECT_FALSE(breach([](ShardInfo*) {}));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->primary = 3; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->primary = 2; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->epoch = 0; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->copies[2].reason = ""; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->copies[1].reason = "x"; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->copies[1].cause = StaleCause::kNotClean; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->copies[2].node = "n1"; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->adopted = true; }));
  EXPECT_FALSE(breach([](ShardInfo* s) { s->copies[2].drained_by = DrainedBy::kOperator; }));
  EXPECT_TRUE(breach([](ShardInfo* s) { s->copies[1].drained_by = DrainedBy::kConfig; }));
}

// The invariants as topology.h tells them, in other words than CheckTopology.
void ExpectInvariants(const Topology& topology) {
  std::string error;
  ASSERT_TRUE(CheckTopology(topology, &error)) << error;
  std::set<std::string> names;
  for (const ShardInfo& shard : topology.shards) {
    ASSERT_TRUE(names.insert(shard.name).second);
    ASSERT_LT(shard.primary, shard.copies.size());
    ASSERT_EQ(shard.copies[shard.primary].state, CopyState::kInSync);
    for (const CopyInfo& copy : shard.copies) {
      ASSERT_EQ(copy.state == CopyState::kStale, !copy.reason.empty());
      ASSERT_TRUE(!copy.drained() || copy.state == CopyState::kStale);
    }
  }
}

bool SameRolesAndStates(const ShardInfo& a, const ShardInfo& b) {
  return a.primary == b.primary && a.adopted == b.adopted &&
         std::equal(a.copies.begin(), a.copies.end(), b.copies.begin(), b.copies.end(),
                    [](const CopyInfo& x, const CopyInfo& y) {
                      return x.node == y.node && x.state == y.state && x.reason == y.reason &&
                             x.cause == y.cause && x.drained_by == y.drained_by;
                    });
}

class RandomHistory {
 public:
  explicit RandomHistory(uint64_t seed) : random_(seed) {}

  void Run(int steps) {
    std::string error;
    std::optional<Topology> first = InitialTopology(RandomMembers(), nullptr, &error);
    ASSERT_TRUE(first) << error;
    now_ = *first;
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(now_));
    for (int i = 0; i < steps; ++i) {
      if (Below(40) == 0) {
        ASSERT_NO_FATAL_FAILURE(Restart());
      } else {
        ASSERT_NO_FATAL_FAILURE(Step());
      }
    }
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  std::string Name(const char* prefix, uint64_t n) { return prefix + std::to_string(Below(n)); }

  std::vector<ShardMembers> RandomMembers() {
    std::vector<ShardMembers> members;
    for (int s = 0; s < 3; ++s) {
      if (s > 0 && Below(4) == 0) continue;
      std::vector<std::string> nodes = {"n0", "n1", "n2"};
      std::shuffle(nodes.begin(), nodes.end(), random_);
      nodes.resize(1 + Below(3));
      members.push_back({"s" + std::to_string(s), nodes});
    }
    return members;
  }

  RingSpec RandomRing() {
    RingSpec spec;
    spec.points = static_cast<uint32_t>(1 + Below(2));
    for (int s = 0; s < 3; ++s) {
      if (Below(3) > 0) spec.shards.push_back({"s" + std::to_string(s), 1});
    }
    return spec;
  }

  // What a shard needs to know which of its keys may be old is not dropped.
  static void ExpectRingsKept(const Topology& before, const Topology& now) {
    if (before.rings.empty()) return;
    ASSERT_FALSE(now.rings.empty());
    ASSERT_GE(now.rings.back().id, before.rings.back().id);
    for (const RingSpec& ring : before.rings) {
      const bool kept = std::count(now.rings.begin(), now.rings.end(), ring) == 1;
      for (const RingShard& shard : now.rings.back().shards) {
        const ShardInfo& info = now.shards[static_cast<size_t>(now.IndexOf(shard.name))];
        if (info.swept <= ring.id) {
          ASSERT_TRUE(kept);
        }
      }
    }
  }

  // Nobody but the shard or the copy that the edit names comes or goes.
  static void ExpectMembers(const Edit& edit, const Topology& before, const Topology& now) {
    ASSERT_EQ(now.epoch, before.epoch + (now.shards == before.shards ? 0 : 1));
    ASSERT_EQ(now.rings, before.rings);
    for (const Topology* side : {&before, &now}) {
      const Topology& other = side == &before ? now : before;
      for (const ShardInfo& shard : side->shards) {
        const int index = other.IndexOf(shard.name);
        if (index < 0) {
          ASSERT_EQ(shard.name, edit.shard);
          continue;
        }
        const ShardInfo& twin = other.shards[static_cast<size_t>(index)];
        ASSERT_EQ(shard.copies[shard.primary].node, twin.copies[twin.primary].node);
        for (const CopyInfo& copy : shard.copies) {
          const int known = twin.IndexOf(copy.node);
          if (known < 0) {
            ASSERT_EQ(copy.node, edit.node);
          } else {
            ASSERT_EQ(copy, twin.copies[static_cast<size_t>(known)]);
          }
        }
      }
    }
  }

  void Step() {
    const Edit edit{static_cast<EditKind>(Below(static_cast<uint64_t>(EditKind::kSwept) + 1)),
                    Name("s", 4),
                    Name("n", 4),
                    Below(8) == 0 ? "" : Name("run", 3),
                    Below(4) == 0 ? "" : "why",
                    {Name("n", 4)},
                    RandomRing(),
                    Below(6),
                    static_cast<DrainedBy>(Below(3)),
                    Below(2) == 0 ? kAnyEpoch : Below(8)};
    const Topology before = now_;
    std::string error;
    std::optional<Topology> next = Apply(now_, edit, &error);
    ASSERT_EQ(now_, before);
    if (!next) {
      ASSERT_FALSE(error.empty());
      return;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*next));
    if (edit.expected != kAnyEpoch) {
      const int at = before.IndexOf(edit.shard);
      ASSERT_GE(at, 0);
      ASSERT_EQ(before.shards[static_cast<size_t>(at)].epoch, edit.expected);
    }
    if (edit.kind == EditKind::kAddShard || edit.kind == EditKind::kRemoveShard ||
        edit.kind == EditKind::kAddCopy || edit.kind == EditKind::kRemoveCopy) {
      ASSERT_NO_FATAL_FAILURE(ExpectMembers(edit, before, *next));
      now_ = *std::move(next);
      return;
    }
    ASSERT_EQ(next->shards.size(), before.shards.size());
    bool changed = next->clean != before.clean || next->rings != before.rings;
    ASSERT_NO_FATAL_FAILURE(ExpectRingsKept(before, *next));
    for (size_t i = 0; i < before.shards.size(); ++i) {
      const ShardInfo& a = before.shards[i];
      const ShardInfo& b = next->shards[i];
      ASSERT_EQ(b.epoch, a.epoch + (SameRolesAndStates(a, b) ? 0 : 1));
      if (a.name != edit.shard) {
        ASSERT_EQ(a, b) << "an edit of one shard changed another";
      }
      changed = changed || a != b;
    }
    ASSERT_EQ(next->epoch, before.epoch + (changed ? 1 : 0));
    now_ = *std::move(next);
  }

  // What was stale may have become in sync only by an edit, whatever the config says now.
  void Restart() {
    const std::vector<ShardMembers> members = RandomMembers();
    RingSpec ring;
    ring.points = 1;
    for (const ShardMembers& shard : members) ring.shards.push_back({shard.name, 1});
    std::string error;
    std::optional<Topology> next = InitialTopology(members, ring, &now_, &error);
    if (!next) {
      ASSERT_FALSE(error.empty());
      return;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*next));
    ASSERT_GE(next->epoch, now_.epoch);
    ASSERT_EQ(next->epoch == now_.epoch, *next == now_);
    ASSERT_TRUE(next->clean);
    for (const ShardInfo& shard : next->shards) {
      const int index = now_.IndexOf(shard.name);
      if (index < 0) continue;
      const ShardInfo& old = now_.shards[static_cast<size_t>(index)];
      ASSERT_GE(shard.epoch, old.epoch);
      for (const CopyInfo& copy : shard.copies) {
        if (copy.state != CopyState::kInSync) continue;
        const int known = old.IndexOf(copy.node);
        ASSERT_GE(known, 0);
        ASSERT_EQ(copy, old.copies[static_cast<size_t>(known)]);
        if (!now_.clean) {
          ASSERT_EQ(shard.copies[shard.primary].node, copy.node);
        }
      }
    }
    now_ = *std::move(next);
  }

  std::mt19937_64 random_;
  Topology now_;
};

TEST(Topology, RandomHistoriesKeepTheInvariants) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(RandomHistory(seed).Run(100));
  }
}

}  // namespace
}  // namespace gemel::topology_test
