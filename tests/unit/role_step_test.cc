// The next step of the roles, from a view alone.

#include "backend/shard/role_step.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::role_step_test {
namespace {

// Copies n0 (the primary), n1, ... in sync, up and well.
RoleView Well(uint32_t copies) {
  static const std::string names[] = {"n0", "n1", "n2"};
  static const std::string ids[] = {"r0", "r1", "r2"};
  RoleView view;
  view.now_ms = 100000;
  view.members = copies;
  view.wait_ms = 5000;
  view.writes_sent = 7;
  for (uint32_t i = 0; i < copies; ++i) {
    CopyView copy;
    copy.stage = CopyStage::kInSync;
    copy.link_up = copy.up = copy.hopeful = true;
    copy.keys = 5;
    copy.name = names[i];
    copy.run_id = copy.known_run_id = ids[i];
    copy.leave_reason = "gone";
    view.copies.push_back(copy);
  }
  return view;
}

void Down(CopyView* copy) {
  copy->link_up = copy->up = copy->hopeful = false;
  copy->absence = Absence::kHopeless;
}

void Restart(CopyView* copy, uint64_t keys) {
  copy->stage = CopyStage::kReplaced;
  copy->link_up = true;
  copy->up = false;
  copy->keys = keys;
  copy->run_id = "other";
}

void ExpectEdit(const RoleView& view, EditKind kind, uint32_t copy) {
  const RoleStep step = NextRoleStep(view);
  ASSERT_TRUE(step.edit);
  EXPECT_EQ(step.edit->kind, kind);
  EXPECT_EQ(step.edit->copy, copy);
}

TEST(RoleStep, NothingToDoWhereAllAreWell) {
  const RoleStep step = NextRoleStep(Well(3));
  EXPECT_FALSE(step.edit);
  EXPECT_TRUE(step.all_well);
}

TEST(RoleStep, APrimaryThatIsDownIsReplaced) {
  RoleView view = Well(2);
  Down(&view.copies[0]);
  ExpectEdit(view, EditKind::kPromote, 1);
  EXPECT_EQ(NextRoleStep(view).edit->reason, "n0: gone");
}

TEST(RoleStep, AReplicaThatIsDownIsStale) {
  RoleView view = Well(2);
  Down(&view.copies[1]);
  ExpectEdit(view, EditKind::kMarkStale, 1);
}

TEST(RoleStep, TheLastCopyInSyncNeverLeaves) {
  RoleView view = Well(2);
  view.copies[1].stage = CopyStage::kBehind;
  Down(&view.copies[0]);
  EXPECT_FALSE(NextRoleStep(view).edit);
  EXPECT_TRUE(PrimaryIsLost(view));
}

TEST(RoleStep, WithinItsGraceNobodyLeaves) {
  RoleView view = Well(2);
  view.copies[0].stage = CopyStage::kUnsure;
  view.copies[0].absence = Absence::kGrace;
  view.copies[0].grace_until_ms = view.now_ms + 1;
  EXPECT_FALSE(NextRoleStep(view).edit);
  view.now_ms += 1;
  ExpectEdit(view, EditKind::kPromote, 1);
}

// Nobody is good but the one that may be back: it is waited for.
TEST(RoleStep, ADoubtfulCopyDoesNotOustOneThatMayComeBack) {
  RoleView view = Well(2);
  view.copies[0].link_up = view.copies[0].up = false;  // hopeful
  view.copies[1].stage = CopyStage::kUnsure;
  EXPECT_FALSE(NextRoleStep(view).edit);
  view.copies[0].hopeful = false;
  ExpectEdit(view, EditKind::kPromote, 1);
}

TEST(RoleStep, AllUnsureThePrimaryIsTheTruthAndRightOnceItIsAlone) {
  RoleView view = Well(2);
  view.copies[0].stage = view.copies[1].stage = CopyStage::kUnsure;
  ExpectEdit(view, EditKind::kMarkStale, 1);
  EXPECT_LT(NextRoleStep(view).alone, 0);
  view.copies[1].stage = CopyStage::kBehind;
  EXPECT_EQ(NextRoleStep(view).alone, 0);
  EXPECT_FALSE(NextRoleStep(view).edit);
}

TEST(RoleStep, TheOnlyCopyThatRestartedEmptyGoesOn) {
  RoleView view = Well(2);
  view.copies[1].stage = CopyStage::kUnknown;
  Restart(&view.copies[0], 0);
  ExpectEdit(view, EditKind::kSetRunId, 0);
}

TEST(RoleStep, TheOnlyCopyThatRestartedWithDataIsNotTaken) {
  RoleView view = Well(2);
  view.copies[1].stage = CopyStage::kUnknown;
  Restart(&view.copies[0], 3);
  EXPECT_TRUE(HoldsOldData(view));
  EXPECT_FALSE(NextRoleStep(view).edit);
  EXPECT_TRUE(NextRoleStep(view).old_data);
  view.accepted_run_id = "other";  // the operator's word
  ExpectEdit(view, EditKind::kSetRunId, 0);
  view.accepted_run_id = {};
  view.copies[0].whole = true;  // or it has all that it ever answered
  ExpectEdit(view, EditKind::kSetRunId, 0);
}

TEST(RoleStep, AllRestartedThePrimaryCountsUnlessAnotherIsWhole) {
  RoleView view = Well(2);
  Restart(&view.copies[0], 3);
  Restart(&view.copies[1], 4);
  RoleStep step = NextRoleStep(view);
  EXPECT_EQ(step.accept, 0);
  ExpectEdit(view, EditKind::kMarkStale, 1);
  view.copies[1].whole = true;
  ExpectEdit(view, EditKind::kPromote, 1);
}

TEST(RoleStep, BothEmptySinceTheyConnectedAreEqual) {
  RoleView view = Well(2);
  view.copies[1].stage = CopyStage::kUnknown;
  view.copies[0].empty_at = view.copies[1].empty_at = view.writes_sent;
  ExpectEdit(view, EditKind::kMarkInSync, 1);
  view.writes_in_flight = 1;
  EXPECT_FALSE(NextRoleStep(view).edit);
}

TEST(RoleStep, AfterACrashAnEqualCopyTakesALostPrimarysPlace) {
  RoleView view = Well(2);
  view.writes_sent = 0;
  view.copies[1].stage = CopyStage::kUnknown;
  view.copies[1].was_equal = true;
  Down(&view.copies[0]);
  ExpectEdit(view, EditKind::kForcePromote, 1);
  view.ack = Ack::kPrimary;  // it may lack the last writes, and the primary is only out of reach
  EXPECT_FALSE(NextRoleStep(view).edit);
  view.ack = Ack::kAll;
  view.copies[1].link_up = view.copies[1].up = false;  // not heard yet
  EXPECT_TRUE(NextRoleStep(view).awaits);
  EXPECT_TRUE(IsHopeful(view));
  view.writes_sent = 1;
  EXPECT_FALSE(NextRoleStep(view).awaits);
}

}  // namespace
}  // namespace gemel::role_step_test
