#include "backend/shard/journals.h"

#include <utility>

#include "backend/command/other_database.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/way_back.h"

namespace gemel {

void Journals::AddCopy(uint32_t copy) {
  if (copy >= journals_.size()) journals_.resize(copy + 1);
  journals_[copy] = {};
  known_ &= ~Bit(copy);
}

void Journals::Keep(uint32_t copy, std::unique_ptr<DirtyKeys> keys) {
  known_ = keys != nullptr ? known_ | Bit(copy) : known_ & ~Bit(copy);
  journals_[copy].keys = std::move(keys);
}

void Journals::Need(uint32_t copy) {
  Journal& journal = journals_[copy];
  if (journal.keys != nullptr || journal.forgotten || parts_->copies->members() == 1) return;
  const std::string& run_id = parts_->copies->run_id(copy);
  const CopyStage stage = parts_->copies->stage(copy);
  if (parts_->options.journal_keys == 0 || stage == CopyStage::kReplaced ||
      stage == CopyStage::kUnknown || run_id.empty() || ProcessOf(run_id) == kHiddenRunId) {
    journal.forgotten = true;
    return;
  }
  Keep(copy, std::make_unique<DirtyKeys>(run_id, parts_->options.journal_keys,
                                         parts_->options.journal_bytes));
}

void Journals::Begin(uint32_t copy, const std::string& run_id, size_t max_keys, size_t max_bytes) {
  Keep(copy, std::make_unique<DirtyKeys>(run_id, max_keys, max_bytes));
}

void Journals::Forget(uint32_t copy) {
  Keep(copy, nullptr);
  journals_[copy].forgotten = true;
  parts_->scans->OnForgotten(copy);
  const CopyStage stage = parts_->copies->stage(copy);
  if (!IsInSync(stage) && stage != CopyStage::kRemoved) {
    parts_->copies->Move(copy, CopyStage::kUnknown);
  }
}

void Journals::ForgetSettled() {
  ForEachCopy(parts_->copies->in_sync(), [this](uint32_t copy) {
    Keep(copy, nullptr);
    journals_[copy].forgotten = false;
    parts_->way_back->Settled(copy);
  });
}

bool Journals::Holds(uint32_t copy) const {
  const Journal& journal = journals_[copy];
  const Link& link = parts_->copies->link(copy);
  return journal.keys != nullptr && !journal.forgotten && link.up() &&
         HoldsSameData(journal.keys->run_id(), link.identity().run_id);
}

void Journals::RecordKeys(CopyMask copies, std::string_view frame, uint8_t database) {
  if (parts_->copies->members() == 1) return;
  const bool found = frame_.Find(frame_.SplitWithRow(frame), database);
  ForEachCopy(copies, [&](uint32_t copy) {
    Need(copy);
    DirtyKeys* keys = journals_[copy].keys.get();
    if (keys == nullptr) return;
    if (found) {
      for (size_t i = 0; i < frame_.size(); ++i) keys->Add(frame_.key(i));
    }
    if (!found || keys->overflowed()) Forget(copy);
  });
}

void Journals::RecordAllKeys(CopyMask copies) {
  if (parts_->copies->members() == 1) return;
  ForEachCopy(copies, [&](uint32_t copy) {
    Need(copy);
    if (journals_[copy].keys != nullptr) Forget(copy);
  });
}

void Journals::Miss(uint32_t copy, std::string_view key) {
  DirtyKeys* keys = journals_[copy].keys.get();
  if (keys == nullptr) return;
  keys->Add(key);
  if (!keys->overflowed()) return;
  if (parts_->scans->IsCopying(copy)) {
    parts_->way_back->Leave(copy, "its node removed more keys than are kept (journal_keys)");
  } else {
    Forget(copy);
  }
}

void Journals::RecordWrite(const Request& request) {
  const bool found = frame_.Look(request);
  ForEachCopy(recording(), [&](uint32_t copy) { RecordFor(copy, request, found); });
}

void Journals::RecordFor(uint32_t copy, const Request& request, bool found) {
  const CopyStage stage = parts_->copies->stage(copy);
  DirtyKeys* keys = journals_[copy].keys.get();
  if (!found) {
    // FLUSHALL and the like. (Not while a key is being repaired: such a one waits for that.)
    const bool same_everywhere = request.row != nullptr && !request.block &&
                                 request.row->split == Split::kEachShard &&
                                 !SwapsDatabases(*request.row);
    const bool joins = stage == CopyStage::kJoining || stage == CopyStage::kScanned;
    if (!joins || !same_everywhere) Forget(copy);
    return;
  }
  // A joining copy has it right by itself, unless it spreads what is wrong.
  if (stage == CopyStage::kJoining &&
      (frame_.size() == 1 ||
       !frame_.AnyOf([keys](std::string_view key) { return keys->Contains(key); }))) {
    return;
  }
  for (size_t i = 0; i < frame_.size(); ++i) keys->Add(frame_.key(i));
  if (!keys->overflowed()) return;
  if (parts_->scans->IsCopying(copy)) {
    parts_->way_back->Leave(
        copy, "meanwhile more keys were written than are kept (journal_keys, journal_bytes)");
    return;
  }
  parts_->Note(NoteLevel::kWarn, parts_->copies->info(copy).node +
                                     " missed writes of more keys than are kept (journal_keys, "
                                     "journal_bytes): all will be copied");
  Forget(copy);
}

}  // namespace gemel
