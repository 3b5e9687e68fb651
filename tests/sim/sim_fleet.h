// The nodes of a run, and which of them belongs where by what is durable.

#ifndef GEMEL_TESTS_SIM_SIM_FLEET_H_
#define GEMEL_TESTS_SIM_SIM_FLEET_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_coordinator.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_plan.h"

namespace gemel::sim {

// One kind of a shard's keys is in another database than the others: some are copied there.
uint8_t DatabaseOf(std::string_view key, uint32_t databases);

class Fleet {
 public:
  // `wrong` is told of what a node should not have been asked.
  Fleet(Loop* loop, const RunPlan& plan, const Disk* disk,
        const std::function<void(const std::string&)>& wrong);

  size_t size() const { return nodes_.size(); }
  Node* at(size_t index) const { return nodes_[index].get(); }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  // With the nodes that they have at the beginning.
  std::vector<ShardSetup> WithNodes(std::vector<ShardSetup> shards) const;
  void HealAll();
  // Nobody could ask them meanwhile to be told of what they remove.
  void ListenedJustNow();

  // Null or empty: nobody knows it.
  Node* Find(const std::string& address) const;
  std::string ShardOf(size_t node) const;
  const ShardInfo* Durable(const std::string& shard) const;
  const CopyInfo* DurableCopy(size_t node) const;
  bool IsPrimary(size_t node) const;
  // Has another copy lost its memory, and not been made equal again?
  bool OtherIsNew(size_t node) const;

 private:
  void Add(Loop* loop, const std::string& address);

  const Disk* disk_;
  const bool fixed_;  // there are no reloads: who belongs where never changes
  const size_t copies_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_FLEET_H_
