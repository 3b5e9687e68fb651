// Ends the lives of members that have not said for a whole lease that they live.

#ifndef GEMEL_BACKEND_FLEET_OTHERS_LIVES_H_
#define GEMEL_BACKEND_FLEET_OTHERS_LIVES_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "backend/fleet/fleet_view.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"

namespace gemel {

// Logic only, one thread.
class OthersLives {
 public:
  // All of it outlives this. `clock`: see OwnLife. `note` is told who was ended.
  OthersLives(Registers* registers, FleetView* view, std::string self, uint32_t lease_ms,
              std::function<uint64_t()> clock, std::function<void(const std::string&)> note);

  // After each List. Compare-and-set decides: one that has said meanwhile that it lives goes on.
  void EndSilent();

 private:
  Registers* registers_;
  FleetView* view_;
  const std::string self_;
  const uint32_t lease_ms_;
  const std::function<uint64_t()> clock_;
  const std::function<void(const std::string&)> note_;
  std::set<std::string> asking_;  // members that are being ended
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_OTHERS_LIVES_H_
