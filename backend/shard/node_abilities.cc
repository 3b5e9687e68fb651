#include "backend/shard/node_abilities.h"

#include <algorithm>

namespace gemel {

void NodeAbilities::Note(const ServerUser& node, const Abilities& abilities) {
  const std::lock_guard lock(mutex_);
  nodes_[node] = abilities;
  Count();
}

void NodeAbilities::Forget(const ServerUser& node) {
  const std::lock_guard lock(mutex_);
  nodes_.erase(node);
  Count();
}

void NodeAbilities::ForgetShard(std::string_view shard) {
  const std::lock_guard lock(mutex_);
  std::erase_if(nodes_, [&](const auto& node) { return node.first.shard == shard; });
  Count();
}

void NodeAbilities::Count() {
  all_can_all_ = std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node.second.speaks_resp3 && node.second.has_databases && node.second.takes_blocks &&
           node.second.confines_scripts;
  });
}

std::optional<ServerUser> NodeAbilities::Without(bool Abilities::*what) const {
  if (all_can_all_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  for (const auto& [node, abilities] : nodes_) {
    if (!(abilities.*what)) return node;
  }
  return std::nullopt;
}

std::optional<ServerUser> NodeAbilities::WithoutResp3() const {
  return Without(&Abilities::speaks_resp3);
}

std::optional<ServerUser> NodeAbilities::WithoutDatabases() const {
  return Without(&Abilities::has_databases);
}

std::optional<ServerUser> NodeAbilities::WithoutBlocks() const {
  return Without(&Abilities::takes_blocks);
}

std::optional<ServerUser> NodeAbilities::WithoutConfinement() const {
  return Without(&Abilities::confines_scripts);
}

}  // namespace gemel
