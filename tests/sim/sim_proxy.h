// One life of a proxy: real shards, links, resyncs and audits on simulated transports, clock and
// disk.

#ifndef GEMEL_TESTS_SIM_SIM_PROXY_H_
#define GEMEL_TESTS_SIM_SIM_PROXY_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/ring/ring_history.h"
#include "backend/shard/server_claims.h"
#include "tests/sim/sim_coordinator.h"
#include "tests/sim/sim_orders.h"
#include "tests/sim/sim_process.h"
#include "tests/sim/sim_reload.h"
#include "tests/sim/sim_shard.h"

namespace gemel::sim {

// What a proxy has to do with the world around it.
struct ProxyHooks {
  std::function<Node*(const std::string& address)> find;
  std::function<void(const std::string&)> fail;         // what must not be
  std::function<void(const std::string&)> noted = {};   // each line of its log
  std::function<void(const RingSpec&)> routes_by = {};  // from now on
  // That line of an audit is about a key that may differ for a moment.
  std::function<bool(const std::string&)> audit_may_find = {};
  bool trace = false;
};

class SimProxy : public ShardWorld {
 public:
  // `config` is taken over.
  SimProxy(Loop* loop, Disk* disk, const ProxyOptions& config, const ProxyHooks& hooks);
  ~SimProxy() override;  // a crash

  // The state that it serves is durable, and it takes requests.
  bool serving() const override { return serving_; }
  // By the key: its owner of this moment.
  void Submit(Request* request, const std::string& key);
  // Null if there is none.
  SimShard* Owner(const std::string& key) const;
  SimShard* Find(const std::string& shard) const;  // not one that retires
  // Those that retire, too.
  const std::vector<std::unique_ptr<SimShard>>& shards() const { return shards_; }
  const ProxyOptions& config() const { return config_; }
  // Every copy is in sync and connected, no reload is under way, and nothing waits.
  bool Settled() const;
  // No shard has keys of others, and none is on its way out.
  bool Swept() const;
  // From now on deletions have no limit.
  void HurrySweeps() {
    for (const auto& shard : shards_) shard->served().set_forget_rate(0);
  }
  // Ends in order: `done` once that is durable. Nothing may be in flight.
  void Close(std::function<void()> done);
  // The next so many probes of the node are not answered in time.
  void FailProbes(const Node* node, uint32_t count);
  // The node's process died in front of everybody: the probe's own connection ends with it.
  void ResetProbe(const Node* node);

  SimReload& reload() { return reload_; }
  SimOrders& orders() { return orders_; }

  // --- ShardEnv ---
  uint64_t NowMs() override { return process_.NowMs(); }
  int64_t UnixMs() override {
    return static_cast<int64_t>(Keyspace::kEpochMs + loop_->now_us() / 1000);
  }
  void Propose(Edit edit, EditDone done) override;
  void Note(NoteLevel level, const std::string& text) override;
  ServerClaims* claims() override { return &claims_; }

  // --- ShardWorld ---
  Process& process() override { return process_; }
  Loop* loop() override { return loop_; }
  ChunkPool* pool() override { return &pool_; }
  ResyncBoard* resyncs() override { return &resyncs_; }
  // The life before this one did not end in order.
  bool after_crash() const override { return after_crash_; }
  Node* FindNode(const std::string& address) const override { return hooks_.find(address); }
  bool IsStale(const std::string& shard, const std::string& node) const override;
  void Fail(const std::string& text) override { hooks_.fail(text); }

  // --- for its parts ---
  Disk* disk() { return disk_; }
  std::shared_ptr<const Topology> Durable() const { return coordinator_->current(); }
  std::shared_ptr<const RingHistory> RingsOf(const Topology& topology) const {
    return std::make_shared<const RingHistory>(topology.rings, rings_.get());
  }
  // A reload does. `rings`: null if they are what they were.
  void TakeEffect(const ProxyOptions& next, std::shared_ptr<const RingHistory> rings, bool force,
                  const Topology& topology);

 private:
  void Open();
  void StartShards();
  void RouteBy(const ProxyOptions& config);
  void AddShard(const ShardSetup& setup, const Topology& topology);
  void Tick();
  void LetGo();

  Loop* loop_;
  Disk* disk_;
  ProxyOptions config_;
  const ProxyHooks hooks_;
  Process process_;
  bool serving_ = false;
  std::shared_ptr<const Topology> initial_;
  std::unique_ptr<SimCoordinator> coordinator_;
  std::unique_ptr<Coordinator> front_;
  std::shared_ptr<const Topology> known_;  // to the shards
  ServerClaims claims_;
  ResyncBoard resyncs_{2};
  ChunkPool pool_;
  bool after_crash_ = false;
  std::shared_ptr<const RingHistory> rings_;  // null if the ring never changes
  std::unique_ptr<const Ring> ring_;          // labels: indexes into config_.shards
  SimReload reload_{this};
  std::vector<std::unique_ptr<SimShard>> shards_;
  SimOrders orders_{this};
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_PROXY_H_
