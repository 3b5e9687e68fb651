// Answers who looks at the metrics: asks all workers for their readings, and makes the page of
// them on the thread of who asked. What is asked of a worker is a copy of some shards' numbers in a
// turn of its loop.

#ifndef GEMEL_PROXY_SERVER_UV_METRICS_H_
#define GEMEL_PROXY_SERVER_UV_METRICS_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "config/config.h"
#include "proxy/metrics/civet_listener.h"
#include "proxy/metrics/http_access.h"
#include "proxy/metrics/http_exchange.h"
#include "proxy/metrics/readings.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

class UvMetrics {
 public:
  // Listeners that listen, and are not in use yet.
  using Opened = std::vector<std::pair<Address, std::unique_ptr<CivetListener>>>;

  // `shared` outlives it, and has all workers.
  explicit UvMetrics(UvWorker::Shared* shared) : shared_(shared) {}
  ~UvMetrics();
  UvMetrics(const UvMetrics&) = delete;
  UvMetrics& operator=(const UvMetrics&) = delete;

  // Listens where the config says and it does not listen yet: so far who asks is told to wait. Any
  // thread. False and *error, a sentence with the place in the file; *opened is empty then.
  bool Open(const Config& config, Opened* opened, std::string* error);
  // That is in effect: what its config does not say is closed, on a thread of its own.
  void Use(const UvWorker::Serving& serving, Opened opened);
  // They are not used after all. Does not block.
  void Drop(Opened opened);
  // Who waits for an answer gets none. Nothing may follow but the destructor, which waits until all
  // is closed.
  void Stop();

 private:
  struct Collection;
  PageAnswer Answer(const PageRequest& request);
  // Who asks, and what was in effect when it did.
  struct Visit {
    const PageRequest& request;
    UvWorker::Serving serving;
    HttpLooker looker;
  };
  PageAnswer Route(const Visit& visit);
  PageAnswer Explain(const PageRequest& request);
  PageAnswer Act(const Visit& visit);
  // Waits as a client's password does, and counts a wrong one as that.
  void Guard(const Visit& visit);
  // A user was refused that; empty: a password was wrong. Counts it, and enters it in ACL LOG.
  void NoteDenied(const Visit& visit, const std::string& command);
  // Runs that on the worker's thread, and waits until its `done` was called there. False: it was
  // not in time, and may be later.
  using Done = std::function<void()>;
  bool RunOn(UvWorker* worker, std::function<void(const Done& done)> task);
  // Null: the workers did not answer in time.
  std::shared_ptr<const Pool> PoolInEffect();
  // Nothing: not in use.
  UvWorker::Serving serving() const;
  // Those of all workers; none if they do not come in time. `for_people`: see ReadShard.
  std::vector<WorkerReadings> Collect(bool for_people);
  static void Ask(UvWorker* worker, const std::shared_ptr<Collection>& collection, size_t index,
                  size_t from);

  UvWorker::Shared* shared_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable came_;
  bool stopped_ = false;
  UvWorker::Serving serving_;
  Opened open_;
  std::vector<std::thread> closers_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_METRICS_H_
