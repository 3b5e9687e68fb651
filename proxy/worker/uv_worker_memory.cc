// A worker's memory after a burst.

#include "backend/bytes/give_back.h"
#include "backend/bytes/posix_system_memory.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

// What is not needed any more goes back to the system: what was taken and is free within a second
// or two, and what the C library keeps, once it is much.
void UvWorker::GiveMemoryBack() {
  chunks_.Trim();
  dispatcher_.Trim();
  for (const auto& owned : shards_.all()) owned->shard()->Trim();
  sessions_.session_context().GiveScratchBack();
  mailbox_.Trim();
  if (index_ == 0 && memory_.OnSecond(Budget::Held())) ReturnFreeMemory();
}

}  // namespace gemel
