// Who answers for the fleet that the process is a member of.

#ifndef GEMEL_PROXY_LOCAL_FLEET_DESK_H_
#define GEMEL_PROXY_LOCAL_FLEET_DESK_H_

#include <string>

#include "backend/fleet/fleet_status.h"

namespace gemel {

// Any thread.
class FleetDesk {
 public:
  virtual ~FleetDesk() = default;
  virtual FleetStatus Status() const = 0;
  // This member is to own nothing from now on, or may again.
  virtual void SetDraining(bool draining) = 0;
  // Shards move for the sake of balance now, though somebody came or went a moment ago.
  virtual void Balance() = 0;
  // A server of the coordinator comes, or goes, if Status().engine.change says that it may.
  virtual void ChangeServers(bool add, const std::string& server) = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_FLEET_DESK_H_
