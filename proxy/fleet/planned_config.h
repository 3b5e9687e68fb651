// A member's config file and the plan of its fleet: the shards and the ring are the fleet's, all
// else is the file's.

#ifndef GEMEL_PROXY_FLEET_PLANNED_CONFIG_H_
#define GEMEL_PROXY_FLEET_PLANNED_CONFIG_H_

#include <string>

#include "backend/fleet/fleet_plan.h"
#include "config/config.h"

namespace gemel {

// What the file says that the fleet is to serve.
WantedPlan WantedOf(const PoolConfig& pool);

// Gives the config the shards and the ring of the plan. Users and passwords stay those of the file:
// of a shard that it does not have, those of its first shard. False and *error (a sentence) if an
// address of the plan makes no sense here.
bool SetPlan(const FleetPlan& plan, Config* config, std::string* error);

}  // namespace gemel

#endif  // GEMEL_PROXY_FLEET_PLANNED_CONFIG_H_
