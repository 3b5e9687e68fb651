// Which member is to own which shard: what one member is to do about it now.

#ifndef GEMEL_BACKEND_FLEET_OWNER_PLAN_H_
#define GEMEL_BACKEND_FLEET_OWNER_PLAN_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/fleet/fleet_view.h"

namespace gemel {

struct OwnerPlan {
  struct Move {
    std::string shard;
    std::string to;
    bool operator==(const Move&) const = default;
  };
  std::vector<std::string> claims;  // free shards that this member is to own
  std::vector<Move> moves;          // own shards that another is to have

  bool operator==(const OwnerPlan&) const = default;
};

// So many shards of a member move at a time.
inline constexpr size_t kMovesAtOnce = 4;

// A pure function of the view, nearly the same at every member, so that two rarely want the same
// shard; where they do, compare-and-set decides. A free shard goes to the member that has the
// fewest. Once none is free, all who have too many give them away at once, each its part of what
// makes all even; who drains gives all. `settled`: nobody came or went lately, so that shards may
// be moved for the sake of balance. Who has been silent for half a lease of `lease_ms` gets none:
// it may have ended, and the shard would be without an owner for a lease more.
OwnerPlan PlanOwners(const FleetView& view, std::string_view self, uint32_t lease_ms, bool settled);

// Who is to have a shard of `self`: `wanted` if it may own and is not silent, else the one with the
// fewest that is so; empty: nobody is.
std::string NextOwner(const FleetView& view, std::string_view self, std::string_view wanted,
                      uint32_t lease_ms);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_OWNER_PLAN_H_
