// One life of a proxy: real shards, links, resyncs and audits on simulated transports, clock and
// disk; and the reloads in it.

#ifndef GEMEL_TESTS_SIM_SIM_PROXY_H_
#define GEMEL_TESTS_SIM_SIM_PROXY_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/health/running_clock.h"
#include "backend/ring/ring_history.h"
#include "backend/shard/server_claims.h"
#include "proxy/reload/reload_steps.h"
#include "tests/sim/sim_coordinator.h"
#include "tests/sim/sim_shard.h"

namespace gemel::sim {

const CommandTable& Table();

class SimProxy : public ShardEnv, private ReloadSteps::Host {
 public:
  // `config` is taken over; `fail` gets what must not be.
  SimProxy(Loop* loop, Disk* disk, const ProxyOptions& config,
           std::function<void(std::string)> fail);
  ~SimProxy() override;  // a crash

  // The state that it serves is durable, and it takes requests.
  bool serving() const { return serving_; }
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
  // As PROXY AUDIT.
  void StartAudit(SimShard* shard);
  // The node's process died in front of everybody: the probe's own connection ends with it.
  void ResetProbe(const Node* node);

  // A reload. `done`: empty, or why it was refused; not called if the proxy crashes
  // first. Not while one is under way.
  void Reload(const ProxyOptions& next, bool force, std::function<void(const std::string&)> done);
  bool reloading() const { return job_ != nullptr; }

  // An order of an operator's to the shard of that node (see ShardControl). `done`: whether it was
  // carried out; not called if the proxy crashes first.
  void Order(SimShard* shard, const std::string& verb, const Node* node,
             std::function<void(bool ok)> done);

  // Its process is stopped (SIGSTOP, a snapshot of its machine) until Unpause. What comes meanwhile
  // waits in its sockets, and its timers are late.
  void Pause() { paused_ = true; }
  void Unpause();
  bool paused() const { return paused_; }

  // --- ShardEnv ---
  uint64_t NowMs() override { return clock_.Advance(loop_->now_ms()); }
  int64_t UnixMs() override {
    return static_cast<int64_t>(Keyspace::kEpochMs + loop_->now_us() / 1000);
  }
  void Propose(Edit edit, EditDone done) override;
  void Note(NoteLevel level, const std::string& text) override;
  ServerClaims* claims() override { return &claims_; }

  // --- for its shards ---
  Loop* loop() { return loop_; }
  Disk* disk() { return disk_; }
  ChunkPool* pool() { return &pool_; }
  ResyncBoard* resyncs() { return &resyncs_; }
  // The life before this one did not end in order.
  bool after_crash() const { return after_crash_; }
  void Later(uint64_t delay_us, std::function<void()> event);
  // Something comes from outside: now, or when it goes on.
  void Receive(std::function<void()> event);
  void Fail(const std::string& text) { fail_(text); }

 private:
  struct Asked;
  struct Job;
  struct AuditRequest : Request, RequestSink {
    bool waiting = true;
    void OnReply(Request*, const Reply&) override { waiting = false; }
  };

  void Open();
  void StartShards();
  void MakeRings(const Topology& topology);
  void RouteBy(const ProxyOptions& config);
  void AddShard(const ShardSetup& setup, const Topology& topology);
  void Tick();
  void LetGo();
  std::vector<std::string> Leaving() const;
  void End(const std::string& why);

  // --- ReloadSteps::Host, with Propose and Note ---
  std::shared_ptr<const Topology> Durable() const override { return coordinator_->current(); }
  void MakeRings(std::shared_ptr<const Topology> topology) override;
  void ChangeWorkers(std::shared_ptr<const Topology> topology) override;
  void OnTakenEffect() override { End(""); }
  void OnRefused(const std::string& why) override { End(why); }

  Loop* loop_;
  Disk* disk_;
  RunningClock clock_;
  bool paused_ = false;
  std::vector<std::function<void()>> late_timers_;
  std::deque<std::function<void()>> received_;
  bool hearing_ = false;  // what was received is being handled
  ProxyOptions config_;
  std::function<void(std::string)> fail_;
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
  ReloadSteps steps_{this};
  std::unique_ptr<Job> job_;  // the reload under way
  std::vector<std::unique_ptr<SimShard>> shards_;
  std::vector<std::unique_ptr<Asked>> asked_;
  std::vector<std::unique_ptr<AuditRequest>> audit_requests_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_PROXY_H_
