// What looks like a fault and is none: the proxy's process is stopped for a while, or a client's
// command keeps nodes busy. The others wait, and nobody is taken for dead.

#include "tests/sim/sim_world.h"

namespace gemel::sim {

namespace {

// Until what a pause, or a long command, could cause would be seen.
constexpr uint64_t kAfterwardsUs = 300000;

}  // namespace

uint64_t World::Departures() const {
  uint64_t departures = 0;
  for (const auto& shard : proxy_->shards()) {
    departures +=
        shard->shard()->figures().Get("promotions") + shard->shard()->figures().Get("marked_stale");
  }
  return departures;
}

// With one fault at a time nobody may wait for longer than that, nor leave meanwhile.
void World::ExpectPeace(const std::string& what, uint64_t while_us) {
  if (mode_ != Mode::kOneFault || disk_.crash_at > 0) return;
  stall_.fault = what;
  stall_.write_us = stall_.read_us = while_us + 100000 + disk_.max_write_us;
  EndLater(while_us + kAfterwardsUs, 0, [this, what, before = Departures()] {
    if (Departures() != before) Problem("a copy left because of " + what);
  });
}

void World::PauseProxy() {
  if (proxy_ == nullptr || proxy_going_ || !proxy_->serving() || proxy_->paused() ||
      proxy_->reloading()) {
    return;
  }
  const uint64_t shortest_us = RunningClock::kMaxStepMs * 1000 + 10000;
  const uint64_t while_us = loop_.Between(shortest_us, loop_.Chance(30) ? 2000000 : 300000);
  Trace("fault: the proxy is stopped for " + std::to_string(while_us) + " us");
  ExpectPeace("a pause of the proxy", while_us);
  proxy_->Pause();
  EndLater(while_us, 0, [this] {
    // Meanwhile nobody could ask them to be told of anything.
    for (auto& node : nodes_) node->ListenedJustNow();
    if (proxy_ != nullptr && proxy_->paused()) proxy_->Unpause();
  });
}

void World::LongCommand() {
  if (proxy_ == nullptr || proxy_going_ || !proxy_->serving()) return;
  SimOp* op = &copies_.emplace_back();
  op->shard = static_cast<uint16_t>(loop_.Random(prefixes_));
  op->key = ShardName(op->shard) + ":b";
  op->is_read = loop_.Chance(50);
  const uint64_t for_us = loop_.Between(20000, 250000);
  const std::string how_long = std::to_string(for_us);
  Trace(std::string("fault: a ") + (op->is_read ? "read" : "write") + " takes " + how_long + " us");
  // The copies are not alike: see SimNode.
  ExpectPeace("a long command", for_us * 3 / 2);
  if (op->is_read) {
    SubmitOp(op, {"EVAL_RO", "return 0", "0", how_long});
  } else {
    SubmitOp(op, {"ZUNIONSTORE", op->key, "1", op->key, how_long});
  }
}

}  // namespace gemel::sim
