// What kind of run a seed makes: all that is drawn before it begins.

#ifndef GEMEL_TESTS_SIM_SIM_PLAN_H_
#define GEMEL_TESTS_SIM_SIM_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/sim_config.h"
#include "tests/sim/sim_loop.h"

namespace gemel::sim {

enum class Mode : uint8_t {
  kOneFault,    // a node at a time, and the next one when all is well again: nobody may notice
  kManyFaults,  // whatever comes
  kRestarts,    // the proxy crashes or is restarted in order; the nodes live
};

// What the clients are like.
struct ClientsPlan {
  size_t quota = 0;   // of requests
  uint64_t keys = 3;  // of each kind
  uint64_t think_us = 2000;
  uint64_t end_us = 0;
  std::vector<uint32_t> windows;  // of each client
  bool blocks = false;            // some commands are sent within blocks
  bool streams = false;           // and some write streams: XADD is followed by what its reply
                                  // tells, where MIX is followed by the key's state
};

// What a node lacks.
struct NodePlan {
  bool knows_debug = true;
  bool knows_hello = true;
  bool knows_replicaof = true;
};

struct RunPlan {
  uint64_t seed = 0;
  Mode mode = Mode::kOneFault;
  bool reloads = false;
  bool refuses = false;   // nodes refuse writes now and then
  bool pauses = false;    // the proxy is stopped now and then, and nodes are kept busy
  bool crashes = false;   // of the proxy
  bool saves = false;     // nodes come back with old data
  bool keeps = false;     // nodes come back with all that they had
  bool watches = false;   // some clients watch keys
  bool removals = false;  // keys go by themselves
  uint64_t copies = 2;    // of each shard, at the beginning
  uint64_t spares = 0;    // nodes beside those
  size_t prefixes = 1;    // of keys
  ProxyOptions options;   // without the nodes of its shards
  // What the first life of the proxy has in place of the option; 0: that.
  uint32_t first_repair_keys_per_s = 0;
  uint64_t failing_percent = 0;  // of the disk's writes
  uint64_t max_write_us = 0;
  uint64_t faults = 0;
  uint64_t audit_pause_us = 100000;
  ClientsPlan clients;
  std::vector<NodePlan> nodes;

  bool all_acks() const { return options.ack == Ack::kAll; }
  // Nodes that refuse REPLICAOF.
  size_t refusing() const;
  std::string Describe() const;
};

RunPlan PlanOf(uint64_t seed, Loop* loop);

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_PLAN_H_
