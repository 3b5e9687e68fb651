#include "backend/shard/role_step.h"

#include "backend/link/node_identity.h"

namespace gemel {

namespace {

uint32_t Count(const RoleView& view) { return static_cast<uint32_t>(view.copies.size()); }

// The primary is up, but its data is gone: another process than the saved one, with nothing, or one
// that was another's replica meanwhile. Not of one that has all that it ever answered.
bool CameBackEmpty(const RoleView& view) {
  const CopyView& primary = view.copies[view.primary];
  return view.IsAlone(view.primary) && primary.stage == CopyStage::kReplaced && !primary.whole &&
         primary.link_up && primary.keys == 0;
}

bool IsEqualsData(const CopyView& copy) {
  return copy.link_up && !copy.is_replica && HoldsSameData(copy.known_run_id, copy.run_id);
}

// Of those that are up and in no doubt; -1: there is none.
int PickGood(const RoleView& view) {
  int best = -1;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (!view.InSync(i) || !copy.up || copy.stage == CopyStage::kUnsure || MustLeave(view, i)) {
      continue;
    }
    if (best < 0 || i == view.primary) best = static_cast<int>(i);
  }
  return best;
}

// Somebody without doubts may still come back.
bool AwaitsGood(const RoleView& view) {
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if ((copy.stage == CopyStage::kInSync || copy.stage == CopyStage::kRefused) && copy.hopeful &&
        !copy.link_up) {
      return true;
    }
  }
  return false;
}

// All that are up lost writes in flight: their clients were told that the outcome is unknown, so
// either outcome is right.
int PickUnsure(const RoleView& view) {
  int best = -1;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (!view.InSync(i) || !copy.up || copy.stage == CopyStage::kReplaced) continue;
    if (best < 0 || i == view.primary) best = static_cast<int>(i);
  }
  return best;
}

// All that are up restarted. One that is alone, or the primary when the others restarted too, is
// what there is, but one that has all on its disk comes before it; or, once those that may still
// have the data had time to come back, such a one or one that is empty (misses, never old values).
int PickReplaced(const RoleView& view) {
  bool all_replaced = true;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (view.InSync(i) && !(copy.stage == CopyStage::kReplaced && copy.link_up)) {
      all_replaced = false;
    }
  }
  int best = -1;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (copy.stage != CopyStage::kReplaced || !copy.link_up) continue;
    if (!all_replaced &&
        ((copy.keys != 0 && !copy.whole) || view.now_ms < copy.replaced_ms + view.wait_ms)) {
      continue;
    }
    const bool best_whole = best >= 0 && view.copies[static_cast<uint32_t>(best)].whole;
    if (best < 0 || (i == view.primary ? !best_whole || copy.whole : copy.whole && !best_whole)) {
      best = static_cast<int>(i);
    }
  }
  return best;
}

// The copy whose data is the truth if somebody has to leave: up, and in no doubt. Where all are in
// doubt, the doubts are weighed. -1: nobody can be named now, so nobody leaves.
int PickAuthority(const RoleView& view) {
  if (const int good = PickGood(view); good >= 0) return good;
  if (AwaitsGood(view)) return -1;
  if (const int unsure = PickUnsure(view); unsure >= 0) return unsure;
  return PickReplaced(view);
}

// A stale copy that is equal to the primary all the same, because both are empty; -1 if there is
// none. Both were empty when they connected, and the shard has sent no write to anybody since.
int PickEmptyLikePrimary(const RoleView& view) {
  const CopyView& primary = view.copies[view.primary];
  if (!primary.up || primary.empty_at != view.writes_sent || view.writes_in_flight != 0) return -1;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (!view.InSync(i) && copy.link_up && !copy.drained && copy.empty_at == view.writes_sent) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

std::string Text(std::string_view a, std::string_view b, std::string_view c = {}) {
  std::string text(a);
  text += b;
  text += c;
  return text;
}

// Somebody must leave, and the data of `chosen` is the truth.
void PlanLeaving(const RoleView& view, uint32_t chosen, RoleStep* step) {
  if (view.copies[chosen].stage == CopyStage::kReplaced && !view.IsAlone(chosen)) {
    step->accept = static_cast<int>(chosen);
  }
  const CopyView& primary = view.copies[view.primary];
  if (chosen != view.primary && MustLeave(view, view.primary)) {
    step->edit = {EditKind::kPromote, chosen, {}, Text(primary.name, ": ", primary.leave_reason)};
    return;
  }
  for (uint32_t i = 0; i < Count(view); ++i) {
    if (i == view.primary || i == chosen || !view.InSync(i) || !MustLeave(view, i)) continue;
    step->edit = {EditKind::kMarkStale, i, {}, std::string(view.copies[i].leave_reason)};
    return;
  }
  // Only once it is alone is a doubtful copy right: until then one without doubts may come back,
  // and the two would not be equal.
  if (!view.IsAlone(chosen)) return;
  step->alone = static_cast<int>(chosen);
  if (HoldsOldData(view)) {
    step->old_data = true;
  } else if (view.copies[chosen].stage == CopyStage::kReplaced) {
    step->edit = {EditKind::kSetRunId, chosen, std::string(view.copies[chosen].run_id),
                  "no other copy is left"};
  }
}

}  // namespace

bool RoleView::IsAlone(uint32_t copy) const {
  for (uint32_t i = 0; i < copies.size(); ++i) {
    if (InSync(i) != (i == copy)) return false;
  }
  return true;
}

bool OthersAreGood(const RoleView& view, uint32_t copy) {
  for (uint32_t i = 0; i < Count(view); ++i) {
    if (i != copy && view.copies[i].stage == CopyStage::kInSync && view.copies[i].up) return true;
  }
  return false;
}

bool MustLeave(const RoleView& view, uint32_t index) {
  const CopyView& copy = view.copies[index];
  if (copy.stage == CopyStage::kReplaced) return true;
  if (copy.absence == Absence::kGrace && view.now_ms < copy.grace_until_ms &&
      OthersAreGood(view, index)) {
    return false;
  }
  if (copy.stage == CopyStage::kUnsure) return true;
  if (copy.link_up) return false;
  if (copy.absence != Absence::kNone && OthersAreGood(view, index)) return true;
  return !copy.hopeful || copy.is_down;
}

int EqualOfPrimary(const RoleView& view, bool* awaited) {
  *awaited = false;
  const bool empty = CameBackEmpty(view);
  if (view.writes_sent != 0 || (view.ack != Ack::kAll && !empty) || !view.IsAlone(view.primary) ||
      !MustLeave(view, view.primary)) {
    return -1;
  }
  int chosen = -1;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (view.InSync(i) || !copy.was_equal || copy.drained || copy.known_run_id.empty() ||
        copy.forgotten) {
      continue;
    }
    if (IsEqualsData(copy)) {
      if (chosen < 0 || copy.keys > view.copies[static_cast<uint32_t>(chosen)].keys) {
        chosen = static_cast<int>(i);
      }
      continue;
    }
    *awaited |= !copy.link_up &&
                (copy.hopeful ||
                 (empty && view.now_ms < view.copies[view.primary].replaced_ms + view.wait_ms));
  }
  return chosen;
}

bool HoldsOldData(const RoleView& view) {
  const CopyView& copy = view.copies[view.primary];
  return view.members > 1 && view.IsAlone(view.primary) && copy.stage == CopyStage::kReplaced &&
         copy.link_up && copy.keys != 0 && !copy.whole && copy.run_id != view.accepted_run_id &&
         ProcessOf(copy.known_run_id) != ProcessOf(copy.run_id);
}

bool PrimaryIsLost(const RoleView& view) {
  return !view.stopped && view.IsAlone(view.primary) && !view.copies[view.primary].link_up &&
         MustLeave(view, view.primary);
}

bool IsStarting(const RoleView& view) {
  if (!view.adopted || view.members == 1 || view.now_ms >= view.start_until_ms) return false;
  for (const CopyView& copy : view.copies) {
    if (!copy.link_up && copy.hopeful) return true;
  }
  return false;
}

bool IsHopeful(const RoleView& view) {
  if (view.stopped) return false;
  if (view.edit_failed && !view.editing) return false;
  if (view.paused || view.editing || IsStarting(view)) return true;
  if (view.on_data_loss == OnDataLoss::kMiss && HoldsOldData(view)) return true;
  if (bool awaited = false; EqualOfPrimary(view, &awaited) >= 0 || awaited) return true;
  for (uint32_t i = 0; i < Count(view); ++i) {
    const CopyView& copy = view.copies[i];
    if (!view.InSync(i)) continue;
    if (copy.up || (!copy.link_up && copy.hopeful)) return true;
  }
  return false;
}

RoleStep NextRoleStep(const RoleView& view) {
  RoleStep step;
  bool awaited = false;
  // Where they may differ, all that can be heard are.
  const int equal = EqualOfPrimary(view, &awaited);
  if (equal >= 0 && (view.ack == Ack::kAll || !awaited)) {
    const CopyView& copy = view.copies[static_cast<uint32_t>(equal)];
    const CopyView& primary = view.copies[view.primary];
    step.edit = {EditKind::kForcePromote, static_cast<uint32_t>(equal), std::string(copy.run_id),
                 Text("it was in sync when the proxy was killed, and the primary ", primary.name,
                      " is lost: ") +
                     std::string(primary.leave_reason)};
    return step;
  }
  if (awaited) {
    step.awaits = true;
    return step;
  }
  bool leaving = false;
  for (uint32_t i = 0; i < Count(view); ++i) leaving |= view.InSync(i) && MustLeave(view, i);
  if (leaving) {
    const int authority = PickAuthority(view);
    if (authority >= 0) PlanLeaving(view, static_cast<uint32_t>(authority), &step);
    return step;
  }
  step.all_well = true;
  if (const int equal_one = PickEmptyLikePrimary(view); equal_one >= 0 && !view.paused) {
    const uint32_t chosen = static_cast<uint32_t>(equal_one);
    step.edit = {EditKind::kMarkInSync, chosen, std::string(view.copies[chosen].run_id),
                 "both copies are empty"};
  }
  return step;
}

}  // namespace gemel
