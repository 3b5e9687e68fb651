#include "tests/sim/sim_losses.h"

#include <algorithm>

namespace gemel::sim {

namespace {

bool Says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

// What only one copy has acknowledged may be lost with it, if more goes wrong at the same time.
Losses::Losses(Scene* scene)
    : scene_(scene), data_lost_(!scene->plan.all_acks() && scene->plan.mode != Mode::kOneFault) {}

void Losses::OldFromNow() {
  data_lost_ = true;
  old_from_us_ = std::min(old_from_us_, scene_->loop.now_us());
}

void Losses::OnCrash() {
  // It may be durable without a word of it.
  if ((forced_us_ > 0 && ForcedWithin(kSecondUs)) || forced_reload_) OldFromNow();
}

void Losses::OnNote(const std::string& text) {
  if (Says(text, "on_data_loss = \"miss\"")) {
    scene_->findings.Trace("data is lost for misses");
    MayLose();
  }
  if (Says(text, "PROXY PROMOTE FORCE (epoch")) {
    // The operator chose the data of a node that was another shard's just before.
    forced_new_ |= Says(text, "it is new to the shard");
    OldFromNow();
  }
  if (!Says(text, "all copies in sync restarted; the")) return;
  OldFromNow();
  CheckAllRestarted(text);
}

void Losses::CheckAllRestarted(const std::string& text) {
  for (const ShardInfo& shard : scene_->disk.durable->shards) {
    if (text.find("'" + shard.name + "'") == std::string::npos) continue;
    for (const CopyInfo& copy : shard.copies) {
      const Node* node = scene_->fleet.Find(copy.node);
      if (copy.state == CopyState::kInSync && copy.run_id == node->run_id()) {
        scene_->findings.Problem("not all copies in sync restarted: " + copy.node + " did not");
      }
    }
  }
}

CheckOptions Losses::Options() const {
  CheckOptions options;
  options.all_acks = scene_->plan.all_acks();
  options.data_lost = data_lost_;
  options.old_from_us = old_from_us_;
  return options;
}

}  // namespace gemel::sim
