#include "tests/sim/sim_faults.h"

namespace gemel::sim {

namespace {

// Until what a pause, or a long command, could cause would be seen.
constexpr uint64_t kAfterwardsUs = 300000;

}  // namespace

void Faults::Turn() {
  if (!parts_.schedule->more()) return;
  Loop& loop = scene_->loop;
  const bool many = scene_->plan.mode == Mode::kManyFaults;
  const bool well = parts_.schedule->quiet() && parts_.lives->Settled();
  if (many ? parts_.lives->present() != nullptr : well) {
    parts_.schedule->Take();
    Begin();
    // Things that happen at about the same time.
    while (many && parts_.schedule->more() && loop.Chance(30)) {
      parts_.schedule->Take();
      Begin();
    }
  }
  const bool one = scene_->plan.mode == Mode::kOneFault;
  loop.After(loop.Between(1000, one ? 30000 : 300000), [this] { Turn(); });
}

void Faults::Begin() {
  Loop& loop = scene_->loop;
  const RunPlan& plan = scene_->plan;
  parts_.stalls->Forget();
  if (plan.reloads && loop.Chance(45)) {
    parts_.orders->Reload(/*reverse=*/false);
  } else if (plan.refuses && loop.Chance(40)) {
    parts_.refusals->Begin();
  } else if (plan.pauses && loop.Chance(60)) {
    loop.Chance(50) ? PauseProxy() : LongCommand();
  } else if (plan.mode == Mode::kRestarts || (parts_.schedule->crashes() && loop.Chance(25))) {
    StrikeProxy();
  } else if (loop.Chance(8) && !scene_->disk.full) {
    FillDisk();
  } else if (plan.mode == Mode::kManyFaults && loop.Chance(20)) {
    const std::vector<ShardSetup>& shards = parts_.file->in_effect().shards;
    parts_.nodes->OneAfterTheOther(shards[loop.Random(shards.size())].name);
  } else {
    parts_.nodes->Strike(loop.Random(scene_->fleet.size()));
  }
}

void Faults::StrikeProxy() {
  Loop& loop = scene_->loop;
  if (loop.Chance(30) && parts_.lives->serving() != nullptr) {
    parts_.orders->OrderOnNode(loop.Random(scene_->fleet.size()));
  } else if (loop.Chance(50)) {
    parts_.lives->Crash();
  } else {
    parts_.lives->Restart();
  }
}

void Faults::FillDisk() {
  const uint64_t while_us = scene_->loop.Between(1000, scene_->loop.Chance(50) ? 50000 : 2000000);
  scene_->findings.Trace("fault: the disk is full for " + std::to_string(while_us) + " us");
  scene_->disk.full = true;
  parts_.schedule->EndLater(while_us, 0, [this] { scene_->disk.full = false; });
}

// With one fault at a time nobody may wait for longer than that, nor leave meanwhile.
void Faults::ExpectPeace(const std::string& what, uint64_t while_us) {
  if (!parts_.stalls->known()) return;
  parts_.stalls->ExpectPeace(what, while_us);
  parts_.schedule->EndLater(while_us + kAfterwardsUs, 0,
                            [this, what, before = parts_.lives->Departures()] {
                              if (parts_.lives->Departures() == before) return;
                              scene_->findings.Problem("a copy left because of " + what);
                            });
}

void Faults::PauseProxy() {
  SimProxy* proxy = parts_.lives->awake();
  if (proxy == nullptr || proxy->reload().under_way()) return;
  Loop& loop = scene_->loop;
  const uint64_t shortest_us = RunningClock::kMaxStepMs * 1000 + 10000;
  const uint64_t while_us = loop.Between(shortest_us, loop.Chance(30) ? 2000000 : 300000);
  scene_->findings.Trace("fault: the proxy is stopped for " + std::to_string(while_us) + " us");
  ExpectPeace("a pause of the proxy", while_us);
  proxy->process().Pause();
  parts_.schedule->EndLater(while_us, 0, [this] {
    scene_->fleet.ListenedJustNow();
    SimProxy* paused = parts_.lives->present();
    if (paused != nullptr && paused->process().paused()) paused->process().Unpause();
  });
}

void Faults::LongCommand() {
  if (parts_.lives->serving() == nullptr) return;
  Loop& loop = scene_->loop;
  const auto shard = static_cast<uint16_t>(loop.Random(scene_->plan.prefixes));
  const bool is_read = loop.Chance(50);
  const uint64_t for_us = loop.Between(20000, 250000);
  scene_->findings.Trace(std::string("fault: a ") + (is_read ? "read" : "write") + " takes " +
                         std::to_string(for_us) + " us");
  // The copies are not alike: see Node.
  ExpectPeace("a long command", for_us * 3 / 2);
  parts_.clients->SubmitLong(shard, is_read, for_us);
}

void Faults::HealAll() {
  scene_->fleet.HealAll();
  scene_->disk.failing_percent = 0;
  scene_->disk.full = false;
}

}  // namespace gemel::sim
