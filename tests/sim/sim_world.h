// One simulated run: nodes, a proxy that may crash, clients and faults, all from one seed.

#ifndef GEMEL_TESTS_SIM_SIM_WORLD_H_
#define GEMEL_TESTS_SIM_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_faults.h"
#include "tests/sim/sim_ring_log.h"
#include "tests/sim/sim_watchers.h"

namespace gemel::sim {

class World {
 public:
  explicit World(uint64_t seed, bool trace = false);
  ~World();

  // Runs until all is quiet, and checks. What was found wrong; empty if nothing.
  const std::vector<std::string>& Run();
  // What kind of run the seed makes.
  std::string Describe() const;
  // What the shards counted, by the names of their figures, over all lives of the proxy, and what
  // the watchers did that was checked: for a look at what the runs cover.
  std::map<std::string, uint64_t> Figures() const;
  size_t requests() const { return clients_.requests(); }
  bool reloads() const { return scene_.plan.reloads; }
  // Reloads that took effect, and changes of the ring among them; and changes at a start.
  uint64_t changes() const { return file_.changes(); }
  uint64_t ring_changes() const { return ring_log_.changes(); }
  // How often the state became durable.
  uint64_t durable_writes() const { return scene_.disk.writes; }
  // Before Run: the proxy crashes at the durable write of that number, before it is durable or
  // right after.
  void CrashAt(uint64_t write, bool before);
  // The longest waits of clients while there was one fault, by its kind.
  const std::map<std::string, Stall>& stalls() const { return stalls_.longest(); }
  RemovalCounts removal_counts() const {
    return removals_ == nullptr ? RemovalCounts() : removals_->Counts();
  }

 private:
  // How its parts hear of each other.
  std::unique_ptr<Removals> MakeRemovals();
  std::unique_ptr<Watchers> MakeWatchers();
  void WatchDisk();
  Lives::Hooks HooksOfLives();
  void OnCrashing();
  bool MayAuditFind(const std::string& text);

  void AuditTurn();
  bool Idle() const;

  // The end.
  void Settle(const char* what);
  void EndRemovals();
  void CheckEnd();
  bool IsOwn(const std::string& key, const SimShard& shard) const;
  void CheckForeign(const SimShard& shard, const ShardInfo& info);
  void CheckEqual(const SimShard& shard, Node* first, Node* other);

  Scene scene_;
  ConfigFile file_;
  FaultSchedule schedule_;
  Losses losses_;
  RingLog ring_log_;
  Lives lives_;
  std::unique_ptr<Removals> removals_;  // null: nothing goes by itself
  std::unique_ptr<Watchers> watchers_;  // null: nobody watches keys
  Stalls stalls_;
  Refusals refusals_;
  Clients clients_;
  Operator operator_;
  NodeFaults node_faults_;
  Faults faults_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_WORLD_H_
