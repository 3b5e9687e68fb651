// Nodes that answer, but refuse writes: one of them, or all copies of a shard.

#include "tests/sim/sim_world.h"

namespace gemel::sim {

namespace {

constexpr const char* kRefusals[] = {
    "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist.\r\n",
    "-NOREPLICAS Not enough good replicas to write.\r\n",
    "-BUSY Redis is busy running a script.\r\n",
    "-READONLY You can't write against a read only replica.\r\n",
};

}  // namespace

void World::BeginRefusals() {
  const std::string error = kRefusals[loop_.Random(std::size(kRefusals))];
  const uint64_t while_us = loop_.Between(1000, loop_.Chance(50) ? 50000 : 900000);
  if (loop_.Chance(60)) {
    ExpectStall("refusal", FaultKind::kNoticed);
    RefuseLater(loop_.Random(nodes_.size()), error, 0, while_us);
    return;
  }
  const std::string shard = options_.shards[loop_.Random(options_.shards.size())].name;
  // Together, and long enough for who refused what another has applied to leave; or each for
  // itself, so that one refuses what another takes, and the other way round.
  const bool together = mode_ != Mode::kManyFaults;
  if (together) refusals_.push_back({shard, error, loop_.now_us() + while_us + 200000});
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (ShardOf(i) != shard) continue;
    const std::string own =
        together || loop_.Chance(70) ? error : kRefusals[loop_.Random(std::size(kRefusals))];
    RefuseLater(i, own, together ? 0 : loop_.Between(0, 20000),
                together ? while_us + 200000 : loop_.Between(1000, 60000));
  }
}

void World::RefuseLater(size_t index, const std::string& error, uint64_t after_us,
                        uint64_t while_us) {
  Node* node = nodes_[index].get();
  auto begin = [this, index, node, error, while_us] {
    if (!node->alive()) return;
    Trace("fault: " + node->address() + " refuses writes for " + std::to_string(while_us) +
          " us: " + error.substr(0, error.find(' ')));
    Disturbed(index);
    node->RefuseWrites(error);
    EndLater(while_us, index, [node] { node->RefuseWrites({}); });
  };
  if (after_us == 0) {
    begin();
  } else {
    EndLater(after_us, index, begin);
  }
}

// Was that what its shard's copies all said?
bool World::AllRefuse(const SimOp& op) const {
  if (proxy_ == nullptr) return false;
  const SimShard* shard = proxy_->Owner(op.key);
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
