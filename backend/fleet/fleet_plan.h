// What a fleet serves: its shards with the nodes that they are to have, and its ring.

#ifndef GEMEL_BACKEND_FLEET_FLEET_PLAN_H_
#define GEMEL_BACKEND_FLEET_FLEET_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ring/ring_spec.h"
#include "backend/topology/topology.h"

namespace gemel {

struct FleetPlan {
  // The shards, with the nodes that they are to have, and the rings that are kept. The states of
  // copies in it say nothing; those of a shard that is new are its first ones.
  Topology topology;
  uint64_t version = 1;  // grows with each plan
  // The version that was the last to give keys to other shards. Members of another route do not
  // answer each other: a key would be of two shards at a time.
  uint64_t route = 1;
  std::vector<uint32_t> databases = {};  // of the shards, in their order; none: all 0

  // Of the shard at that place in the topology.
  uint32_t DatabaseOf(size_t place) const {
    return place < databases.size() ? databases[place] : 0;
  }

  bool operator==(const FleetPlan&) const = default;
};

// What is to be: `members` in the order of their shards, `ring` without an id.
struct WantedPlan {
  std::vector<ShardMembers> members;
  std::vector<uint32_t> databases;  // one a member
  RingSpec ring;
};

// The plan that follows `now`, under the number `version`. `seen`: the fleet's snapshot, by which
// rings that no shard needs any more are not kept. Nothing and *error (a sentence) if there can be
// none.
std::optional<FleetPlan> NextPlan(const FleetPlan& now, const Topology& seen,
                                  const WantedPlan& wanted, uint64_t version, std::string* error);

// Equal for plans that say the same, whatever the order of shards and nodes, and whatever came
// before. For comparing with what is written down.
std::string FingerprintOf(const FleetPlan& plan);
std::string FingerprintOf(const WantedPlan& plan);

// The text of a plan, and back: nothing and *error (a sentence) if it is damaged.
std::string EncodePlan(const FleetPlan& plan);
std::optional<FleetPlan> DecodePlan(std::string_view text, std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_PLAN_H_
