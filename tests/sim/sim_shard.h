// A shard of the simulated proxy with all that belongs to it there: what UvOwnedShard is in the
// product, and in the same order.

#ifndef GEMEL_TESTS_SIM_SIM_SHARD_H_
#define GEMEL_TESTS_SIM_SIM_SHARD_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/audit/audit.h"
#include "backend/forget/forget.h"
#include "backend/resync/resync.h"
#include "backend/shard/membership.h"
#include "backend/shard/shard.h"
#include "tests/sim/sim_config.h"

namespace gemel::sim {

class SimProxy;

class SimShard : public Membership::Host {
 public:
  // `info` is the shard in the present topology. `rings`: null if the ring never changes.
  SimShard(SimProxy* proxy, const ProxyOptions& config, const ShardSetup& setup,
           const ShardInfo& info, std::shared_ptr<const RingHistory> rings);
  ~SimShard() override;
  // A crash: all of the first comes before any of the second.
  void DropAudit();
  void DropResync();

  Shard* shard() { return shard_.get(); }
  const std::string& name() const { return shard_->info().name; }
  Node* node(uint32_t copy) const { return copies_[copy].node; }
  bool retiring() const { return retiring_; }

  void Start();
  void Tick();
  // What PROXY RELOAD does to it.
  void Change(const ProxyOptions& config, const ShardSetup& setup, bool force);
  void SetHistory(std::shared_ptr<const RingHistory> rings);
  void AllowSweep();
  void Retire();
  bool Retired() const;
  void Stop();

  void FailProbes(const Node* node, uint32_t count);
  void ResetProbe(const Node* node);
  // Every member is in sync and connected, and nothing waits.
  bool Settled() const;
  // Nothing of an earlier ring is left to delete.
  bool Swept() const { return forget_ == nullptr || !forget_->active(); }
  void HurrySweep() {
    if (forget_ != nullptr) forget_->set_rate(0);
  }
  std::string Describe() const;

 private:
  class Transport;
  class Port;
  // What belongs to a copy; its index is the shard's.
  struct CopyWorld {
    Node* node = nullptr;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<Transport> side;
    uint64_t life = 0;  // another one each time that the place is taken; 0: nobody is there
    bool probing = false;
    uint32_t failing_probes = 0;
    uint64_t probed_start = 0;
  };

  void OnCopyAdded(uint32_t copy, const LinkOptions& node) override;
  void OnCopyRemoved(uint32_t copy) override;
  void MakeCopy(uint32_t copy, const std::string& address);
  void BeginProbes(uint32_t copy);
  void Probe(uint32_t copy, bool in_turn);
  void Later(uint64_t delay_us, std::function<void()> event);
  bool Lives(uint32_t copy, uint64_t life) const { return copies_[copy].life == life; }

  SimProxy* proxy_;
  std::vector<CopyWorld> copies_;
  uint64_t lives_ = 0;
  bool started_ = false;
  bool retiring_ = false;
  uint64_t retired_ms_ = 0;
  std::unique_ptr<Shard> shard_;
  std::unique_ptr<Port> port_;
  std::unique_ptr<Resync> resync_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Forget> forget_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_SHARD_H_
