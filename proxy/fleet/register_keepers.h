// Which nodes of the shards keep the registers of a fleet, and how they are reached.

#ifndef GEMEL_PROXY_FLEET_REGISTER_KEEPERS_H_
#define GEMEL_PROXY_FLEET_REGISTER_KEEPERS_H_

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend/fleet/fleet_plan.h"
#include "backend/uv/hiredis_connection.h"
#include "config/config.h"

namespace gemel {

// All nodes of the plan's shards, but kMostRegisterNodes at most: then first one of each shard,
// then a second one. The same for all who know the plan, whatever order its shards and copies have.
std::vector<std::string> KeepersOf(const FleetPlan& plan);

// The way to them, by the users and passwords of the config that is in effect. Any thread.
class RegisterKeepers {
 public:
  explicit RegisterKeepers(const Config& config) { Use(config); }
  // That config is in effect from now on.
  void Use(const Config& config);
  // A node by its address: one of a shard by that shard's user and password, unless [fleet] has
  // others for a server that it names; one of no shard by those of [fleet] or, without `servers`,
  // of the first shard (it may be of one that this process does not know yet). One of no shard that
  // `servers` names is spoken to by [coordinator_tls], if it is with TLS. Nothing: the text is no
  // address.
  std::optional<HiredisNode> Find(const std::string& node) const;

 private:
  mutable std::mutex mutex_;
  FleetConfig fleet_;
  std::vector<ShardConfig> shards_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_FLEET_REGISTER_KEEPERS_H_
