// The runs in which keys go by themselves: nodes that evict and expire, clocks that differ, what
// clients do with such keys, and which words of a node were lost with it.

#ifndef GEMEL_TESTS_SIM_SIM_REMOVALS_H_
#define GEMEL_TESTS_SIM_SIM_REMOVALS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backend/topology/topology.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_node.h"

namespace gemel::sim {

struct RemovalCounts {
  uint64_t runs = 0;
  uint64_t evicted = 0;
  uint64_t expired = 0;
  uint64_t past = 0;         // by a command with a time that was past
  uint64_t told = 0;         // by an event that arrived
  uint64_t lost = 0;         // with a node, the event being under way
  uint64_t promotions = 0;   // away from a node that had removed something just before
  uint64_t excused = 0;      // what came back because of a word that was lost, or still under way
  uint64_t audit_found = 0;  // differences in such keys that an audit came across
  uint64_t untold_runs = 0;  // where some node may not be told to notify

  void Add(const RemovalCounts& other);
};

class Removals {
 public:
  // All chance is of dice of its own. `prefixes`: of keys, as the world has them.
  Removals(Loop* loop, uint64_t seed);
  // Has that seed's run removals? SIM_REMOVALS: in how many of a hundred.
  static bool IsOn(uint64_t seed);
  // A key that may go at any time.
  static bool MayGo(const std::string& key);

  // `is_primary`: of its shard, durably, at the moment.
  void Begin(Node* node, std::function<bool()> is_primary);
  // Nothing goes by itself any more.
  void Freeze();
  std::string Describe() const;

  // Every node says what it removes. Else the audit alone makes the copies equal again.
  bool all_tell() const { return all_tell_; }
  bool audits() const { return audits_ || !all_tell_; }

  // Makes some of the clients' ops those of keys that may go, and says what they ask.
  void Choose(SimOp* op, const std::string& prefix);
  std::vector<std::string> Command(SimOp* op);
  // A key to be copied from.
  std::string Source(const std::string& prefix);

  // The state is durable; `node` finds one by its name.
  void OnDurable(const Topology& durable, const std::function<Node*(const std::string&)>& node);
  // Before it dies.
  void OnKill(Node* node) { Lose(node); }
  // The proxy dies: what it heard just now it has not carried out.
  void OnCrash();
  void OnAuditFound() { ++counts_.audit_found; }
  void OnExcused() { ++counts_.excused; }

  std::vector<Removal> Of(const std::string& key) const;
  // When a copy took the place of a primary.
  const std::vector<uint64_t>& promotions() const { return promotions_; }
  RemovalCounts Counts() const;

 private:
  void Lose(Node* node);
  std::string Ttl();
  std::string Time();
  std::vector<std::string> RegisterCommand(SimOp* op);
  std::vector<std::string> SetCommand(SimOp* op);

  Loop* loop_;  // for its time alone
  Loop dice_;
  std::vector<Node*> nodes_;
  bool all_tell_ = true;
  bool audits_ = false;
  bool refuses_config_ = false;
  bool expires_ = true;
  uint64_t share_ = 50;  // of the clients' ops, in percent
  uint64_t keys_ = 3;
  uint64_t primary_rate_ = 0;
  uint64_t other_rate_ = 0;
  int64_t clocks_ahead_ms_ = 0;  // all of them,
  int64_t clocks_apart_ms_ = 0;  // and each
  std::map<std::string, std::string> primaries_;
  std::vector<uint64_t> promotions_;
  RemovalCounts counts_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_REMOVALS_H_
