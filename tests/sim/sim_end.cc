// What must be true at the end of a run.

#include "tests/sim/sim_world.h"

namespace gemel::sim {

bool World::IsOwn(const std::string& key, const SimShard& shard) const {
  return !file_.in_effect().routed || ring_log_.Owner(key) == shard.name();
}

// Each copy has keys of its shard only.
void World::CheckForeign(const SimShard& shard, const ShardInfo& info) {
  for (const CopyInfo& copy : info.copies) {
    for (const auto& [key, value] : scene_.fleet.Find(copy.node)->data()) {
      // One that was tampered with may be there on some copies only, where no scan finds it.
      if (IsOwn(key, shard) || losses_.forced_new() || key.find(":x") != std::string::npos) {
        continue;
      }
      scene_.findings.Problem(copy.node + " of " + shard.name() + " still has " + key +
                              ", which is " + ring_log_.Owner(key) + "'s");
    }
  }
}

void World::CheckEqual(const SimShard& shard, Node* first, Node* other) {
  // With whether it expires.
  const auto value_of = [](Node* node, const std::string& key) -> std::string {
    const auto found = node->data().find(key);
    if (found == node->data().end()) return "(none)";
    return "'" + found->second + "'" + (node->Expires(key) ? " (expires)" : "");
  };
  std::string text;
  for (const auto& [key, value] : first->data()) {
    const std::string ours = value_of(first, key);
    const std::string theirs = value_of(other, key);
    if (theirs != ours && IsOwn(key, shard)) text += " " + key + " " + ours + " / " + theirs;
  }
  for (const auto& [key, value] : other->data()) {
    if (!first->data().contains(key) && IsOwn(key, shard)) {
      text += " " + key + " (none) / '" + value + "'";
    }
  }
  if (text.empty()) return;
  text = first->address() + " and " + other->address() + " differ:" + text;
  scene_.findings.Problem(text.substr(0, 1000));
}

void World::CheckEnd() {
  std::map<std::string, std::string> content;
  for (const auto& shard : lives_.present()->shards()) {
    const ShardInfo& info = *scene_.fleet.Durable(shard->name());
    CheckForeign(*shard, info);
    Node* first = scene_.fleet.Find(info.copies[0].node);
    for (const auto& [key, value] : first->data()) {
      if (IsOwn(key, *shard)) content.emplace(key, value);
    }
    for (size_t copy = 1; copy < info.copies.size(); ++copy) {
      CheckEqual(*shard, first, scene_.fleet.Find(info.copies[copy].node));
    }
  }
  const auto report = [this](const std::string& text) { scene_.findings.Problem(text); };
  if (watchers_ != nullptr && losses_.none()) watchers_->Check(content, report);
  CheckOptions options = losses_.Options();
  if (removals_ != nullptr) {
    options.removals = [this](const std::string& key) { return removals_->Of(key); };
    options.excused = [this] { removals_->OnExcused(); };
    options.all_told = removals_->all_tell();
    options.promotions = removals_->promotions();
  }
  if (file_.in_effect().routed) {
    options.resets = [this](const std::string& key) { return ring_log_.Of(key); };
  }
  clients_.history().Check(content, options, report);
}

}  // namespace gemel::sim
