// Whether every worker's loop still turns.

#ifndef GEMEL_PROXY_SERVER_WORKER_BEATS_H_
#define GEMEL_PROXY_SERVER_WORKER_BEATS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "proxy/dispatch/stats.h"

namespace gemel {

// Asked by one thread.
class WorkerBeats {
 public:
  // They outlive it.
  explicit WorkerBeats(std::vector<const WorkerStats*> workers)
      : workers_(std::move(workers)), last_(workers_.size()) {}

  // Has each beaten since this was true the last time? A worker that hangs makes it false for as
  // long as it does.
  bool AllMoved() {
    for (size_t i = 0; i < workers_.size(); ++i) {
      if (workers_[i]->beats.Get() == last_[i]) return false;
    }
    for (size_t i = 0; i < workers_.size(); ++i) last_[i] = workers_[i]->beats.Get();
    return true;
  }

 private:
  std::vector<const WorkerStats*> workers_;
  std::vector<uint64_t> last_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_WORKER_BEATS_H_
