// A reload of the simulated proxy, in the product's steps.

#ifndef GEMEL_TESTS_SIM_SIM_RELOAD_H_
#define GEMEL_TESTS_SIM_SIM_RELOAD_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/reload/reload_steps.h"
#include "tests/sim/sim_config.h"

namespace gemel::sim {

class SimProxy;

class SimReload : private ReloadSteps::Host {
 public:
  explicit SimReload(SimProxy* proxy);
  ~SimReload() override;

  // `done`: empty, or why it was refused; not called if the proxy crashes first. Not while one is
  // under way.
  void Begin(const ProxyOptions& next, bool force, std::function<void(const std::string&)> done);
  bool under_way() const { return job_ != nullptr; }
  // Shards that are on their way out; one of them is gone.
  const std::vector<LeavingShard>& leaving() const { return steps_.leaving(); }
  void OnRetired(const std::string& shard) { steps_.OnRetired(shard); }
  void Stop() { steps_.Stop(); }

 private:
  struct Job;

  std::vector<std::string> Leaving() const;
  void End(const std::string& why);

  std::shared_ptr<const Topology> Durable() const override;
  void Propose(Edit edit, EditDone done) override;
  void Note(NoteLevel level, const std::string& text) override;
  void MakeRings(std::shared_ptr<const Topology> topology) override;
  void ChangeWorkers(std::shared_ptr<const Topology> topology) override;
  void OnTakenEffect() override { End(""); }
  void OnRefused(const std::string& why) override { End(why); }

  SimProxy* proxy_;
  ReloadSteps steps_{this};
  std::unique_ptr<Job> job_;  // the one under way
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_RELOAD_H_
