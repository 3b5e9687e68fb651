#include "tests/sim/sim_refusals.h"

namespace gemel::sim {

namespace {

constexpr const char* kDown = "-CLUSTERDOWN";
constexpr const char* kRefusals[] = {
    "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist.\r\n",
    "-NOREPLICAS Not enough good replicas to write.\r\n",
    "-BUSY Redis is busy running a script.\r\n",
    "-READONLY You can't write against a read only replica.\r\n",
};

}  // namespace

void Refusals::Begin() {
  Loop& loop = scene_->loop;
  const std::string error = kRefusals[loop.Random(std::size(kRefusals))];
  const uint64_t while_us = loop.Between(1000, loop.Chance(50) ? 50000 : 900000);
  if (loop.Chance(60)) {
    stalls_->Expect("refusal", FaultKind::kNoticed);
    RefuseLater(loop.Random(scene_->fleet.size()), error, 0, while_us);
    return;
  }
  const std::vector<ShardSetup>& shards = file_->in_effect().shards;
  const std::string shard = shards[loop.Random(shards.size())].name;
  // Together, and long enough for who refused what another has applied to leave; or each for
  // itself, so that one refuses what another takes, and the other way round.
  const bool together = scene_->plan.mode != Mode::kManyFaults;
  if (together) refusals_.push_back({shard, error, loop.now_us() + while_us + 200000});
  for (size_t i = 0; i < scene_->fleet.size(); ++i) {
    if (scene_->fleet.ShardOf(i) != shard) continue;
    const std::string own =
        together || loop.Chance(70) ? error : kRefusals[loop.Random(std::size(kRefusals))];
    RefuseLater(i, own, together ? 0 : loop.Between(0, 20000),
                together ? while_us + 200000 : loop.Between(1000, 60000));
  }
}

void Refusals::RefuseLater(size_t index, const std::string& error, uint64_t after_us,
                           uint64_t while_us) {
  Node* node = scene_->fleet.at(index);
  auto begin = [this, index, node, error, while_us] {
    if (!node->condition().alive()) return;
    scene_->findings.Trace("fault: " + node->address() + " refuses writes for " +
                           std::to_string(while_us) + " us: " + error.substr(0, error.find(' ')));
    schedule_->Disturb(index);
    node->RefuseWrites(error);
    schedule_->EndLater(while_us, index, [node] { node->RefuseWrites({}); });
  };
  if (after_us == 0) {
    begin();
  } else {
    schedule_->EndLater(after_us, index, begin);
  }
}

void Refusals::OnCrash() {
  const uint64_t until_us = scene_->loop.now_us() + 1000 * 1000;
  for (size_t i = 0; i < scene_->fleet.size(); ++i) {
    const Condition& node = scene_->fleet.at(i)->condition();
    const std::string shard = scene_->fleet.ShardOf(i);
    if (!node.refusal().empty()) refusals_.push_back({shard, node.refusal(), until_us});
    const bool away = !node.alive() || node.hung() || node.cut_off();
    if (away) refusals_.push_back({shard, kDown, until_us});
  }
}

bool Refusals::AllSaid(const SimOp& op) const {
  if (lives_->present() == nullptr) return false;
  const SimShard* shard = lives_->present()->Owner(op.key);
  for (const Refusal& refusal : refusals_) {
    const bool same =
        refusal.error == kDown ? op.told.starts_with(kDown) : op.told == refusal.error;
    if (shard != nullptr && shard->name() == refusal.shard && same &&
        op.invoked_us <= refusal.until_us) {
      return true;
    }
  }
  return false;
}

}  // namespace gemel::sim
