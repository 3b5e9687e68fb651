// Apply, InitialTopology and CheckTopology: each rule by itself, but for the rings.

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

TEST(Apply, DataOfAnotherTimeIsNotSwept) {
  std::string error;
  Topology topology = Sample();
  topology.rings.resize(1);
  topology.rings[0].id = 3;
  topology.rings[0].shards = {{"s", 1}};
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

TEST(Apply, SettingsOfANodeAreKeptBesideItsRole) {
  Edit edit{EditKind::kKeepSettings, "s", "n1", "", "its limit"};
  edit.settings = {{"maxmemory", "8", "9", ""}};
  std::string error;
  std::optional<Topology> next = Apply(Sample(), edit, &error);
  ASSERT_TRUE(next) << error;
  EXPECT_EQ(next->shards[0].copies[0].settings, edit.settings);
  EXPECT_EQ(next->shards[0].epoch, Sample().shards[0].epoch) << "no role has changed";
  EXPECT_EQ(next->epoch, Sample().epoch + 1);
  EXPECT_EQ(Apply(*next, edit, &error)->epoch, next->epoch) << "it changes nothing";
  next = Apply(*next, Make(EditKind::kPromote, "n2", "x"), &error);
  EXPECT_EQ(next->shards[0].copies[0].settings, edit.settings) << "roles come and go";
  edit.settings.clear();
  EXPECT_TRUE(Apply(*next, edit, &error)->shards[0].copies[0].settings.empty());

  edit.settings = {{"a", "", "", ""}, {"a", "", "", ""}};
  EXPECT_FALSE(Apply(Sample(), edit, &error));
  EXPECT_EQ(error, "n1 of shard \"s\" has the setting \"a\" twice");
  edit.settings = {{"", "", "", ""}};
  EXPECT_FALSE(Apply(Sample(), edit, &error));
  edit.settings.clear();
  for (size_t i = 0; i <= kMaxNodeSettings; ++i) {
    edit.settings.push_back({std::string(i + 1, 'x'), "", "", ""});
  }
  EXPECT_FALSE(Apply(Sample(), edit, &error));
  edit.settings.pop_back();
  EXPECT_TRUE(Apply(Sample(), edit, &error)) << error;
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
  EXPECT_TRUE(breach([](ShardInfo* s) { s->copies[1].settings = {{"", "", "", ""}}; }));
}

}  // namespace
}  // namespace gemel::topology_test
