#include "backend/shard/loss_watch.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/keys/key_name.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/key_repair.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_control.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

// In one command, so that the node is not busy for long at a time.
constexpr size_t kDeletedAtOnce = 128;
constexpr uint64_t kDeleteAgainMs = 1000;

}  // namespace

void LossWatch::Tick(uint64_t now_ms) {
  if (parts_->options.on_data_loss != OnDataLoss::kMiss) return;
  ShardRoles& roles = *parts_->roles;
  const bool old_data = !roles.stopped() && roles.HoldsOldData();
  if (!old_data && !roles.PrimaryIsLost()) {
    lost_since_ms_ = 0;
    return;
  }
  if (lost_since_ms_ == 0) lost_since_ms_ = now_ms;
  if (parts_->hold->paused() || pending_ > 0 || !parts_->edits->MayPropose()) return;
  if (old_data) {
    // Who has everything that was acknowledged comes first: the roles see to that.
    bool awaited = false;
    if (EqualOfPrimary(roles.View(), &awaited) >= 0 || awaited) {
      roles.Reconcile();
    } else {
      DeleteDoubtful(parts_->copies->primary());
    }
    return;
  }
  if (now_ms < lost_since_ms_ + parts_->options.start_ms) return;
  const int chosen = PickSubstitute();
  if (chosen >= 0) TakeInstead(static_cast<uint32_t>(chosen));
}

int LossWatch::PickSubstitute() const {
  const Copies& copies = *parts_->copies;
  int chosen = -1;
  for (uint32_t i = 0; i < copies.count(); ++i) {
    const Link& link = copies.link(i);
    if (i == copies.primary() || !link.up() || copies.info(i).drained()) continue;
    if (link.identity().is_replica && !parts_->control->CanDetach()) continue;
    // One whose wrong keys are known loses less.
    if (chosen < 0 || parts_->way_back->Mendable(i)) chosen = static_cast<int>(i);
  }
  return chosen;
}

void LossWatch::TakeInstead(uint32_t copy) {
  if (!parts_->control->CanDetach()) {
    DeleteDoubtful(copy);
    return;
  }
  pending_ = 1;
  failed_ = false;
  parts_->control->Detach(copy, [this, copy](const std::string& error) {
    pending_ = 0;
    if (error.empty() && !parts_->edits->editing() && parts_->roles->PrimaryIsLost() &&
        parts_->copies->link(copy).up()) {
      DeleteDoubtful(copy);
      return;
    }
    lost_since_ms_ = 0;  // again, if need be, after a while
    if (error.empty()) return;
    parts_->Note(NoteLevel::kWarn, parts_->copies->info(copy).node +
                                       " cannot take the place of the lost primary: " + error);
  });
}

void LossWatch::NoteLoss(uint32_t copy, bool known) const {
  const Copies& copies = *parts_->copies;
  const std::string without =
      known ? std::to_string(parts_->journals->of(copy)->size()) + " key(s) that it may have wrong"
            : std::string("any data, for it is not known what it has wrong");
  parts_->NoteRole(NoteLevel::kError, "the last copy in sync, " +
                                          copies.info(copies.primary()).node + ", is lost; " +
                                          copies.info(copy).node + " takes its place without " +
                                          without + " (on_data_loss = \"miss\")");
}

void LossWatch::DeleteDoubtful(uint32_t copy) {
  std::vector<std::pair<uint8_t, std::string>> frames;  // and the database that each is about
  const bool known = parts_->way_back->Mendable(copy);
  if (known) {
    std::map<uint8_t, std::vector<std::string_view>> args;
    const auto cut = [&](uint8_t database) {
      std::vector<std::string_view>& some = args[database];
      if (some.size() > 1) frames.emplace_back(database, CommandFrame(some));
      some.assign(1, "UNLINK");
    };
    parts_->journals->of(copy)->ForEach([&](const std::string& name) {
      const uint8_t database = DatabaseOf(name);
      if (args[database].empty()) cut(database);
      args[database].push_back(KeyOf(name));
      if (args[database].size() > kDeletedAtOnce) cut(database);
      return true;
    });
    for (const auto& [database, some] : args) cut(database);
  } else {
    for (uint32_t i = 0; i < parts_->copies->databases(); ++i) {
      frames.emplace_back(static_cast<uint8_t>(i), CommandFrame({"FLUSHDB"}));
    }
  }
  if (copy != parts_->copies->primary()) NoteLoss(copy, known);
  pending_ = static_cast<uint32_t>(frames.size()) + 1;
  failed_ = false;
  parts_->roles->OnOverwritten(copy);
  for (const auto& [database, frame] : frames) {
    Op* op = parts_->ops->New();
    op->item_kind = LinkItem::Kind::kRepair;
    op->database = database;
    op->repair_job = KeyRepair::kNoJob;
    parts_->copies->link(copy).Send(op, frame);
  }
  OnDeleted(copy, true);
}

void LossWatch::OnDeleted(uint32_t copy, bool ok) {
  if (pending_ == 0) return;
  failed_ |= !ok;
  if (--pending_ == 0) OnEmptied(copy);
}

void LossWatch::OnEmptied(uint32_t copy) {
  const Copies& copies = *parts_->copies;
  const uint32_t primary = copies.primary();
  if (copy == primary && parts_->roles->HoldsOldData()) {
    if (failed_) {
      parts_->edits->WaitFor(kDeleteAgainMs);
    } else {
      parts_->roles->Accept(copy);
      parts_->roles->Reconcile();
    }
    return;
  }
  const Link& link = copies.link(copy);
  if (failed_ || parts_->edits->editing() || !parts_->roles->PrimaryIsLost() || !link.up()) {
    lost_since_ms_ = 0;  // again, if need be, after a while
    return;
  }
  parts_->edits->Propose(
      {EditKind::kForcePromote, copy, link.identity().run_id,
       copies.link(primary).name() + " is lost: " + parts_->roles->leave_reason(primary)});
  parts_->shard->Refresh();
}

}  // namespace gemel
