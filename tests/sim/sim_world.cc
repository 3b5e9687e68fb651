// The run as a whole: set up, settled and checked.

#include "tests/sim/sim_world.h"

namespace gemel::sim {

namespace {

constexpr uint64_t kSettleLimit = 30 * kSecondUs;

}  // namespace

World::World(uint64_t seed, bool trace)
    : scene_(seed, trace),
      file_(&scene_),
      schedule_(&scene_.loop, scene_.plan),
      losses_(&scene_),
      lives_(&scene_, &schedule_),
      removals_(MakeRemovals()),
      watchers_(MakeWatchers()),
      stalls_(&scene_, &file_),
      refusals_(&scene_, &schedule_, &lives_, &file_, &stalls_),
      clients_(&scene_, &lives_, removals_.get(), &refusals_, &stalls_),
      operator_(&scene_, &schedule_, &lives_, &file_, &losses_),
      node_faults_(&scene_,
                   {&schedule_, &lives_, &file_, &losses_, &stalls_, &operator_, removals_.get()}),
      faults_(&scene_, {&schedule_, &lives_, &file_, &stalls_, &refusals_, &clients_, &operator_,
                        &node_faults_}) {
  WatchDisk();
}

World::~World() {
  clients_.Ignore();
  lives_.End();
}

std::unique_ptr<Removals> World::MakeRemovals() {
  if (!scene_.plan.removals) return nullptr;
  auto removals = std::make_unique<Removals>(&scene_.loop, scene_.plan.seed);
  for (size_t i = 0; i < scene_.fleet.size(); ++i) {
    removals->Begin(scene_.fleet.at(i), [this, i] { return scene_.fleet.IsPrimary(i); });
  }
  if (!removals->audits()) file_.HaveNoAudits();
  return removals;
}

std::unique_ptr<Watchers> World::MakeWatchers() {
  if (!scene_.plan.watches) return nullptr;
  return std::make_unique<Watchers>(
      &scene_.loop, &Table(),
      [this](std::string_view key) { return DatabaseOf(key, scene_.plan.options.databases); },
      [this](Request* request, const std::string& key) {
        SimProxy* proxy = lives_.serving();
        if (proxy != nullptr) proxy->Submit(request, key);
        return proxy != nullptr;
      });
}

void World::WatchDisk() {
  scene_.disk.crash = [this] {
    if (lives_.present() == nullptr || lives_.going()) return false;  // it ends now anyway
    scene_.loop.After(0, [this] { lives_.Crash(); });
    return true;
  };
  scene_.disk.changed = [this] {
    const Topology& durable = *scene_.disk.durable;
    std::string error;
    if (!CheckTopology(durable, &error)) {
      scene_.findings.Problem("a topology that may not be: " + error);
    }
    ring_log_.OnDurable(durable, scene_.loop.now_us());
    if (removals_ != nullptr) {
      removals_->OnDurable(durable,
                           [this](const std::string& name) { return scene_.fleet.Find(name); });
    }
    if (schedule_.may_crash() && scene_.loop.Chance(5)) {
      schedule_.Take();
      scene_.loop.After(scene_.loop.Between(0, 200), [this] { lives_.Crash(); });
    }
  };
}

Lives::Hooks World::HooksOfLives() {
  Lives::Hooks hooks;
  hooks.proxy.find = [this](const std::string& address) { return scene_.fleet.Find(address); };
  hooks.proxy.fail = [this](const std::string& text) { scene_.findings.Problem(text); };
  hooks.proxy.noted = [this](const std::string& text) { losses_.OnNote(text); };
  if (scene_.plan.reloads) {
    hooks.proxy.routes_by = [this](const RingSpec& ring) {
      const uint64_t now_us = scene_.loop.now_us();
      if (!lives_.present()->serving()) ring_log_.OnStart(*scene_.disk.durable, now_us);
      ring_log_.OnRouted(ring, now_us);
    };
  }
  if (removals_ != nullptr) {
    hooks.proxy.audit_may_find = [this](const std::string& text) { return MayAuditFind(text); };
  }
  hooks.proxy.trace = scene_.findings.trace();
  hooks.config = [this] {
    if (scene_.plan.reloads) file_.ChooseAtStart();
    return file_.in_effect();
  };
  hooks.begun = [this] {
    if (watchers_ != nullptr) watchers_->OnStart();
  };
  hooks.crashing = [this] { OnCrashing(); };
  hooks.crashed = [this] { clients_.OnCrashed(); };
  hooks.idle = [this] { return Idle(); };
  return hooks;
}

void World::OnCrashing() {
  if (removals_ != nullptr) removals_->OnCrash();
  schedule_.DisturbAll();
  refusals_.OnCrash();
  losses_.OnCrash();
  operator_.OnCrash();
  clients_.Ignore();
  if (watchers_ != nullptr) watchers_->OnCrash();
}

bool World::MayAuditFind(const std::string& text) {
  constexpr std::string_view kBefore = "audit: key \"";
  const size_t at = text.find(kBefore) + kBefore.size();
  if (!Removals::MayGo(text.substr(at, text.find('"', at) - at))) return false;
  removals_->OnAuditFound();
  return true;
}

void World::CrashAt(uint64_t write, bool before) {
  scene_.disk.crash_at = write;
  scene_.disk.crash_before = before;
  losses_.OnCrashBesideFaults();
}

std::string World::Describe() const {
  return scene_.plan.Describe() + (removals_ == nullptr ? "" : removals_->Describe());
}

std::map<std::string, uint64_t> World::Figures() const {
  std::map<std::string, uint64_t> figures = lives_.figures();
  if (watchers_ != nullptr && losses_.none()) {
    figures["raised by watchers"] += watchers_->raised();
    figures["touched for watchers"] += watchers_->touched();
  }
  return figures;
}

const std::vector<std::string>& World::Run() {
  Loop& loop = scene_.loop;
  scene_.findings.Trace(Describe());
  loop.set_after_each([this] { lives_.CheckShards(); });
  lives_.Start(HooksOfLives());
  clients_.Begin();
  loop.After(loop.Between(0, 200000), [this] { faults_.Turn(); });
  loop.After(loop.Between(0, 200000), [this] { AuditTurn(); });
  if (scene_.plan.saves) node_faults_.SaveTurn();
  if (watchers_ != nullptr) {
    for (size_t shard = 0; shard < scene_.plan.prefixes; ++shard) {
      watchers_->Begin(ShardName(shard) + ":w", 2);
    }
  }
  loop.After(100000, [this] { clients_.CheckBounds(); });
  loop.RunUntil(scene_.plan.clients.end_us);
  schedule_.End();
  if (watchers_ != nullptr) watchers_->Stop();
  Settle("after the faults");
  // Only a write shows that a key was tampered with.
  clients_.TouchTampered();
  Settle("after the repair of keys");
  if (removals_ != nullptr && !loop.stopped()) EndRemovals();
  if (!loop.stopped()) CheckEnd();
  lives_.TakeStats();
  return scene_.findings.problems();
}

// Nothing goes any more: a second later the copies are equal.
void World::EndRemovals() {
  removals_->Freeze();
  SimProxy* proxy = lives_.present();
  if (!removals_->all_tell()) {
    for (const auto& shard : proxy->shards()) proxy->orders().StartAudit(shard.get());
  }
  scene_.loop.RunUntil(scene_.loop.now_us() + kSecondUs);
  if (!removals_->all_tell()) Settle("after the last removals");
}

void World::AuditTurn() {
  Loop& loop = scene_.loop;
  if (loop.now_us() >= scene_.plan.clients.end_us) return;
  if (removals_ != nullptr && !removals_->audits()) return;
  if (SimProxy* proxy = lives_.serving(); proxy != nullptr) {
    SimShard* shard = proxy->shards()[loop.Random(proxy->shards().size())].get();
    if (!shard->served().retiring()) proxy->orders().StartAudit(shard);
  }
  const uint64_t pause_us = scene_.plan.audit_pause_us;
  loop.After(loop.Between(pause_us / 4, pause_us), [this] { AuditTurn(); });
}

bool World::Idle() const { return clients_.Idle() && (watchers_ == nullptr || watchers_->Idle()); }

void World::Settle(const char* what) {
  Loop& loop = scene_.loop;
  faults_.HealAll();
  const uint64_t limit = loop.now_us() + kSettleLimit;
  uint64_t still = 0;
  // An edit that failed is tried again a second later.
  if (loop.now_us() >= scene_.plan.clients.end_us) {
    loop.RunUntil(loop.now_us() + kSecondUs + kSecondUs / 5);
  }
  while (!loop.stopped()) {
    loop.RunUntil(loop.now_us() + 20000);
    const bool settled =
        schedule_.quiet() && lives_.Settled() && lives_.present()->Swept() && Idle();
    still = settled ? still + 1 : 0;
    operator_.AcceptOldData();
    SimProxy* proxy = lives_.present();
    if (scene_.plan.reloads && proxy != nullptr) proxy->HurrySweeps();
    if (still == 5) return;
    if (loop.now_us() < limit) continue;
    std::string text = std::string(what) + " it does not settle:";
    if (proxy == nullptr || !proxy->serving()) {
      scene_.findings.Problem(text + " no proxy");
      return;
    }
    for (const auto& shard : proxy->shards()) text += shard->Describe();
    if (proxy->reload().under_way()) text += ", a reload is under way";
    scene_.findings.Problem(text);
  }
}

}  // namespace gemel::sim
