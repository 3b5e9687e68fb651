// The short way back for a copy that missed writes: only the keys of these writes are repaired, if
// its process did not restart and they are known.
//
// A copy that must leave has a journal of the keys that it may have wrong: of the writes that were
// in flight to it, and of every write since. When it is back it joins: it is sent all writes again,
// in the shard's one order. From then on the invariant is
//   every key that is not in its journal is equal on it and on the copies in sync, at each point of
//   the order
// which a write of one key keeps by itself, and a write of several keys does if none of them is in
// the journal; else all of them go there. Meanwhile the keys of the journal are repaired one by one
// (KeyRepair, in their place in the order). With an empty journal it is equal, and is marked in
// sync while writes go on. Journals live in memory: after a restart of the proxy nothing is known,
// and the whole copy is made anew.

#include <algorithm>
#include <bit>
#include <utility>

#include "backend/command/key_finder.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/shard.h"

namespace gemel {

namespace {

// Repairs under way at a time.
constexpr size_t kMaxRepairsAtOnce = 64;
// More keys than this take longer to repair in place than it takes to promote another copy.
constexpr size_t kMaxKeysInPlace = 512;
// After so many attempts in a row that failed, all is copied.
constexpr uint32_t kMaxJoinFailures = 5;
constexpr uint64_t kJoinRetryMs = 500;
// What one burst of repairs may make up for, after a time in which there were none.
constexpr double kBurstMs = 100;

}  // namespace

void Shard::UpdateTargets() {
  targets_ = in_sync_ | joining_;
  journaling_ = scanning_ = 0;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) == 0 && copies_[i]->journal != nullptr) journaling_ |= Bit(i);
    const ScanCopy* scan = copies_[i]->scan.get();
    if (scan != nullptr && scan->phase != ScanCopy::Phase::kDone) scanning_ |= Bit(i);
  }
}

void Shard::NeedJournal(uint32_t index) {
  Copy& copy = *copies_[index];
  if (copy.journal != nullptr || copy.forgotten || member_count() == 1) return;
  const std::string& run_id = info_.copies[index].run_id;
  if (options_.journal_keys == 0 || copy.restarted || run_id.empty() ||
      ProcessOf(run_id) == kHiddenRunId) {
    copy.forgotten = true;
    return;
  }
  copy.journal = std::make_unique<DirtyKeys>(run_id, options_.journal_keys, options_.journal_bytes);
}

void Shard::ForgetJournal(uint32_t index) {
  Copy& copy = *copies_[index];
  copy.journal.reset();
  copy.forgotten = true;
  if (copy.scan != nullptr && copy.scan_end.empty()) {
    copy.scan_end = "it is not known any more what it has right";
  }
  copy.scan.reset();
  joining_ &= ~Bit(index);
  UpdateTargets();
}

// Copies in sync that are in no doubt any more have nothing to repair.
void Shard::ForgetSettled() {
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) == 0) continue;
    copies_[i]->journal.reset();
    copies_[i]->forgotten = false;
    copies_[i]->join_failures = 0;
  }
}

// The keys of a write that did not come to the same everywhere. Also for copies in sync: it is not
// known yet who of them will be the truth.
void Shard::RecordKeys(CopyMask copies, std::string_view frame) {
  if (member_count() == 1) return;
  SplitFrame(frame, &args_);
  const CommandRow* row = table_->Find(args_);
  const bool found = row != nullptr && FindKeys(*row, args_, &keys_) && !keys_.empty();
  for (CopyMask rest = copies; rest != 0; rest &= rest - 1) {
    const uint32_t index = static_cast<uint32_t>(std::countr_zero(rest));
    NeedJournal(index);
    DirtyKeys* journal = copies_[index]->journal.get();
    if (journal == nullptr) continue;
    if (found) {
      for (uint32_t key : keys_) journal->Add(args_[key]);
    }
    if (!found || journal->overflowed()) ForgetJournal(index);
  }
}

// A write that is about to be sent to the targets, while others have journals.
void Shard::RecordWrite(const Request& request) {
  SplitFrame(request.frame, &args_);
  const bool found =
      request.row != nullptr && FindKeys(*request.row, args_, &keys_) && !keys_.empty();
  for (CopyMask rest = journaling_; rest != 0; rest &= rest - 1) {
    const uint32_t index = static_cast<uint32_t>(std::countr_zero(rest));
    DirtyKeys* journal = copies_[index]->journal.get();
    if (!found) {
      // FLUSHALL and the like. (Not while a key is being repaired: such a one waits for that.)
      const bool same_everywhere =
          request.row != nullptr && request.row->split == Split::kEachShard;
      if ((joining_ & Bit(index)) == 0 || !same_everywhere) ForgetJournal(index);
      continue;
    }
    if ((joining_ & ~scanning_ & Bit(index)) != 0) {
      if (keys_.size() == 1 || std::none_of(keys_.begin(), keys_.end(), [&](uint32_t key) {
            return journal->Contains(args_[key]);
          })) {
        continue;
      }
    }
    for (uint32_t key : keys_) journal->Add(args_[key]);
    if (journal->overflowed() && copies_[index]->scan != nullptr) {
      LeaveJoin(index,
                "meanwhile more keys were written than are kept (journal_keys, journal_bytes)");
    } else if (journal->overflowed()) {
      env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': " + info_.copies[index].node +
                                       " missed writes of more keys than are kept (journal_keys, "
                                       "journal_bytes): all will be copied");
      ForgetJournal(index);
    }
  }
}

bool Shard::OthersAreGood(uint32_t index) const {
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const Copy& copy = *copies_[i];
    if (i != index && (in_sync_ & up_ & Bit(i)) != 0 && !copy.unsure && !copy.restarted &&
        !copy.refusing) {
      return true;
    }
  }
  return false;
}

bool Shard::Mendable(uint32_t index) const {
  const Copy& copy = *copies_[index];
  return (in_sync_ & Bit(index)) == 0 && !info_.copies[index].drained() &&
         copy.journal != nullptr && !copy.forgotten && copy.link->up() &&
         HoldsSameData(copy.journal->run_id(), copy.link->identity().run_id);
}

bool Shard::WantsResync(uint32_t index) const {
  return (in_sync_ & Bit(index)) == 0 && !info_.copies[index].drained() &&
         copies_[index]->link->up() && !Mendable(index) && copies_[index]->scan == nullptr;
}

// A copy in sync lost its connection and is back within its grace: what was in flight is repaired
// from a copy that has it, and nobody leaves. No write is sent meanwhile.
void Shard::MendInPlace() {
  if (mending_ || editing_ || paused_) return;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    Copy& copy = *copies_[i];
    if ((in_sync_ & up_ & Bit(i)) == 0 || !copy.unsure || copy.restarted || copy.refusing ||
        copy.grace_until_ms <= 1 || env_->NowMs() >= copy.grace_until_ms ||
        repair_.Concerns(Bit(i)) || writes_in_flight_ != waiting_.size()) {
      continue;
    }
    int source = -1;
    for (uint32_t other = 0; other < copies_.size(); ++other) {
      if (other != i && (readable_ & Bit(other)) != 0 && (source < 0 || other == primary_)) {
        source = static_cast<int>(other);
      }
    }
    if (source < 0) continue;
    bool begun = copy.journal != nullptr && !copy.journal->overflowed() &&
                 copy.journal->size() <= kMaxKeysInPlace;
    mending_ = true;
    if (begun) {
      copy.journal->ForEach([&](const std::string& key) {
        begun = repair_.Begin(key, static_cast<uint32_t>(source), Bit(i));
        return begun;
      });
    }
    mending_ = false;
    if (!begun) {
      copy.grace_until_ms = 1;
    } else {
      CheckInPlace(i);  // there may be no key at all
    }
  }
}

// A key is equal again on these copies.
void Shard::KeyClean(const std::string& key, CopyMask copies) {
  for (CopyMask rest = copies; rest != 0; rest &= rest - 1) {
    const uint32_t index = static_cast<uint32_t>(std::countr_zero(rest));
    Copy& copy = *copies_[index];
    if (copy.journal == nullptr) continue;
    copy.journal->Remove(key);
    CheckInPlace(index);
  }
}

void Shard::CheckInPlace(uint32_t index) {
  Copy& copy = *copies_[index];
  if ((in_sync_ & Bit(index)) == 0 || !copy.unsure || !copy.journal->empty() ||
      copy.grace_until_ms <= 1) {
    return;
  }
  // Repaired in place: it has all that the others have.
  copy.unsure = false;
  copy.grace_until_ms = 0;
  for (Op* op : waiting_) {
    if ((op->lost & Bit(index)) == 0) continue;
    op->lost &= ~Bit(index);
    op->applied |= Bit(index);
  }
  env_->Note(NoteLevel::kInfo, "shard '" + info_.name + "': the connection to " +
                                   copy.link->name() +
                                   " is back, and what was in flight on it is repaired");
}

void Shard::Join(uint32_t index) {
  joining_ |= Bit(index);
  UpdateTargets();
  env_->Note(NoteLevel::kInfo, "shard '" + info_.name + "': " + info_.copies[index].node +
                                   " is back with its data; " +
                                   std::to_string(copies_[index]->journal->size()) +
                                   " key(s) are being repaired");
}

// It stays as it was before it joined: stale, with a journal.
void Shard::LeaveJoin(uint32_t index, const std::string& why) {
  Copy& copy = *copies_[index];
  if (copy.scan != nullptr) {
    copy.scan_end = why;
    ForgetJournal(index);
    return;
  }
  joining_ &= ~Bit(index);
  UpdateTargets();
  ++copy.join_failures;
  copy.join_at_ms = env_->NowMs() + (kJoinRetryMs << std::min(copy.join_failures, 4u)) / 2;
  if (copy.join_failures > kMaxJoinFailures && copy.link->up()) {
    ForgetJournal(index);
  }
  env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': the repair of " +
                                   info_.copies[index].node + " is interrupted: " + why);
}

void Shard::Mend(uint64_t now_ms) {
  if (stopped_) return;
  const double rate = options_.repair_keys_per_s / 1000.0;
  repair_budget_ = std::min(repair_budget_ + rate * static_cast<double>(now_ms - mended_ms_),
                            std::max(rate * kBurstMs, 1.0));
  mended_ms_ = now_ms;
  if (journaling_ == 0) return;
  if (!editing_ && !paused_ && PrimaryReady()) {
    for (uint32_t i = 0; i < copies_.size(); ++i) {
      if ((joining_ & Bit(i)) == 0 && Mendable(i) && now_ms >= copies_[i]->join_at_ms) Join(i);
    }
  }
  StartRepairs();
}

void Shard::StartRepairs() {
  // What is held goes first: it may need that no key is locked.
  if (joining_ == 0 || mending_ || paused_ || stopped_ || !held_.empty() || !PrimaryReady()) return;
  mending_ = true;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((joining_ & Bit(i)) != 0 && copies_[i]->scan != nullptr) StepScan(i);
    if ((joining_ & Bit(i)) == 0) continue;
    if (copies_[i]->journal->empty()) {
      if ((scanning_ & Bit(i)) == 0 && !repair_.Concerns(Bit(i)) && !editing_ &&
          env_->NowMs() >= retry_edit_ms_)
        Enter(i);
      continue;
    }
    std::vector<std::string> keys;
    ForEachToRepair(i, [&](const std::string& key) {
      if (repair_.size() + keys.size() >= kMaxRepairsAtOnce ||
          repair_budget_ < 1 + static_cast<double>(keys.size())) {
        return false;
      }
      if (!repair_.IsLocked(key)) keys.push_back(key);
      return true;
    });
    for (const std::string& key : keys) {
      if ((joining_ & Bit(i)) == 0 || !repair_.Begin(key, primary_, Bit(i))) break;
      repair_budget_ -= 1;
    }
  }
  mending_ = false;
  UpdateOpen();
}

// Equal at this point of the order, and from here on. Writes go on while that becomes durable; what
// they lose on it is answered only when it is durably stale again.
void Shard::Enter(uint32_t index) {
  editing_ = true;
  entering_ = Bit(index);
  Edit edit{EditKind::kMarkInSync, info_.name, info_.copies[index].node,
            copies_[index]->link->identity().run_id,
            copies_[index]->scan != nullptr ? "copied key by key" : "its missed keys are repaired"};
  Propose(std::move(edit), [this, index](const EditResult& result) { OnEntered(index, result); });
}

void Shard::OnEntered(uint32_t index, const EditResult& result) {
  const bool whole = (joining_ & Bit(index)) != 0 && copies_[index]->journal != nullptr &&
                     copies_[index]->journal->empty();
  const bool scanned = copies_[index]->scan != nullptr;
  entering_ = 0;
  if (result.ok) {
    const int at = result.topology->IndexOf(info_.name);
    SetInfo(result.topology->shards[static_cast<uint32_t>(at)]);
    copies_[index]->grace_until_ms = 0;
    if (!whole) MarkUnsure(index, "it lost writes while it was being marked in sync");
  }
  // SetInfo was done already where it is right to say that it is in doubt.
  OnEdit(EditKind::kMarkInSync, index, result);
  if (result.ok) ++(scanned ? stats_.resyncs : stats_.rejoins);
}

std::string Shard::MendNote(uint32_t index) const {
  const Copy& copy = *copies_[index];
  if ((in_sync_ & Bit(index)) != 0 || copy.journal == nullptr) return {};
  const std::string keys = std::to_string(copy.journal->size()) + " key(s)";
  return (joining_ & Bit(index)) != 0 ? "being repaired, " + keys + " to go"
                                      : "missed writes of " + keys;
}

}  // namespace gemel
