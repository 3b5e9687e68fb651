#include "backend/shard/way_back.h"

#include <algorithm>
#include <utility>

#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

// Repairs under way at a time.
constexpr size_t kMaxRepairsAtOnce = 64;
constexpr size_t kMaxRepairJobs = 1024;
// More keys than this take longer to repair in place than it takes to promote another copy.
constexpr size_t kMaxKeysInPlace = 512;
// After so many attempts in a row that failed, all is copied.
constexpr uint32_t kMaxJoinFailures = 5;
constexpr uint64_t kJoinRetryMs = 500;
// What one burst of repairs may make up for, after a time in which there were none.
constexpr double kBurstMs = 100;

}  // namespace

WayBack::WayBack(ShardParts* parts) : parts_(parts), repair_(this, kMaxRepairJobs) {}

void WayBack::AddCopy(uint32_t copy) {
  if (copy >= returns_.size()) returns_.resize(copy + 1);
  returns_[copy] = {};
}

bool WayBack::Mendable(uint32_t copy) const {
  return !parts_->copies->InSync(copy) && !parts_->copies->info(copy).drained() &&
         parts_->journals->Holds(copy);
}

bool WayBack::WantsResync(uint32_t copy) const {
  return !parts_->copies->InSync(copy) && !parts_->copies->info(copy).drained() &&
         parts_->copies->link(copy).up() && !Mendable(copy) && !parts_->scans->IsCopying(copy);
}

int WayBack::CopyToResync() const {
  if (parts_->edits->editing() || !parts_->roles->PrimaryReady()) return -1;
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    if (WantsResync(i)) return static_cast<int>(i);
  }
  return -1;
}

bool WayBack::MayMendInPlace(uint32_t copy) const {
  return parts_->copies->Is(copy, CopyStage::kUnsure) && parts_->copies->IsUp(copy) &&
         parts_->roles->InGrace(copy) && !repair_.Concerns(Bit(copy)) && parts_->writes->AllWait();
}

void WayBack::MendInPlace() {
  if (mending_ || parts_->edits->editing() || parts_->hold->paused()) return;
  const CopyMask readable = parts_->copies->readable();
  const uint32_t primary = parts_->copies->primary();
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    if (!MayMendInPlace(i)) continue;
    const CopyMask others = readable & ~Bit(i);
    if (others == 0) continue;
    const uint32_t source =
        (others & Bit(primary)) != 0 ? primary : static_cast<uint32_t>(31 - __builtin_clz(others));
    const DirtyKeys* journal = parts_->journals->of(i);
    bool begun = journal != nullptr && !journal->overflowed() && journal->size() <= kMaxKeysInPlace;
    mending_ = true;
    if (begun) {
      journal->ForEach([&](const std::string& key) {
        begun = repair_.Begin(key, source, Bit(i));
        return begun;
      });
    }
    mending_ = false;
    if (!begun) {
      parts_->roles->EndGrace(i);
    } else {
      CheckInPlace(i);  // there may be no key at all
    }
  }
}

// A key is equal again on these copies.
void WayBack::KeyIsClean(const std::string& key, CopyMask copies) {
  ForEachCopy(copies & parts_->journals->known(), [&](uint32_t copy) {
    parts_->journals->Clean(copy, key);
    CheckInPlace(copy);
  });
}

void WayBack::CheckInPlace(uint32_t copy) {
  if (!parts_->copies->Is(copy, CopyStage::kUnsure) || !parts_->journals->empty(copy) ||
      !parts_->roles->IsAwaited(copy)) {
    return;
  }
  // Repaired in place: it has all that the others have.
  parts_->roles->OnMended(copy);
  parts_->writes->waiting().OnMended(copy);
  parts_->first->OnUndone(Bit(copy));
  parts_->Note(NoteLevel::kInfo, "the connection to " + parts_->copies->link(copy).name() +
                                     " is back, and what was in flight on it is repaired");
}

void WayBack::Join(uint32_t copy) {
  parts_->copies->Move(copy, CopyStage::kJoining);
  parts_->Note(NoteLevel::kInfo, parts_->copies->info(copy).node + " is back with its data; " +
                                     std::to_string(parts_->journals->of(copy)->size()) +
                                     " key(s) are being repaired");
}

void WayBack::Leave(uint32_t copy, const std::string& why) {
  if (parts_->scans->IsCopying(copy)) {
    parts_->scans->End(copy, why);
    parts_->journals->Forget(copy);
    return;
  }
  parts_->copies->Move(copy, CopyStage::kBehind);
  Return& back = returns_[copy];
  ++back.failures;
  back.join_at_ms = parts_->env->NowMs() + (kJoinRetryMs << std::min(back.failures, 4u)) / 2;
  if (back.failures > kMaxJoinFailures && parts_->copies->link(copy).up()) {
    parts_->journals->Forget(copy);
  }
  parts_->Note(NoteLevel::kWarn,
               "the repair of " + parts_->copies->info(copy).node + " is interrupted: " + why);
}

void WayBack::Tick(uint64_t now_ms) {
  const double rate = parts_->options.repair_keys_per_s;
  const double burst = std::max(rate * kBurstMs / 1000, 1.0);
  budget_.Refill(now_ms, rate, burst, ~uint64_t{0}, /*first=*/burst);
  if (parts_->journals->recording() == 0 || parts_->hold->leaving()) return;
  if (!parts_->edits->editing() && !parts_->hold->paused() && parts_->roles->PrimaryReady()) {
    for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
      if (parts_->copies->Is(i, CopyStage::kBehind) && Mendable(i) &&
          now_ms >= returns_[i].join_at_ms) {
        Join(i);
      }
    }
  }
  StartRepairs();
}

void WayBack::StartRepairs() {
  if (parts_->copies->joining() == 0 || mending_ || parts_->hold->leaving() || IsBarred() ||
      parts_->hold->paused() || parts_->roles->stopped() || !parts_->roles->PrimaryReady()) {
    return;
  }
  mending_ = true;
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    if ((parts_->copies->joining() & Bit(i)) == 0) continue;
    if (parts_->scans->IsCopying(i)) parts_->scans->Step(i);
    if ((parts_->copies->joining() & Bit(i)) == 0) continue;
    // What waits to be repaired may be equal by now: then it is no more than taken out.
    if (!parts_->journals->empty(i) || parts_->scans->HasBatch(i)) {
      RepairKeysOf(i);
    } else if (parts_->copies->Is(i, CopyStage::kJoining) && !IsRepaired(i) &&
               parts_->edits->MayPropose()) {
      parts_->edits->Enter(i, parts_->scans->IsCopying(i));
    }
  }
  mending_ = false;
  parts_->shard->Refresh();
}

// A key of its own is. One in doubt is so on the copies in sync, too.
bool WayBack::IsRepaired(uint32_t copy) const {
  return repair_.Concerns(Bit(copy), [this](const std::string& key) {
    return parts_->removals->doubts().IsRepairing(key);
  });
}

void WayBack::RepairKeysOf(uint32_t copy) {
  std::vector<std::string> keys;
  parts_->scans->ForEachToRepair(copy, [&](const std::string& key) {
    if (repair_.size() + keys.size() >= kMaxRepairsAtOnce ||
        !budget_.Has(1 + static_cast<double>(keys.size()))) {
      return false;
    }
    if (!repair_.IsLocked(key) && !parts_->removals->doubts().Has(key)) keys.push_back(key);
    return true;
  });
  for (const std::string& key : keys) {
    if ((parts_->copies->joining() & Bit(copy)) == 0 ||
        !repair_.Begin(key, parts_->copies->primary(), Bit(copy))) {
      break;
    }
    budget_.Take(1);
  }
}

std::string WayBack::Note(uint32_t copy) const {
  const DirtyKeys* journal = parts_->journals->of(copy);
  if (parts_->copies->InSync(copy) || journal == nullptr) return {};
  const std::string keys = std::to_string(journal->size()) + " key(s)";
  return (parts_->copies->joining() & Bit(copy)) != 0 ? "being repaired, " + keys + " to go"
                                                      : "missed writes of " + keys;
}

bool WayBack::TouchesLockedKey(const Request& request, uint32_t* lock) {
  if (NothingLocked()) return false;
  if (!frame_.Look(request)) {
    // Of a key in doubt it does not matter: it is made equal behind it. One that is being repaired
    // must be before or behind it.
    if (repair_.idle()) return false;
    return barred_ = true;
  }
  return frame_.AnyOf([&](std::string_view key) {
    if (parts_->removals->doubts().Has(key)) return true;
    const uint32_t found = repair_.LockOn(key);
    if (found != KeyRepair::kNoJob && lock != nullptr) *lock = found;
    return found != KeyRepair::kNoJob;
  });
}

bool WayBack::CanSendRepair(uint32_t copy) { return parts_->copies->link(copy).up(); }

void WayBack::SendRepair(uint32_t copy, Op* op, std::string_view frame) {
  parts_->roles->OnOverwritten(copy);
  parts_->copies->link(copy).Send(op, frame);
}

Op* WayBack::NewRepairOp() {
  Op* op = parts_->ops->New();
  op->item_kind = LinkItem::Kind::kRepair;
  return op;
}

const NodeIdentity& WayBack::IdentityOf(uint32_t copy) {
  return parts_->copies->link(copy).identity();
}

uint64_t WayBack::ConnectionOf(uint32_t copy) const {
  return parts_->copies->link(copy).times().connects();
}

void WayBack::OnKeyRepaired(const std::string& key, CopyMask copies) {
  if (copies != 0) ++repaired_;
  if ((copies & parts_->copies->in_sync()) != 0) {
    parts_->tracked->OnRepaired(key);
    parts_->removals->OnWritten(key);
  }
  KeyIsClean(key, copies & ~parts_->removals->TakeGoneAgain(key, copies));
  parts_->removals->doubts().OnRepaired(key);
  if (!repair_.IsLocked(key) && !parts_->removals->doubts().Has(key)) {
    parts_->writes->OnKeySettled(key);
  }
  if (NothingLocked()) parts_->writes->waiting().OnAllRepaired(*parts_->copies);
  if (mending_) return;
  parts_->shard->Refresh();
  StartRepairs();
}

void WayBack::OnKeyNotRepaired(const std::string& key, CopyMask copies, const std::string& why,
                               bool too_big) {
  // On some it may have been.
  parts_->removals->OnWritten(key);
  if (parts_->removals->doubts().OnNotRepaired(key, why)) return;
  ForEachCopy(copies, [&](uint32_t copy) {
    // Not every repair follows a write that has been recorded: the audit's does not.
    parts_->journals->Need(copy);
    parts_->journals->Add(copy, key);
    parts_->roles->EndGrace(copy);
    if (too_big) {
      parts_->scans->OnKeyTooBig(copy, key, why);
    } else if ((parts_->copies->joining() & Bit(copy)) != 0) {
      Leave(copy, "a key could not be repaired: " + why);
    }
  });
  ForEachCopy(copies & parts_->copies->in_sync(), [&](uint32_t copy) {
    parts_->roles->MarkUnsure(copy, "a key that differed could not be repaired: " + why);
  });
  parts_->roles->Reconcile();
}

}  // namespace gemel
