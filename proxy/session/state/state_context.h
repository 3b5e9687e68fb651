// What the pieces of a session's state may know of their worker.

#ifndef GEMEL_PROXY_SESSION_STATE_STATE_CONTEXT_H_
#define GEMEL_PROXY_SESSION_STATE_STATE_CONTEXT_H_

#include <cstdint>

#include "proxy/dispatch/pool.h"
#include "proxy/dispatch/stats.h"
#include "proxy/session/state/access_guard.h"

namespace gemel {

struct StateContext {
  const Pool* pool = nullptr;  // in effect now
  WorkerStats* stats = nullptr;
  AccessGuard* access = nullptr;  // of all workers; may be null
  uint64_t now_ms = 0;            // of the loop turn
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_STATE_CONTEXT_H_
