#include "backend/shard/copy_stages.h"

#include <array>

namespace gemel {

namespace {

constexpr std::array<std::string_view, kCopyStages> kNames = {"removed", "unknown", "behind",
                                                              "scanned", "joining", "in sync",
                                                              "refused", "unsure",  "replaced"};

constexpr uint16_t Set(std::initializer_list<CopyStage> stages) {
  uint16_t set = 0;
  for (const CopyStage stage : stages) {
    set = static_cast<uint16_t>(set | 1u << static_cast<unsigned>(stage));
  }
  return set;
}

using enum CopyStage;

// By the stage that is left: where it may go. Whoever is in sync may become stale (kBehind with a
// journal, kUnknown without), and any stale one may be marked in sync: after a resync, when it is
// found equal, or by an operator's word.
constexpr std::array<uint16_t, kCopyStages> kEdges = {
    /* kRemoved  */ Set({kUnknown}),
    /* kUnknown  */ Set({kScanned, kInSync, kRemoved}),
    /* kBehind   */ Set({kUnknown, kJoining, kInSync, kRemoved}),
    /* kScanned  */ Set({kUnknown, kJoining, kInSync, kRemoved}),
    /* kJoining  */ Set({kUnknown, kBehind, kInSync, kRemoved}),
    /* kInSync   */ Set({kRefused, kUnsure, kReplaced, kBehind, kUnknown, kRemoved}),
    /* kRefused  */ Set({kInSync, kUnsure, kReplaced, kBehind, kUnknown, kRemoved}),
    /* kUnsure   */ Set({kInSync, kReplaced, kBehind, kUnknown, kRemoved}),
    /* kReplaced */ Set({kInSync, kUnsure, kBehind, kUnknown, kRemoved}),
};

}  // namespace

std::string_view CopyStageName(CopyStage stage) { return kNames[static_cast<size_t>(stage)]; }

bool MayMove(CopyStage from, CopyStage to) {
  return (kEdges[static_cast<size_t>(from)] & 1u << static_cast<unsigned>(to)) != 0;
}

void CopyStages::Move(uint32_t copy, CopyStage to) {
  const CopyStage from = stages_[copy];
  if (from == to) return;
  if (!MayMove(from, to) && broken_.empty()) {
    broken_ = "copy " + std::to_string(copy) + " went from " + std::string(CopyStageName(from)) +
              " to " + std::string(CopyStageName(to));
  }
  stages_[copy] = to;
  Derive();
}

void CopyStages::Derive() {
  in_sync_ = joining_ = scanned_ = doubtful_ = replaced_ = 0;
  for (uint32_t i = 0; i < stages_.size(); ++i) {
    const CopyStage stage = stages_[i];
    if (IsInSync(stage)) in_sync_ |= Bit(i);
    if (IsInSync(stage) && stage != kInSync) doubtful_ |= Bit(i);
    if (stage == kReplaced) replaced_ |= Bit(i);
    if (stage == kScanned) scanned_ |= Bit(i);
    if (stage == kScanned || stage == kJoining) joining_ |= Bit(i);
  }
  targets_ = in_sync_ | joining_;
}

}  // namespace gemel
