#include "backend/shard/copies.h"

#include <algorithm>
#include <utility>

#include "backend/command/other_database.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

namespace {

constexpr std::string_view kNoNode = "(removed)";

}  // namespace

void Copies::CountDatabases() {
  uint32_t most = kMostDatabases;
  bool any = false;
  for (uint32_t i = 0; i < count(); ++i) {
    if (!IsMember(i)) continue;
    const Link& node = link(i);
    const bool one = node.options().database != 0 || (node.up() && !node.identity().has_databases);
    most = std::min(most, one ? 1 : std::max(node.options().databases, 1u));
    any = true;
  }
  last_database_ = static_cast<uint8_t>(any ? most - 1 : 0);
}

int Copies::Add(const LinkOptions& node) {
  uint32_t index = 0;
  while (index < count() && (IsMember(index) || !link(index).line().empty())) ++index;
  if (index == kMaxCopies) return -1;
  Place place{std::make_unique<Link>(owner_, index, pool_, node), {}};
  if (index == count()) {
    places_.push_back(std::move(place));
    stages_.Add(CopyStage::kUnknown);
  } else {
    places_[index] = std::move(place);
    stages_.Move(index, CopyStage::kUnknown);
  }
  connected_ &= ~Bit(index);
  return static_cast<int>(index);
}

void Copies::Remove(uint32_t copy) {
  stages_.Move(copy, CopyStage::kRemoved);
  connected_ &= ~Bit(copy);
  SetInfo(ShardInfo(info_), 0);
}

uint32_t Copies::members() const {
  uint32_t members = 0;
  for (uint32_t i = 0; i < count(); ++i) members += IsMember(i) ? 1 : 0;
  return members;
}

int Copies::IndexOf(std::string_view node) const {
  for (uint32_t i = 0; i < count(); ++i) {
    if (IsMember(i) && link(i).name() == node) return static_cast<int>(i);
  }
  return -1;
}

// The shard as the topology has it, with the copies at their places here.
ShardInfo Copies::Placed(const ShardInfo& info) const {
  ShardInfo placed = info;
  placed.copies.clear();
  for (uint32_t i = 0; i < count(); ++i) {
    CopyInfo& place = placed.copies.emplace_back();
    const int known = IsMember(i) ? info.IndexOf(link(i).name()) : -1;
    if (known >= 0) {
      place = info.copies[static_cast<size_t>(known)];
      if (static_cast<uint32_t>(known) == info.primary) placed.primary = i;
      continue;
    }
    place.node = kNoNode;
    place.reason = "it was removed";
    place.drained_by = DrainedBy::kConfig;
  }
  return placed;
}

void Copies::SetInfo(const ShardInfo& info, CopyMask journals) {
  info_ = Placed(info);
  primary_ = info_.primary;
  for (uint32_t i = 0; i < count(); ++i) {
    if (!IsMember(i)) continue;
    const CopyInfo& copy = info_.copies[i];
    const bool in_sync = copy.state == CopyState::kInSync;
    // What was learnt counts even if it could not be saved.
    if (!copy.run_id.empty() || !in_sync) places_[i].run_id = copy.run_id;
    if (in_sync == IsInSync(stages_.of(i))) continue;
    stages_.Move(i, in_sync                    ? CopyStage::kInSync
                    : (journals & Bit(i)) != 0 ? CopyStage::kBehind
                                               : CopyStage::kUnknown);
  }
}

CopyMask Copies::Reachable(CopyMask copies) const {
  CopyMask up = 0;
  ForEachCopy(copies, [&](uint32_t copy) {
    if (link(copy).up()) up |= Bit(copy);
  });
  return up;
}

std::string Copies::Broken() const {
  if (!stages_.broken().empty()) return stages_.broken();
  for (uint32_t i = 0; i < count(); ++i) {
    const bool durable = info_.copies[i].state == CopyState::kInSync;
    const auto broken = [&](std::string_view how) {
      return "copy " + std::to_string(i) + " is " + std::string(CopyStageName(stages_.of(i))) +
             " and " + std::string(how);
    };
    if (durable != InSync(i))
      return broken(durable ? "in sync in the topology" : "stale in the topology");
    if (Serves(i) && !Is(i, CopyStage::kInSync)) return broken("read from");
    if (Serves(i) && !IsUp(i)) return broken("read from though it is not up");
  }
  if (count() > 0 && !InSync(primary_)) return "the primary is not in sync";
  return {};
}

}  // namespace gemel
