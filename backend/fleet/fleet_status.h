// What people see of a fleet.

#ifndef GEMEL_BACKEND_FLEET_FLEET_STATUS_H_
#define GEMEL_BACKEND_FLEET_FLEET_STATUS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/fleet/fleet_records.h"
#include "backend/fleet/registers.h"
#include "backend/topology/coordinator.h"

namespace gemel {

struct FleetStatus {
  struct Member {
    std::string name;
    LifeRecord life;
    uint64_t silent_ms = 0;  // since its last beat was seen
    size_t shards = 0;       // that it owns
  };
  struct Shard {
    std::string name;
    ShardLease lease;
    std::string next;
    uint64_t epoch = 0;  // of its roles
  };
  std::string id;
  std::string self;
  std::string place;          // of the registers
  std::string trouble;        // why they could not be reached last; empty: they were
  EngineStatus engine;        // that gives the registers
  uint64_t lease_ms = 0;      // the lease
  uint64_t version = 0;       // of the shards and the ring that are in effect
  uint64_t next_version = 0;  // that waits for all members to agree; 0: none does
  uint64_t left_ms = 0;       // of the own one; 0: it has none
  uint64_t listed_ms = 0;     // how old the picture is
  std::vector<Member> members;
  std::vector<Shard> shards;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_STATUS_H_
