// The consensus engines that there are. A further one is files of its own and a row in the table.

#ifndef GEMEL_BACKEND_ENGINES_UV_ENGINES_H_
#define GEMEL_BACKEND_ENGINES_UV_ENGINES_H_

#include <uv.h>

#include <memory>
#include <string>

#include "backend/engines/engine_options.h"
#include "backend/fleet/registers.h"

namespace gemel {

// Registers by the engine of that name in the table, on `loop` and its thread. Asks nothing yet, so
// it does not matter whether the engine runs. Null and *error (a sentence without a full stop) if
// there is none of that name, or the options are none for it.
//
// After the registers are destroyed the loop must turn until their handles are closed.
std::unique_ptr<Registers> OpenRegisters(uv_loop_t* loop, const EngineOptions& options,
                                         std::string* error);

// "etcd, raft, zookeeper"
std::string EngineNames();

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_UV_ENGINES_H_
