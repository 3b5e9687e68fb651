// The last copy in sync is lost, and copies are left that may lack writes.

#include <vector>

#include "backend/resp/resp_writer.h"
#include "backend/shard/shard.h"
#include "backend/topology/not_clean.h"

namespace gemel {

namespace {

// In one command, so that the node is not busy for long at a time.
constexpr size_t kKeysAtOnce = 128;

}  // namespace

// The proxy was killed, and the primary is gone, or came back without its data, before anything was
// written through this life of the proxy: then a copy that was in sync, and is the same process
// still, has all that was ever acknowledged, unless a resync has begun to overwrite it. True if it
// is being promoted, or may still be heard from.
bool Shard::TakeEqualOfPrimary() {
  if (writes_sent_ != 0 || options_.ack != Ack::kAll || in_sync_ != Bit(primary_) ||
      !MustLeave(primary_)) {
    return false;
  }
  bool hopeful = false;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const CopyInfo& copy = info_.copies[i];
    const Link& link = *copies_[i]->link;
    if (copy.state != CopyState::kStale || copy.reason != kNotClean || copy.drained ||
        copy.run_id.empty() || copies_[i]->forgotten) {
      continue;
    }
    if (link.up() && !link.identity().is_replica &&
        HoldsSameData(copy.run_id, link.identity().run_id)) {
      ProposeRole(EditKind::kForcePromote, i, link.identity().run_id,
                  "it was in sync when the proxy was killed, and the primary " +
                      copies_[primary_]->link->name() +
                      " is lost: " + copies_[primary_]->leave_reason);
      UpdateOpen();
      return true;
    }
    hopeful |= !link.up() && link.hopeful();
  }
  if (hopeful) UpdateOpen();
  return hopeful;
}

bool Shard::PrimaryIsLost() const {
  return !stopped_ && in_sync_ == Bit(primary_) && !copies_[primary_]->link->up() &&
         MustLeave(primary_);
}

// on_data_loss = "miss": once the primary was away for a while, a stale copy takes its place. Every
// key that it may have wrong is deleted first, so that clients see misses, never old values.
void Shard::WatchLoss(uint64_t now_ms) {
  if (options_.on_data_loss != OnDataLoss::kMiss) return;
  if (!PrimaryIsLost()) {
    lost_since_ms_ = 0;
    return;
  }
  if (lost_since_ms_ == 0) lost_since_ms_ = now_ms;
  if (now_ms < lost_since_ms_ + options_.start_ms || editing_ || paused_ || deleting_.pending > 0 ||
      now_ms < retry_edit_ms_) {
    return;
  }
  int chosen = -1;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const Link& link = *copies_[i]->link;
    if (i == primary_ || !link.up() || link.identity().is_replica || info_.copies[i].drained)
      continue;
    // One whose wrong keys are known loses less.
    if (chosen < 0 || Mendable(i)) chosen = static_cast<int>(i);
  }
  if (chosen >= 0) DeleteDoubtful(static_cast<uint32_t>(chosen));
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
      if (args.size() > kKeysAtOnce) cut();
      return true;
    });
    cut();
  } else {
    args.assign(1, "FLUSHDB");
    AppendCommand(&frames.emplace_back(), args);
  }
  env_->Note(NoteLevel::kError,
             "shard '" + info_.name + "': the last copy in sync, " + info_.copies[primary_].node +
                 ", is lost; " + info_.copies[copy].node + " takes its place without " +
                 (known ? std::to_string(copies_[copy]->journal->size()) + " key(s) that it may "
                                                                           "have wrong"
                        : std::string("any data, for it is not known what it has wrong")) +
                 " (on_data_loss = \"miss\")");
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
  if (deleting_.failed || editing_ || !PrimaryIsLost() || !copies_[copy]->link->up()) {
    lost_since_ms_ = 0;  // again, if need be, after a while
    return;
  }
  ProposeRole(EditKind::kForcePromote, copy, copies_[copy]->link->identity().run_id,
              copies_[primary_]->link->name() + " is lost: " + copies_[primary_]->leave_reason);
  UpdateOpen();
}

}  // namespace gemel
