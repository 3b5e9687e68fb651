// The coordinators that there are. A further one is files of its own and a row in the table.

#ifndef GEMEL_BACKEND_UV_UV_COORDINATORS_H_
#define GEMEL_BACKEND_UV_UV_COORDINATORS_H_

#include <uv.h>

#include <memory>
#include <string>
#include <string_view>

#include "backend/topology/coordinator.h"

namespace gemel {

struct CoordinatorOptions {
  std::string state_dir;
};

// A coordinator that was reached at the start of the process, before anything is in effect.
class OpenedCoordinator {
 public:
  virtual ~OpenedCoordinator() = default;
  // What it has kept; null if there is nothing yet.
  virtual const Topology* stored() const = 0;
  // On `loop` from now on, with `initial` in effect (InitialTopology of what was stored). Once.
  virtual std::unique_ptr<CoordinatorService> Start(uv_loop_t* loop,
                                                    std::shared_ptr<const Topology> initial) = 0;
};

// The one that keeps the state in a file, for a proxy that is alone.
inline constexpr std::string_view kFileCoordinator = "file";

// Reaches the coordinator of that name in the table. Blocks. Null and *error (a sentence) if there
// is none of that name, it cannot be reached, or what it has kept cannot be read.
std::unique_ptr<OpenedCoordinator> OpenCoordinator(std::string_view name,
                                                   const CoordinatorOptions& options,
                                                   std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_COORDINATORS_H_
