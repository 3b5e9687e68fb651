// The libraries of functions that clients have loaded at any member of a fleet: every member has
// them, by a register of the fleet.

#ifndef GEMEL_PROXY_FLEET_UV_SHARED_LIBRARIES_H_
#define GEMEL_PROXY_FLEET_UV_SHARED_LIBRARIES_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <string>

#include "backend/uv/uv_fleet_coordinator.h"
#include "backend/uv/uv_timer.h"
#include "proxy/scripts/function_store.h"

namespace gemel {

// The loop's thread.
class UvSharedLibraries {
 public:
  // Runs when others than before are kept: the shards of this process are to be told.
  using OnChange = std::function<void()>;
  // Both outlive it. It looks a few times a second.
  UvSharedLibraries(uv_loop_t* loop, UvFleetCoordinator* fleet, FunctionStore* store,
                    OnChange on_change);
  UvSharedLibraries(const UvSharedLibraries&) = delete;
  UvSharedLibraries& operator=(const UvSharedLibraries&) = delete;

 private:
  void Look();

  UvFleetCoordinator* fleet_;
  FunctionStore* store_;
  const OnChange on_change_;
  std::string seen_;     // of the register
  uint64_t agreed_ = 0;  // the version that it has
  bool warned_ = false;
  UvTimer timer_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_FLEET_UV_SHARED_LIBRARIES_H_
