// The beginning of a fleet, or of a member in one that is there.

#ifndef GEMEL_BACKEND_FLEET_FLEET_FOUNDER_H_
#define GEMEL_BACKEND_FLEET_FLEET_FOUNDER_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/fleet/fleet_records.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"

namespace gemel {

// Looks whether the fleet has been founded, and founds it if not: first a record for each shard,
// owned by nobody, then the fleet's. Two may do so at once: the first record of each counts.
//
// Logic only, one thread.
class FleetFounder {
 public:
  // `mine`: the fleet as this member would found it. `done` runs once: with the fleet that is there
  // now, or without one and why (a sentence): then nothing is wrong but that it cannot be reached,
  // or what is there cannot be read (`final`).
  using Done =
      std::function<void(const std::optional<FleetRecord>&, const std::string& why, bool final)>;
  FleetFounder(Registers* registers, FleetRecord mine, Done done);

  void Begin();

 private:
  void OnListed(RegisterOutcome outcome, const std::vector<NamedRegister>& all);
  void WriteShards();
  void WriteFleet();
  void Fail();

  Registers* registers_;
  const FleetRecord mine_;
  const Done done_;
  size_t next_ = 0;  // the shard to be written
  Alive alive_;
};

// Why a member whose file says `mine` cannot be in that fleet: a sentence that names the first
// difference from its shards and its ring. Empty if it can: they are equal, or were once, so that
// the file is only older, or are about to be.
std::string WhyNotOfFleet(const FleetRecord& fleet, const FleetPlan& mine);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_FOUNDER_H_
