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
  for (const auto& owned : shards_) owned->shard()->Trim();
  session_context_.session.GiveScratchBack();
  GiveBack(&receiving_);
  if (index_ != 0) return;
  constexpr uint64_t kMuch = 2 * 1024 * 1024;
  const uint64_t held = Budget::Held();
  if (held + kMuch <= most_held_ && held <= most_held_ / 2) {
    give_back_s_ = 3;  // until what is kept for a second or two is free, too
    most_held_ = held;
  }
  if (give_back_s_ == 0) return;
  --give_back_s_;
  ReturnFreeMemory();
}

}  // namespace gemel
