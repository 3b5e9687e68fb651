// One life of a proxy: real shards, links, resyncs and audits on simulated transports, clock and
// disk.

#ifndef GEMEL_TESTS_SIM_SIM_PROXY_H_
#define GEMEL_TESTS_SIM_SIM_PROXY_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/audit/audit.h"
#include "backend/resync/resync.h"
#include "backend/shard/shard.h"
#include "tests/sim/sim_coordinator.h"
#include "tests/sim/sim_node.h"

namespace gemel::sim {

struct ProxyOptions {
  std::vector<std::vector<Node*>> nodes;  // of each shard, the configured primary first
  Ack ack = Ack::kAll;
  ReadFrom read_from = ReadFrom::kPrimary;
  bool failback = false;
  HangLimits hang;
  uint32_t hedge_ms = 0;
  uint32_t repair_keys_per_s = 20000;
  bool trace = false;
};

const CommandTable& Table();
std::string ShardName(size_t shard);

class SimProxy : public ShardEnv {
 public:
  // `fail` gets what must not be.
  SimProxy(Loop* loop, Disk* disk, const ProxyOptions* options,
           std::function<void(std::string)> fail);
  ~SimProxy() override;  // a crash

  // The state that it serves is durable, and it takes requests.
  bool serving() const { return serving_; }
  void Submit(Request* request) { shards_[request->shard]->Submit(request); }
  Shard* shard(size_t index) { return shards_[index].get(); }
  // Every copy is in sync and connected, and nothing waits.
  bool Settled() const;
  // Ends in order: `done` once that is durable. Nothing may be in flight.
  void Close(std::function<void()> done);
  // The next so many probes of the node are not answered in time.
  void FailProbes(const Node* node, uint32_t count) { failing_probes_[node] = count; }
  // As PROXY AUDIT.
  void StartAudit(size_t shard);
  // The node's process died in front of everybody: the probe's own connection ends with it.
  void ResetProbe(const Node* node);

  // An order of an operator's to the shard of that node (see ShardControl). `done`: whether it was
  // carried out; not called if the proxy crashes first.
  void Order(size_t shard, const std::string& verb, const Node* node,
             std::function<void(bool ok)> done);

  // --- ShardEnv ---
  uint64_t NowMs() override { return loop_->now_ms(); }
  void Propose(Edit edit, EditDone done) override;
  void Note(NoteLevel level, const std::string& text) override;

 private:
  class Transport;
  class Port;
  struct Asked;
  struct AuditRequest : Request, RequestSink {
    bool waiting = true;
    void OnReply(Request*, const Reply&) override { waiting = false; }
  };

  void Later(uint64_t delay_us, std::function<void()> event);
  void Open();
  void StartShards();
  void Tick();
  void Probe(size_t shard, uint32_t copy, bool in_turn);

  Loop* loop_;
  Disk* disk_;
  const ProxyOptions* options_;
  std::function<void(std::string)> fail_;
  bool serving_ = false;
  std::map<const Node*, uint32_t> failing_probes_;
  std::map<const Node*, bool> probing_;
  std::map<const Node*, uint64_t> probed_start_;
  std::shared_ptr<const Topology> initial_;
  std::unique_ptr<SimCoordinator> coordinator_;
  ChunkPool pool_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Transport>> transports_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Resync>> resyncs_;
  std::vector<std::unique_ptr<Asked>> asked_;
  std::vector<std::unique_ptr<AuditRequest>> audit_requests_;
  std::vector<std::unique_ptr<Audit>> audits_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_PROXY_H_
