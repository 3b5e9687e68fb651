// The I/O of a shard of the simulated proxy, which ServedShard drives as it does the product's.

#ifndef GEMEL_TESTS_SIM_SIM_SHARD_H_
#define GEMEL_TESTS_SIM_SIM_SHARD_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/served/served_shard.h"
#include "tests/sim/sim_config.h"
#include "tests/sim/sim_control.h"
#include "tests/sim/sim_shard_world.h"

namespace gemel::sim {

class SimShard : private ServedShard::Host {
 public:
  // `info` is the shard in the present topology. `rings`: null if the ring never changes.
  // `turn`: of the process as its owner, in a fleet.
  SimShard(ShardWorld* proxy, const ProxyOptions& config, const ShardSetup& setup,
           const ShardInfo& info, std::shared_ptr<const RingHistory> rings,
           const ShardTurn& turn = {});
  ~SimShard() override;

  ServedShard& served() { return *served_; }
  Shard* shard() const { return served_->shard(); }
  const std::string& name() const { return served_->name(); }
  Node* node(uint32_t copy) const { return copies_[copy].node; }

  void Tick();
  // What PROXY RELOAD does to it.
  void Change(const ProxyOptions& config, const ShardSetup& setup, bool force);

  void FailProbes(const Node* node, uint32_t count);
  void ResetProbe(const Node* node);
  // Every member is in sync and connected, and nothing waits.
  bool Settled() const;
  // Nothing of an earlier ring is left to delete.
  bool Swept() const { return !served_->sweeping(); }
  std::string Describe() const;

 private:
  class Transport;
  class Port;
  // What belongs to a copy; its index is the shard's.
  struct CopyWorld {
    Node* node = nullptr;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<Transport> side;
    std::unique_ptr<Transport> feed;
    uint64_t control = 0;  // another one for each control connection; 0: there is none
    uint64_t probes = 0;   // the same of the probes
    bool probing = false;
    uint32_t failing_probes = 0;
    uint64_t probed_start = 0;
  };

  void Open(uint32_t copy, const LinkOptions& node, const ServedShard::CopyLinks& links) override;
  void Close(uint32_t copy, const std::vector<std::vector<std::string>>& last) override;
  void CloseAll() override;
  void SetControl(uint32_t copy, const LinkOptions& node, bool anew) override;
  void StartProbe(uint32_t copy, const LinkOptions& node, const HealthConfig& health,
                  uint32_t random) override;
  void SetProbe(uint32_t, const HealthConfig&, uint32_t) override {}  // they have their own pace
  void ProbeNow(uint32_t copy) override { Probe(copy, /*in_turn=*/false); }
  void StopProbe(uint32_t copy) override { copies_[copy].probes = 0; }
  void LookAtHosts() override {}
  void Adjust(ShardOptions* options) const override;

  void Probe(uint32_t copy, bool in_turn);
  bool CannotAnswer(const Node* node) const;
  void Later(uint64_t delay_us, std::function<void()> event);
  bool Probes(uint32_t copy, uint64_t probes) const { return copies_[copy].probes == probes; }

  ShardWorld* proxy_;
  uint32_t grace_ms_;
  std::vector<CopyWorld> copies_;
  uint64_t lives_ = 0;
  std::unique_ptr<Port> port_;
  std::unique_ptr<FencedControl> fenced_;  // in a fleet
  std::unique_ptr<ServedShard> served_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_SHARD_H_
