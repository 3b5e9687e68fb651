// The last copy in sync is lost, or has come back with data that may be old, and copies are left
// that may lack writes.

#include <vector>

#include "backend/resp/resp_writer.h"
#include "backend/shard/shard.h"
#include "backend/shard/shard_control.h"

namespace gemel {

namespace {

// In one command, so that the node is not busy for long at a time.
constexpr size_t kDeletedAtOnce = 128;
constexpr uint64_t kDeleteAgainMs = 1000;

}  // namespace

// The primary is up, but its data is gone: another process than the saved one, with nothing, or one
// that was another's replica meanwhile. Not of one that has all that it ever answered.
bool Shard::CameBackEmpty() const {
  const Copy& copy = *copies_[primary_];
  return in_sync_ == Bit(primary_) && copy.restarted && !copy.whole && copy.link->up() &&
         copy.link->identity().keys == 0;
}

// The proxy was killed, and the primary is gone, or came back without its data, before anything was
// written through this life of the proxy: then a copy that was in sync, and is the same process
// still, has all that was ever acknowledged, unless a resync has begun to overwrite it. Where less
// than "all" had to acknowledge it may lack the last writes, and so comes only before a primary
// that has nothing. Returns that copy, or -1; *awaited: one that may be it can still be heard from.
int Shard::EqualOfPrimary(bool* awaited) const {
  *awaited = false;
  const bool empty = CameBackEmpty();
  if (writes_sent_ != 0 || (options_.ack != Ack::kAll && !empty) || in_sync_ != Bit(primary_) ||
      !MustLeave(primary_)) {
    return -1;
  }
  int chosen = -1;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const CopyInfo& copy = info_.copies[i];
    const Link& link = *copies_[i]->link;
    if (copy.state != CopyState::kStale || copy.cause != StaleCause::kNotClean || copy.drained() ||
        copy.run_id.empty() || copies_[i]->forgotten) {
      continue;
    }
    if (link.up() && !link.identity().is_replica &&
        HoldsSameData(copy.run_id, link.identity().run_id)) {
      if (chosen < 0 ||
          link.identity().keys > copies_[static_cast<uint32_t>(chosen)]->link->identity().keys) {
        chosen = static_cast<int>(i);
      }
      continue;
    }
    *awaited |= !link.up() &&
                (link.hopeful() ||
                 (empty && env_->NowMs() < copies_[primary_]->restarted_ms + options_.wait_ms));
  }
  return chosen;
}

// True if that copy is being promoted, or is waited for.
bool Shard::TakeEqualOfPrimary() {
  bool awaited = false;
  const int chosen = EqualOfPrimary(&awaited);
  // Where they may differ, all that can be heard are.
  if (chosen >= 0 && (options_.ack == Ack::kAll || !awaited)) {
    const uint32_t copy = static_cast<uint32_t>(chosen);
    ProposeRole(EditKind::kForcePromote, copy, copies_[copy]->link->identity().run_id,
                "it was in sync when the proxy was killed, and the primary " +
                    copies_[primary_]->link->name() +
                    " is lost: " + copies_[primary_]->leave_reason);
    UpdateOpen();
    return true;
  }
  if (awaited) UpdateOpen();
  return awaited;
}

bool Shard::PrimaryIsLost() const {
  return !stopped_ && in_sync_ == Bit(primary_) && !copies_[primary_]->link->up() &&
         MustLeave(primary_);
}

bool Shard::HoldsOldData() const {
  const Copy& copy = *copies_[primary_];
  const NodeIdentity& identity = copy.link->identity();
  return member_count() > 1 && in_sync_ == Bit(primary_) && copy.restarted && copy.link->up() &&
         identity.keys != 0 && !copy.whole && identity.run_id != accepted_run_id_ &&
         ProcessOf(info_.copies[primary_].run_id) != ProcessOf(identity.run_id);
}

// All copies in sync restarted: what this one has is what there is, also once it is alone.
void Shard::AcceptTogether(uint32_t index) {
  const NodeIdentity& identity = copies_[index]->link->identity();
  if (identity.run_id == accepted_run_id_) return;
  accepted_run_id_ = identity.run_id;
  if (identity.keys == 0 || copies_[index]->whole) return;
  env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': all copies in sync restarted; the " +
                                   std::to_string(identity.keys) + " keys that " +
                                   info_.copies[index].node + " came back with count from now on");
}

void Shard::NoteOldData() {
  const Link& link = *copies_[primary_]->link;
  if (link.identity().run_id == refused_run_id_) return;
  refused_run_id_ = link.identity().run_id;
  env_->Note(NoteLevel::kError, "shard '" + info_.name + "': " + link.name() +
                                    " was the only copy in sync and restarted; the " +
                                    std::to_string(link.identity().keys) +
                                    " keys that it came back with may be old, and are " +
                                    (options_.on_data_loss == OnDataLoss::kMiss
                                         ? "deleted (on_data_loss = \"miss\")"
                                         : "not served: PROXY PROMOTE " + info_.name + " " +
                                               link.name() + " FORCE accepts them as they are"));
}

// on_data_loss = "miss": once the primary was away for a while, a stale copy takes its place. Every
// key that it may have wrong is deleted first, so that clients see misses, never old values. One
// that is back with data of its own is emptied at once.
void Shard::WatchLoss(uint64_t now_ms) {
  if (options_.on_data_loss != OnDataLoss::kMiss) return;
  const bool old_data = !stopped_ && HoldsOldData();
  if (!old_data && !PrimaryIsLost()) {
    lost_since_ms_ = 0;
    return;
  }
  if (lost_since_ms_ == 0) lost_since_ms_ = now_ms;
  if (editing_ || paused_ || deleting_.pending > 0 || now_ms < retry_edit_ms_) return;
  if (old_data) {
    if (!TakeEqualOfPrimary()) DeleteDoubtful(primary_);
    return;
  }
  if (now_ms < lost_since_ms_ + options_.start_ms) return;
  int chosen = -1;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const Link& link = *copies_[i]->link;
    if (i == primary_ || !link.up() || info_.copies[i].drained()) continue;
    if (link.identity().is_replica && !control_->CanDetach()) continue;
    // One whose wrong keys are known loses less.
    if (chosen < 0 || Mendable(i)) chosen = static_cast<int>(i);
  }
  if (chosen >= 0) TakeInstead(static_cast<uint32_t>(chosen));
}

// A resync that was broken off may have left it a replica, which takes no deletions.
void Shard::TakeInstead(uint32_t copy) {
  if (!control_->CanDetach()) {
    DeleteDoubtful(copy);
    return;
  }
  deleting_ = {1, false};
  control_->Detach(copy, [this, copy](const std::string& error) {
    deleting_.pending = 0;
    if (error.empty() && !editing_ && PrimaryIsLost() && copies_[copy]->link->up()) {
      DeleteDoubtful(copy);
      return;
    }
    lost_since_ms_ = 0;  // again, if need be, after a while
    if (error.empty()) return;
    env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': " + info_.copies[copy].node +
                                     " cannot take the place of the lost primary: " + error);
  });
}

void Shard::NoteLoss(uint32_t copy, bool known) {
  env_->NoteRole(
      NoteLevel::kError,
      "shard '" + info_.name + "': the last copy in sync, " + info_.copies[primary_].node +
          ", is lost; " + info_.copies[copy].node + " takes its place without " +
          (known ? std::to_string(copies_[copy]->journal->size()) + " key(s) that it may "
                                                                    "have wrong"
                 : std::string("any data, for it is not known what it has wrong")) +
          " (on_data_loss = \"miss\")");
}

void Shard::DeleteDoubtful(uint32_t copy) {
  std::vector<std::string> frames;
  std::vector<std::string_view> args;
  auto cut = [&] {
    if (args.size() > 1) AppendCommand(&frames.emplace_back(), args);
    args.assign(1, "UNLINK");
  };
  const bool known = Mendable(copy);
  if (known) {
    cut();
    copies_[copy]->journal->ForEach([&](const std::string& key) {
      args.push_back(key);
      if (args.size() > kDeletedAtOnce) cut();
      return true;
    });
    cut();
  } else {
    args.assign(1, "FLUSHDB");
    AppendCommand(&frames.emplace_back(), args);
  }
  if (copy != primary_) NoteLoss(copy, known);
  deleting_ = {static_cast<uint32_t>(frames.size()) + 1, false};
  for (const std::string& frame : frames) {
    Op* op = NewRepairOp();
    op->repair_job = KeyRepair::kNoJob;
    SendRepair(copy, op, frame);
  }
  OnDeleted(copy, true);
}

void Shard::OnDeleted(uint32_t copy, bool ok) {
  if (deleting_.pending == 0) return;
  deleting_.failed |= !ok;
  if (--deleting_.pending > 0) return;
  if (copy == primary_ && HoldsOldData()) {
    if (deleting_.failed) {
      retry_edit_ms_ = env_->NowMs() + kDeleteAgainMs;
    } else {
      accepted_run_id_ = copies_[copy]->link->identity().run_id;
      Reconcile();
    }
    return;
  }
  if (deleting_.failed || editing_ || !PrimaryIsLost() || !copies_[copy]->link->up()) {
    lost_since_ms_ = 0;  // again, if need be, after a while
    return;
  }
  ProposeRole(EditKind::kForcePromote, copy, copies_[copy]->link->identity().run_id,
              copies_[primary_]->link->name() + " is lost: " + copies_[primary_]->leave_reason);
  UpdateOpen();
}

}  // namespace gemel
