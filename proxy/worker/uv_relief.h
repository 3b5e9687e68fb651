// Sees to it that clients and nodes together do not hold more than [limits] buffered: above half of
// it only as many large requests come in at a time as there is room for to their ends, and who
// stands still with much is closed; above all of it who holds the most goes at once.

#ifndef GEMEL_PROXY_WORKER_UV_RELIEF_H_
#define GEMEL_PROXY_WORKER_UV_RELIEF_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/bytes/budget.h"
#include "backend/uv/uv_clock.h"
#include "proxy/dispatch/stats.h"
#include "proxy/worker/uv_owned_shard.h"
#include "proxy/worker/uv_session.h"

namespace gemel {

// One worker's. Each lets go of its own; whose worst is not the worst of all leaves it to the
// other.
class UvRelief {
 public:
  // All outlive it. `all` are the counters of all workers, `own` is among them.
  UvRelief(const std::vector<std::unique_ptr<UvSession>>* sessions,
           const std::vector<std::unique_ptr<UvOwnedShard>>* shards,
           const std::vector<const WorkerStats*>* all, WorkerStats* own)
      : sessions_(sessions), shards_(shards), all_(all), own_(own) {}

  // Called where memory may have grown. Above the limit connections may end in it.
  void Check(UvClock* clock) {
    if (Budget::TightOrOver()) [[unlikely]]
      Act(clock->NowMs());
  }
  // Called many times a second.
  void Tick(uint64_t now_ms);

 private:
  struct Holder {
    uint64_t bytes;
    UvSession* session;
    Link* link;  // with an unfinished reply; null: it is the session
  };

  void Act(uint64_t now_ms);
  void Strike();
  std::vector<Holder> Holders() const;
  bool WorstOfAll(uint64_t bytes) const;
  void LetGo(const Holder& holder, const std::string& why);
  void Admit(uint64_t now_ms);
  static bool GoesOn(UvSession* session, uint64_t now_ms);
  UvSession* Choose(uint64_t now_ms, size_t room) const;
  void AdmitAll();

  const std::vector<std::unique_ptr<UvSession>>* sessions_;
  const std::vector<std::unique_ptr<UvOwnedShard>>* shards_;
  const std::vector<const WorkerStats*>* all_;
  WorkerStats* own_;
  bool tight_ = false;
  bool by_age_ = false;              // how the next is chosen: see Choose
  std::vector<UvSession*> waiting_;  // scratch: those of whose large requests more has come
  uint64_t looked_at_ = 0;           // what was held when it was last looked who may go on
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_RELIEF_H_
