// The end of a worker: what its clients have sent is served first.

#include <string>
#include <utility>

#include "proxy/log/log.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

void UvWorker::Drain(uint64_t deadline_ms, std::function<void()> drained) {
  for (Listener& listener : listeners_) listener.listener->AcceptRest();
  listeners_.clear();
  draining_.Begin(loop_.clock.NowMs(), deadline_ms, std::move(drained));
  for (auto& owned : shards_.all())
    owned->served().StopAudit();  // else who waits for one is waited for
}

void UvWorker::CheckDrained(uint64_t now_ms) {
  const bool busy = !sessions_.empty() || !shards_.AllHeard() || !shards_.Quiet();
  const Draining::Step step = draining_.Next(now_ms, busy);
  if (step == Draining::Step::kServe) return;
  sessions_.Drain();
  if (step == Draining::Step::kClose) return;
  if (const size_t left = sessions_.connected().size(); left > 0) {
    Log(NoteLevel::kWarn,
        std::to_string(left) + " clients did not take their replies within the drain time");
    sessions_.KillAll();
  }
  draining_.End();
}

}  // namespace gemel
