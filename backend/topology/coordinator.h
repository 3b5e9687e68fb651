// Edits of the topology go through a coordinator: made durable first, then in effect. The one that
// there is keeps them in a file (backend/uv/uv_coordinator.h); a fleet's is a consensus engine
// behind the same interface. Nobody else knows which one it is: see backend/uv/uv_coordinators.h.

#ifndef GEMEL_BACKEND_TOPOLOGY_COORDINATOR_H_
#define GEMEL_BACKEND_TOPOLOGY_COORDINATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/topology/edit.h"
#include "backend/topology/topology.h"

namespace gemel {

struct EditResult {
  bool ok = false;
  std::string error;  // a sentence, if not ok
  // The snapshot in effect after the edit; on failure the one that stands.
  std::shared_ptr<const Topology> topology;
};

using EditDone = std::function<void(const EditResult&)>;

// Who may write to the nodes of a shard, and propose edits of it.
struct ShardLease {
  static constexpr uint64_t kForEver = UINT64_MAX;

  bool mine = false;  // this process
  std::string owner;  // which process, for people; empty: nobody
  // From 1. It grows with each change of the owner, also from one life of a process to the next:
  // what still comes of a lower one is void.
  uint64_t epoch = 0;
  uint64_t until_ms = 0;  // by the clock of ShardEnv::NowMs: from then on somebody else may own it
};

// A coordinator as one thread sees it: all of it is called on that thread, and calls back there,
// later, never inside a call. May outlive the service that made it: then it refuses edits, nothing
// is owned, and the last snapshot stands.
class Coordinator {
 public:
  using Watcher = std::function<void(const std::shared_ptr<const Topology>&)>;

  virtual ~Coordinator() = default;

  // Asks for an edit. `done` runs once, after the edit is durable or refused; or never, if the
  // service goes without Close. Edits take effect in the order in which they were proposed. One
  // whose `expected` is not the epoch of its shard by then is refused.
  virtual void Propose(Edit edit, EditDone done) = 0;

  // The snapshot in effect; never null.
  virtual std::shared_ptr<const Topology> current() const = 0;

  // From now on `watcher` is told of each change of the snapshot in effect, whoever proposed it: of
  // edits of this front after their `done`. Epochs ascend; snapshots that were replaced meanwhile
  // may be left out, the last never is. Returns what Unwatch takes.
  virtual uint64_t Watch(Watcher watcher) = 0;
  // It is not called any more, also not with what is on its way. May be called by the watcher.
  virtual void Unwatch(uint64_t watch) = 0;

  // The lease of a shard as far as it is known here; nobody's if there is no such shard.
  virtual ShardLease LeaseOf(std::string_view shard) const = 0;
};

// A coordinator as the process holds it: lives on one thread, that of its loop.
class CoordinatorService {
 public:
  // Runs a closure later on the thread of a front, never inside the call. Called on the service's
  // thread, and on the front's own when an edit is refused at once. If the thread is gone it may
  // drop the closure.
  using PostBack = std::function<void(std::function<void()>)>;

  virtual ~CoordinatorService() = default;

  // Another thread's way in. Any thread.
  virtual std::unique_ptr<Coordinator> FrontFor(PostBack post_back) = 0;

  // The snapshot in effect; never null. Any thread.
  virtual std::shared_ptr<const Topology> current() const = 0;

  // The orderly end. Refuses edits from now on, gives those that wait their results, then, if
  // `clean`, makes kClose durable, and then calls `done`, once: later, never inside this call; ok
  // is false if kClose could not be made durable. Nothing is owned, written or told after that. On
  // the service's thread, once.
  virtual void Close(bool clean, EditDone done) = 0;

  // Where the state is, for messages: "the folder /var/lib/gemel".
  virtual std::string place() const = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_COORDINATOR_H_
