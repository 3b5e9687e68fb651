// The proxy of a run, life by life: it crashes, is restarted in order, and begins again.

#ifndef GEMEL_TESTS_SIM_SIM_LIVES_H_
#define GEMEL_TESTS_SIM_SIM_LIVES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/sim_proxy.h"
#include "tests/sim/sim_scene.h"
#include "tests/sim/sim_schedule.h"

namespace gemel::sim {

class Lives {
 public:
  struct Hooks {
    ProxyHooks proxy;                      // of each life
    std::function<ProxyOptions()> config;  // that a life begins with
    std::function<void()> begun;
    std::function<void()> crashing;  // it is still there
    std::function<void()> crashed;
    std::function<bool()> idle;  // no client waits for anything
  };
  Lives(Scene* scene, FaultSchedule* schedule);
  ~Lives();

  void Start(Hooks hooks);
  void Crash();
  void Restart();
  // The run is over.
  void End() { proxy_.reset(); }

  // Null if there is none, or none that takes requests, or if it is being stopped.
  SimProxy* serving() const {
    return proxy_ != nullptr && !going_ && proxy_->serving() ? proxy_.get() : nullptr;
  }
  // The same, and it is not paused.
  SimProxy* awake() const {
    SimProxy* proxy = serving();
    return proxy != nullptr && !proxy->process().paused() ? proxy : nullptr;
  }
  // Null between two lives.
  SimProxy* present() const { return proxy_.get(); }
  // It is being stopped or started.
  bool going() const { return going_; }
  bool Settled() const { return serving() != nullptr && serving()->Settled(); }

  // How often a copy left, by what the shards count.
  uint64_t Departures() const;
  // What is true of the state of a copy at any time.
  void CheckShards();
  // What the shards counted, by the names of their figures, over all lives until the last
  // TakeStats.
  void TakeStats();
  const std::map<std::string, uint64_t>& figures() const { return figures_; }

 private:
  void Begin();
  bool Busy(std::map<Shard*, uint64_t>* heard) const;

  Scene* scene_;
  FaultSchedule* schedule_;
  Hooks hooks_;
  std::unique_ptr<SimProxy> proxy_;
  bool going_ = false;
  std::map<std::string, uint64_t> figures_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_LIVES_H_
