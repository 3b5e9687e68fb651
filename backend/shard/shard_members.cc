// Nodes that come to a shard and leave it while it serves, and options that change.
//
// A copy keeps its index for as long as it belongs to the shard, whatever comes and goes beside it:
// masks of copies are in flight. The place of one that was removed stays behind as a stale, drained
// copy without a node, until a new one takes it.

#include <algorithm>
#include <bit>
#include <utility>

#include "backend/shard/server_claims.h"
#include "backend/shard/shard.h"
#include "backend/shard/shard_control.h"

namespace gemel {

namespace {

constexpr std::string_view kNoNode = "(removed)";

}  // namespace

// The shard as the topology has it, with the copies at their places here.
ShardInfo Shard::Placed(const ShardInfo& info) const {
  ShardInfo placed = info;
  placed.copies.clear();
  for (const auto& copy : copies_) {
    CopyInfo& place = placed.copies.emplace_back();
    const int known = copy->removed ? -1 : info.IndexOf(copy->link->name());
    if (known >= 0) {
      place = info.copies[static_cast<size_t>(known)];
      if (static_cast<uint32_t>(known) == info.primary) {
        placed.primary = static_cast<uint32_t>(placed.copies.size() - 1);
      }
      continue;
    }
    place.node = kNoNode;
    place.reason = "it was removed";
    place.drained_by = DrainedBy::kConfig;
  }
  return placed;
}

int Shard::CopyOf(std::string_view node) const {
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if (!copies_[i]->removed && copies_[i]->link->name() == node) return static_cast<int>(i);
  }
  return -1;
}

uint32_t Shard::member_count() const {
  return static_cast<uint32_t>(std::count_if(copies_.begin(), copies_.end(),
                                             [](const auto& copy) { return !copy->removed; }));
}

bool Shard::Idle() const {
  return Quiet() && held_.empty() && side_.empty() && repair_.idle() && control_->idle() &&
         std::all_of(copies_.begin(), copies_.end(),
                     [](const auto& copy) { return copy->link->pending() == 0; });
}

void Shard::ProposeCopy(const std::string& node, EditDone done) {
  editing_ = true;
  adding_ = true;
  Propose({EditKind::kAddCopy, info_.name, node, {}, "the config has it now"},
          [this, done = std::move(done)](const EditResult& result) {
            editing_ = false;
            adding_ = false;
            done(result);
            if (!stopped_) Reconcile();
          });
}

int Shard::AddCopy(const LinkOptions& node, const ShardInfo& info) {
  auto free = std::find_if(copies_.begin(), copies_.end(), [](const auto& copy) {
    return copy->removed && copy->link->pending() == 0;
  });
  if (free == copies_.end() && copies_.size() >= kMaxCopies) {
    SetInfo(info);  // its epoch: the next edit is decided on that
    return -1;
  }
  const auto index = static_cast<uint32_t>(free - copies_.begin());
  auto copy = std::make_unique<Copy>(options_.probe_failures, options_.hang);
  copy->link = std::make_unique<Link>(this, index, pool_, node);
  side_.MakeLink(index, node);
  if (free == copies_.end()) {
    copies_.push_back(std::move(copy));
    options_.nodes.push_back(node);
  } else {
    *free = std::move(copy);
    options_.nodes[index] = node;
  }
  up_ &= ~Bit(index);
  silent_ &= ~Bit(index);
  hedged_ &= ~Bit(index);
  SetInfo(info);
  UpdateOpen();
  return static_cast<int>(index);
}

void Shard::StartCopy(uint32_t copy) { copies_[copy]->link->Start(env_->NowMs()); }

void Shard::RemoveCopy(uint32_t index) {
  Copy& copy = *copies_[index];
  copy.removed = true;
  ForgetJournal(index);
  SetInfo(info_);
  copy.link->Stop();
  side_.StopLink(index);
  if (env_->claims() != nullptr) env_->claims()->Release({info_.name, copy.link->name()});
  up_ &= ~Bit(index);
  UpdateOpen();
}

void Shard::SetOptions(const ShardOptions& options) {
  std::vector<LinkOptions> nodes = std::move(options_.nodes);
  options_ = options;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const auto mine =
        std::find_if(options.nodes.begin(), options.nodes.end(),
                     [&](const LinkOptions& node) { return node.name == nodes[i].name; });
    if (copies_[i]->removed || mine == options.nodes.end()) continue;
    nodes[i] = *mine;
    copies_[i]->link->set_options(*mine);
    side_.SetOptions(i, *mine);
  }
  options_.nodes = std::move(nodes);
  for (auto& copy : copies_) {
    copy->detector.set_failures(options_.probe_failures);
    copy->hang.set_limits(options_.hang);
  }
  held_.set_limit(options_.held_limit);
  UpdateOpen();
}

}  // namespace gemel
