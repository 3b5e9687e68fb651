// One simulated run: nodes, a proxy that may crash, clients and faults, all from one seed.

#ifndef GEMEL_TESTS_SIM_SIM_WORLD_H_
#define GEMEL_TESTS_SIM_SIM_WORLD_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/session/read_fence.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_proxy.h"
#include "tests/sim/sim_removals.h"
#include "tests/sim/sim_ring_log.h"
#include "tests/sim/sim_watchers.h"

namespace gemel::sim {

class World : public RequestSink {
 public:
  explicit World(uint64_t seed, bool trace = false);
  ~World() override;

  bool pauses() const { return pauses_; }
  // Runs until all is quiet, and checks. What was found wrong; empty if nothing.
  const std::vector<std::string>& Run();
  // What kind of run the seed makes.
  std::string Describe() const;
  // What the shards counted, by the names of their figures, over all lives of the proxy: for a look
  // at what the runs cover.
  const std::map<std::string, uint64_t>& figures() const { return figures_; }
  size_t requests() const { return requests_; }
  bool reloads() const { return reloads_; }
  // Reloads that took effect, and changes of the ring among them; and changes at a start.
  uint64_t changes() const { return changes_; }
  uint64_t ring_changes() const { return ring_log_.changes(); }
  // How often the state became durable.
  uint64_t durable_writes() const { return disk_.writes; }
  // Before Run: the proxy crashes at the durable write of that number, before it is durable or
  // right after.
  void CrashAt(uint64_t write, bool before);
  // The longest waits of clients while there was one fault, by its kind.
  struct Stall {
    uint64_t write_us = 0;
    uint64_t read_us = 0;
    uint64_t hedged_us = 0;  // of the reads, those that hedging is there for
  };
  const std::map<std::string, Stall>& stalls() const { return stalls_; }
  RemovalCounts removal_counts() const {
    return removals_ == nullptr ? RemovalCounts() : removals_->Counts();
  }

  void OnReply(Request* request, const Reply& reply) override;

 private:
  enum class Mode : uint8_t {
    kOneFault,    // a node at a time, and the next one when all is well again: nobody may notice
    kManyFaults,  // whatever comes
    kRestarts,    // the proxy crashes or is restarted in order; the nodes live
  };
  struct Client {
    uint64_t id = 0;
    uint64_t place = 0;
    uint32_t outstanding = 0;
    uint32_t window = 1;
    // What is not answered yet, or stands behind such, as a session keeps it.
    std::deque<const SimOp*> line;
    ReadFence fence;
  };

  void Problem(const std::string& text);
  void Trace(const std::string& text) const;

  // Clients.
  void ClientTurn(size_t client);
  void Submit(Client* client);
  uint8_t DatabaseOf(std::string_view key) const;
  void GiveDatabases(Node* node);
  void SubmitOp(SimOp* op, const std::vector<std::string>& args);
  void ChooseBlock(SimOp* op);
  void CheckBounds();
  void AuditTurn();
  bool Idle() const;

  // Faults.
  void FaultTurn();
  void BeginFault();
  void FaultOnNode(size_t node, uint64_t kind);
  void OneAfterTheOther(const std::string& shard);
  void EndLater(uint64_t after_us, size_t node, std::function<void()> end);
  void Disturbed(size_t node) { disturbed_us_[node] = loop_.now_us(); }
  bool OtherIsNew(size_t node) const;
  void OrderOnNode(size_t node);
  void BeginRefusals();
  void RefuseLater(size_t node, const std::string& error, uint64_t after_us, uint64_t while_us);
  bool AllRefuse(const SimOp& op) const;
  void PauseProxy();
  void LongCommand();
  void ExpectPeace(const std::string& what, uint64_t while_us);
  uint64_t Departures() const;
  enum class FaultKind : uint8_t {
    kNoticed,  // at once
    kSilent,   // by a timeout
    kReset,    // a connection was lost, and the node lives
  };
  void ExpectStall(const char* fault, FaultKind kind);
  void CheckStall(const SimOp& op);
  void UndrainUntilDone(size_t node);
  void KillNode(size_t node, bool silently);
  void HealAll();
  void SaveTurn();
  void OnNote(const std::string& text);
  void AcceptOldData();
  void StartProxy();
  void CrashProxy();
  void RestartProxy();
  void TakeStats();
  void CheckShards();

  // Who belongs where; null or empty: nobody knows it.
  Node* Find(const std::string& address) const;
  std::string ShardOf(size_t node) const;
  const ShardInfo* Durable(const std::string& shard) const;
  const CopyInfo* DurableCopy(size_t node) const;

  // Reloads (sim_changes.cc).
  void PrepareReloads();
  void BeginReload(bool reverse);
  ProxyOptions Changed(const ProxyOptions& from);
  void ChangeOptions(ProxyOptions* config);
  void ChangeNodes(ProxyOptions* config);
  void ChangeRing(ProxyOptions* config);
  std::vector<Node*> FreeNodes(const ProxyOptions& config) const;
  void PrepareRemovals();
  void ChooseConfig();
  bool CanStart(const ProxyOptions& config) const;
  bool DropsTheLast(const ProxyOptions& config) const;
  bool Leaves(size_t node) const;

  // The end.
  void Settle(const char* what);
  void EndRemovals();
  void CheckEnd();

  Loop loop_;
  uint64_t seed_;
  Mode mode_;
  bool crashes_ = false;
  Disk disk_;
  ProxyOptions options_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<size_t> shard_of_;  // while there are no reloads
  std::vector<uint64_t> disturbed_us_;
  std::unique_ptr<SimProxy> proxy_;
  bool proxy_going_ = false;  // it is being stopped or started
  bool ignore_replies_ = false;

  History history_;
  std::deque<SimOp>
      copies_;  // writes of two keys: only that they come to the same everywhere is checked
  std::vector<Client> clients_;
  size_t requests_ = 0;
  size_t quota_ = 0;
  size_t oldest_pending_ = 0;
  uint64_t keys_ = 3;
  uint64_t clients_end_us_ = 0;
  uint64_t think_us_ = 2000;
  uint64_t audit_pause_us_ = 100000;
  uint64_t faults_left_ = 0;
  uint64_t faults_active_ = 0;
  uint64_t refusing_replicaof_ = 0;
  bool refuses_ = false;
  bool pauses_ = false;  // the proxy is stopped now and then, and nodes are kept busy
  // All copies of a shard refuse writes until then, or the only one that may serve is away (kDown):
  // that is what its clients are told, too.
  static constexpr const char* kDown = "-CLUSTERDOWN";
  struct Refusal {
    std::string shard;
    std::string error;
    uint64_t until_us;
  };
  std::vector<Refusal> refusals_;
  // What the one fault under way may cost; "": nobody says.
  struct StallBound {
    std::string fault;
    uint64_t write_us = 0;
    uint64_t read_us = 0;
    uint64_t hedged_us = 0;  // of reads with no write of their session behind them; 0: as others
  } stall_;
  std::map<std::string, Stall> stalls_;
  bool reloads_ = false;
  ProxyOptions wanted_;  // what the file says: in effect, on its way, or refused
  ProxyOptions before_;  // what was in effect before that
  bool reload_active_ = false;
  bool forced_reload_ = false;
  size_t prefixes_ = 1;        // of keys
  size_t copies_of_each_ = 2;  // at the beginning
  uint64_t changes_ = 0;
  RingLog ring_log_;
  bool blocks_ = false;                 // some commands are sent within blocks
  std::unique_ptr<Watchers> watchers_;  // null: nobody watches keys
  std::unique_ptr<Removals> removals_;  // null: nothing goes by itself
  bool saves_ = false;                  // nodes come back with old data
  bool keeps_ = false;                  // nodes come back with all that they had
  uint64_t forced_us_ = 0;              // the last time that FORCE was ordered
  bool forced_new_ = false;             // for a node that was new to its shard
  CheckOptions check_;
  std::map<std::string, uint64_t> figures_;
  std::vector<std::string> problems_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_WORLD_H_
