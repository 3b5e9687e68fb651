#include "backend/shard/membership.h"

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

constexpr uint64_t kNotYetRetryMs = 500;

}  // namespace

Membership::Membership(Shard* shard, ShardEnv* env, Host* host)
    : shard_(shard), env_(env), host_(host) {}

Membership::~Membership() = default;

void Membership::SetNodes(std::vector<LinkOptions> nodes, bool force) {
  const bool same = nodes.size() == nodes_.size() &&
                    std::all_of(nodes.begin(), nodes.end(),
                                [this](const LinkOptions& node) { return Wanted(node.name); });
  force_ = force || (force_ && same && !settled_);
  nodes_ = std::move(nodes);
  settled_ = false;
  retry_at_ms_ = 0;
  not_yet_.clear();
  noted_.clear();
  CopyMask unwanted = 0;
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (shard_->copies().IsMember(i) && !Wanted(shard_->info().copies[i].node)) unwanted |= Bit(i);
  }
  shard_->control().set_unwanted(unwanted);
}

bool Membership::Wanted(std::string_view node) const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const LinkOptions& wanted) { return wanted.name == node; });
}

// False: its removal is durable, but it is still here.
bool Membership::IsInTopology(uint32_t copy) const {
  return shard_->info().copies[copy].node == shard_->copies().link(copy).name();
}

bool Membership::SomebodyStays() const {
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (shard_->copies().IsMember(i) && Wanted(shard_->info().copies[i].node) &&
        shard_->copies().Serves(i)) {
      return true;
    }
  }
  return false;
}

void Membership::Tick(uint64_t now_ms) {
  if (!settled_) Advance(now_ms);
}

void Membership::Advance(uint64_t now_ms) {
  if (busy_ || stopped_ || now_ms < retry_at_ms_ || shard_->edits().editing() ||
      !shard_->control().idle()) {
    return;
  }
  // A removal that was given up may have taken effect all the same.
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (shard_->copies().IsMember(i) && !IsInTopology(i)) LetGo(i);
  }
  for (const LinkOptions& node : nodes_) {
    const int copy = shard_->copies().IndexOf(node.name);
    if (copy < 0) {
      if (std::find(not_yet_.begin(), not_yet_.end(), node.name) != not_yet_.end()) continue;
      Add(node);
      return;
    }
    // It was on its way out, and is wanted again.
    const CopyInfo& info = shard_->info().copies[static_cast<uint32_t>(copy)];
    if (info.drained_by == DrainedBy::kConfig) {
      Ask(ShardOrder::Verb::kUndrain, static_cast<uint32_t>(copy));
      return;
    }
  }
  const bool left = Remove();
  if (busy_) return;
  settled_ = !left && not_yet_.empty();
  if (!not_yet_.empty()) retry_at_ms_ = now_ms + kNotYetRetryMs;
  not_yet_.clear();
}

void Membership::Add(const LinkOptions& node) {
  busy_ = true;
  shard_->edits().AddNode(
      node.name, alive_.Guard([this, node](const EditResult& result) { OnAdded(node, result); }));
}

void Membership::OnAdded(const LinkOptions& node, const EditResult& result) {
  busy_ = false;
  if (stopped_) return;
  const int at = result.ok ? result.topology->IndexOf(shard_->info().name) : -1;
  // What must leave does so meanwhile: another shard may wait for just that before it lets this
  // node go.
  if (at < 0) {
    not_yet_.push_back(node.name);
    Tell("could not add " + node.name + ": " + result.error);
    return;
  }
  const ShardInfo& info = result.topology->shards[static_cast<uint32_t>(at)];
  LinkOptions options = node;
  options.newcomer = true;
  const int index = shard_->AddCopy(options, info);
  if (index < 0) {
    not_yet_.push_back(node.name);
    Tell(node.name + " is not added: the shard has had " + std::to_string(kMaxCopies) +
         " nodes at a time already");
    return;
  }
  const auto copy = static_cast<uint32_t>(index);
  host_->OnCopyAdded(copy, node);
  shard_->link(copy)->Start(env_->NowMs());
  env_->NoteRole(NoteLevel::kInfo, "shard '" + info.name + "': " + node.name +
                                       " belongs to the shard now (epoch " +
                                       std::to_string(info.epoch) + ") and will be made equal");
}

// The next copy that the config has no more. True if there is one.
bool Membership::Remove() {
  bool left = false;
  const bool stays = SomebodyStays();
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    const CopyInfo& info = shard_->info().copies[i];
    if (!shard_->copies().IsMember(i) || Wanted(info.node)) continue;
    left = true;
    if (info.state == CopyState::kStale || stays) {
      Ask(ShardOrder::Verb::kRemove, i);
      return true;
    }
  }
  if (!left || !force_ || shard_->copies().Serves(shard_->info().primary)) return left;
  // What it had is given up.
  for (const LinkOptions& node : nodes_) {
    const int copy = shard_->copies().IndexOf(node.name);
    if (copy < 0 || !shard_->link(static_cast<uint32_t>(copy))->up()) continue;
    Ask(ShardOrder::Verb::kForce, static_cast<uint32_t>(copy));
    break;
  }
  return true;
}

void Membership::Ask(ShardOrder::Verb verb, uint32_t copy) {
  busy_ = true;
  shard_->control().Carry(
      {verb, shard_->info().copies[copy].node},
      alive_.Guard([this, verb, copy](const OrderResult& result) { OnOrder(verb, copy, result); }));
}

void Membership::OnOrder(ShardOrder::Verb verb, uint32_t copy, const OrderResult& result) {
  busy_ = false;
  if (stopped_) return;
  if (!result.ok) {
    retry_at_ms_ = env_->NowMs() + kNotYetRetryMs;
    Tell(result.text);
    return;
  }
  if (verb == ShardOrder::Verb::kRemove) LetGo(copy);
}

void Membership::LetGo(uint32_t copy) {
  shard_->RemoveCopy(copy);
  host_->OnCopyRemoved(copy);
}

void Membership::Tell(const std::string& why) {
  if (noted_ == why) return;
  noted_ = why;
  env_->Note(NoteLevel::kWarn, "shard '" + shard_->info().name +
                                   "': its nodes are not yet those of the config: " + why);
}

std::string Membership::Outstanding() const {
  if (settled_) return {};
  std::string text;
  for (const LinkOptions& node : nodes_) {
    if (shard_->copies().IndexOf(node.name) < 0)
      text += (text.empty() ? "" : ", ") + node.name + " comes";
  }
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    const std::string& node = shard_->info().copies[i].node;
    if (shard_->copies().IsMember(i) && !Wanted(node))
      text += (text.empty() ? "" : ", ") + node + " leaves";
  }
  return text;
}

}  // namespace gemel
