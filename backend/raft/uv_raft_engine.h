// The engine "raft": registers that the members keep themselves, three or five of them as voters.

#ifndef GEMEL_BACKEND_RAFT_UV_RAFT_ENGINE_H_
#define GEMEL_BACKEND_RAFT_UV_RAFT_ENGINE_H_

#include <uv.h>

#include <memory>
#include <string>

#include "backend/engines/engine_options.h"
#include "backend/fleet/registers.h"

namespace gemel {

// Of options whose servers are addresses. A member that is one of them begins to vote, and reads
// its folder inside. Null and *error, a sentence without a full stop. The loop must turn until its
// handles are closed after the registers are gone, or there were none.
std::unique_ptr<Registers> OpenRaftRegisters(uv_loop_t* loop, const EngineOptions& options,
                                             std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RAFT_UV_RAFT_ENGINE_H_
