#include "tests/sim/sim_lives.h"

#include <utility>

namespace gemel::sim {

Lives::Lives(Scene* scene, FaultSchedule* schedule) : scene_(scene), schedule_(schedule) {}

Lives::~Lives() = default;

void Lives::Start(Hooks hooks) {
  hooks_ = std::move(hooks);
  Begin();
}

void Lives::Begin() {
  going_ = false;
  const ProxyOptions config = hooks_.config();
  proxy_ = std::make_unique<SimProxy>(&scene_->loop, &scene_->disk, config, hooks_.proxy);
  hooks_.begun();
}

void Lives::Crash() {
  if (proxy_ == nullptr || going_) return;
  scene_->findings.Trace("fault: the proxy crashes");
  TakeStats();
  hooks_.crashing();
  going_ = true;
  proxy_.reset();
  hooks_.crashed();
  schedule_->Begin();
  scene_->loop.After(scene_->loop.Between(0, 200000), [this] {
    schedule_->Over();
    Begin();
  });
}

bool Lives::Busy(std::map<Shard*, uint64_t>* heard) const {
  bool busy = !hooks_.idle();
  for (const auto& sim_shard : proxy_->shards()) {
    Shard* shard = sim_shard->shard();
    for (uint32_t copy = 0; copy < shard->copy_count(); ++copy) {
      busy |= !shard->link(copy)->line().empty();
    }
    busy |= !shard->removals().AllHeard(&(*heard)[shard]) || !shard->Quiet();
  }
  return busy;
}

void Lives::Restart() {
  if (serving() == nullptr) return;
  scene_->findings.Trace("fault: the proxy is restarted in order");
  going_ = true;
  schedule_->Begin();
  // Drained first: what is in flight is answered, and nothing new is taken.
  Loop* loop = &scene_->loop;
  const uint64_t limit_us = loop->now_us() + 1000 * 1000;
  auto drain = std::make_shared<std::function<void()>>();
  auto heard = std::make_shared<std::map<Shard*, uint64_t>>();  // see Removals::AllHeard
  *drain = [this, loop, limit_us, drain, heard] {
    const bool busy = Busy(heard.get());
    if (busy && loop->now_us() < limit_us) {
      loop->After(1000, *drain);
      return;
    }
    auto again = [this] {
      TakeStats();
      going_ = false;
      schedule_->Over();
      Crash();
    };
    if (busy) {
      again();  // it takes too long: not in order
    } else {
      proxy_->Close([loop, again] { loop->After(0, again); });
    }
    loop->After(0, [drain] { *drain = nullptr; });
  };
  loop->After(0, *drain);
}

uint64_t Lives::Departures() const {
  uint64_t departures = 0;
  for (const auto& shard : proxy_->shards()) {
    const auto& figures = shard->shard()->figures();
    departures += figures.Get("promotions") + figures.Get("marked_stale");
  }
  return departures;
}

void Lives::CheckShards() {
  if (proxy_ == nullptr) return;
  for (const auto& shard : proxy_->shards()) {
    const std::string broken = shard->shard()->Broken();
    if (!broken.empty()) scene_->findings.Problem(shard->name() + ": " + broken);
  }
}

void Lives::TakeStats() {
  if (proxy_ == nullptr || !proxy_->serving()) return;
  for (const auto& shard : proxy_->shards()) {
    for (const Figure* figure : shard->shard()->figures().all()) {
      figures_[std::string(figure->name())] += figure->value();
    }
  }
}

}  // namespace gemel::sim
