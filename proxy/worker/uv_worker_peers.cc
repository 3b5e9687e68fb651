// What a worker has to do with members of a fleet: it is told, and tells, what goes beside
// requests.

#include "proxy/worker/uv_worker.h"

namespace gemel {

void UvWorker::TellShardAnew(uint32_t slot) {
  for (const auto& worker : shared_->workers) {
    worker->Post([other = worker.get(), slot] {
      other->channels_.OnShardAnew(slot);
      other->trackers_.OnShardAnew(slot);
    });
  }
}

void UvWorker::TellLibraries() {
  for (const PoolShard& shard : dispatcher_.pool().shards()) {
    Request* request = dispatcher_.New();
    request->kind = RequestKind::kLibraries;
    request->shard = static_cast<uint16_t>(shard.slot);
    request->frame = {};
    request->sink = dispatcher_.unanswered();
    dispatcher_.SubmitApart(request);
  }
}

}  // namespace gemel
