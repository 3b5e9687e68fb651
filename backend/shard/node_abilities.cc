#include "backend/shard/node_abilities.h"

#include <algorithm>

namespace gemel {

void NodeAbilities::Note(const ServerUser& node, bool speaks_resp3) {
  const std::lock_guard lock(mutex_);
  speaks_resp3_[node] = speaks_resp3;
  Count();
}

void NodeAbilities::Forget(const ServerUser& node) {
  const std::lock_guard lock(mutex_);
  speaks_resp3_.erase(node);
  Count();
}

void NodeAbilities::ForgetShard(std::string_view shard) {
  const std::lock_guard lock(mutex_);
  std::erase_if(speaks_resp3_, [&](const auto& node) { return node.first.shard == shard; });
  Count();
}

void NodeAbilities::Count() {
  all_speak_resp3_ = std::all_of(speaks_resp3_.begin(), speaks_resp3_.end(),
                                 [](const auto& node) { return node.second; });
}

std::optional<ServerUser> NodeAbilities::WithoutResp3() const {
  if (all_speak_resp3_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  for (const auto& [node, speaks] : speaks_resp3_) {
    if (!speaks) return node;
  }
  return std::nullopt;
}

}  // namespace gemel
