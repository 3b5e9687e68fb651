// What a simulated node removes by itself, and whom it tells: expiry, eviction, keyspace events.

#ifndef GEMEL_TESTS_SIM_SIM_NODE_REMOVALS_H_
#define GEMEL_TESTS_SIM_SIM_NODE_REMOVALS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/sim_replication.h"
#include "tests/sim/sim_wire.h"

namespace gemel::sim {

class Node;

// A key that went from a node by itself.
struct Removal {
  const Node* node = nullptr;
  std::string key;
  Gone how = Gone::kExpired;
  uint64_t at_us = 0;
  uint64_t told_us = UINT64_MAX;  // when a subscriber heard of it
  // When it was clear that nobody would hear of it: the node was lost with the word under way.
  uint64_t lost_us = UINT64_MAX;
};

// What a node removes by itself, and whether it may be told of it.
struct RemovalHabits {
  int64_t clock_ahead_ms = 0;
  bool config_refused = false;
  std::string notifies;                 // what the operator has set
  std::function<uint64_t()> evictions;  // of a thousand writes, so many evict
  std::function<bool(const std::string&)> may_evict;
};

class NodeRemovals {
 public:
  // The parts of the node that it goes by.
  struct Parts {
    const Condition* condition;
    Keyspace* keys;
    Wire* wire;
    Replication* replication;
  };
  NodeRemovals(Loop* loop, const Node* node, const std::string& address, const Parts& parts);

  // From now on, by dice of its own.
  void Begin(RemovalHabits habits, uint64_t seed);
  void End() { on_ = false; }
  std::deque<Removal>& all() { return removals_; }
  // Who wants to be told has time again to listen.
  void ListenedJustNow() { listened_us_ = loop_->now_us(); }

  // Before a command is executed, of a node that is nobody's replica.
  void MayEvict(bool write);
  void OnRemoved(Gone how, const std::string& key);
  // The process is another one.
  void OnStart();
  // CONFIG, where it says what a node tells.
  std::string Config(const std::vector<std::string>& args);
  // Its sections of INFO.
  std::string Info() const;

 private:
  void ReadConfigFile();
  void Turn();
  void Publish(const std::string& event, const std::string& key, Removal* removal);

  Loop* loop_;
  const Node* node_;
  const std::string address_;
  const Parts parts_;
  RemovalHabits habits_;
  bool on_ = false;
  std::unique_ptr<Loop> dice_;  // only for chance
  std::map<std::string, std::string> config_;
  uint64_t expired_ = 0;
  uint64_t evicted_ = 0;
  uint64_t listened_us_ = 0;  // when somebody was told last, or when it began
  std::deque<Removal> removals_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_NODE_REMOVALS_H_
