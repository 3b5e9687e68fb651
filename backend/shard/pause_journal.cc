#include "backend/shard/pause_journal.h"

#include <utility>

#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/removals.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

constexpr size_t kMostChanges = 100 * 1000;

}  // namespace

void PauseJournal::Note(uint32_t copy, std::string_view key) {
  if (!parts_->hold->paused()) return;
  if (changes_.size() >= kMostChanges) {
    too_many_ = true;
    return;
  }
  changes_.push_back({copy, std::string(key)});
}

void PauseJournal::OnMissed(uint32_t copy) {
  if (parts_->hold->paused()) missed_ |= Bit(copy);
}

void PauseJournal::Tick() {
  if (parts_->hold->paused()) return;
  changes_.clear();
  missed_ = 0;
  too_many_ = false;
}

void PauseJournal::OnEntered(CopyMask entered, CopyMask before) {
  if (entered == 0) return;
  Removals& removals = *parts_->removals;
  const Copies& copies = *parts_->copies;
  ForEachCopy(entered & missed_, [&](uint32_t copy) { removals.AuditMissed(copy); });
  missed_ &= ~entered;
  if (std::exchange(too_many_, false)) {
    removals.Audit("very many keys changed while writes were paused");
  }
  std::vector<Change> changes = std::exchange(changes_, {});
  parts_->way_back->repairs().ForEachUnderWay([&](const std::string& key, CopyMask targets) {
    if ((entered & ~targets) != 0 && (targets & before) != 0) changes.push_back({kAll, key});
  });
  // What is removed has mostly been written before the pause, and is gone on one copy alone.
  for (const Change& change : changes) {
    if (change.copy == kAll) {
      removals.Doubt(change.key, {copies.primary(), before & copies.in_sync(), false, false});
    } else if (copies.InSync(change.copy)) {
      const bool by_who_entered = (entered & Bit(change.copy)) != 0;
      removals.Doubt(change.key, {by_who_entered ? change.copy : copies.primary(), 0, true, false});
    }
  }
}

}  // namespace gemel
