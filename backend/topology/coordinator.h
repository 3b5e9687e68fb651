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
#include <vector>

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

// What became of Coordinator::Release.
struct NodeRelease {
  bool done = false;
  bool too_few = false;  // not as long as other nodes are missing
  std::string why = {};  // if not done: a phrase
  // What the node whose data is to be copied there is asked first; empty: nothing.
  std::vector<std::string> ask_source = {};
};
using ReleaseDone = std::function<void(const NodeRelease&)>;

// Who may write to the nodes of a shard, and propose edits of it.
struct ShardLease {
  static constexpr uint64_t kForEver = UINT64_MAX;

  bool mine = false;  // this process
  std::string owner;  // which process, for people; empty: nobody
  // From 1. It grows with each change of the owner, also from one life of a process to the next:
  // what still comes of a lower one is void.
  uint64_t epoch = 0;
  uint64_t until_ms = 0;  // by the clock of ShardEnv::NowMs: from then on somebody else may own it
  bool leaving = false;   // mine, and to be handed over: see Coordinator::Give
  std::string address;    // where its owner takes requests of other members; empty: nowhere

  bool operator==(const ShardLease&) const = default;
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

  // --- where shards change their owners; alone, a process owns all for ever ---
  // Until when no shard that is mine can be anybody else's, in milliseconds of CLOCK_BOOTTIME
  // (backend/uv/uv_boot_clock.h). To be asked before each dispatch and each answer, so it is cheap.
  // Once all was lost it is over, though leases may hold again, until on_leases has said so.
  virtual uint64_t LeasesUntilMs() const { return ShardLease::kForEver; }
  // Why this process has no lease and gets none just now, a phrase for people; empty: it has, or
  // nothing is wrong.
  virtual std::string Trouble() const { return {}; }
  // Runs after leases of shards have changed (owner, epoch, leaving). Null: nobody cares.
  virtual void set_on_leases(std::function<void()> on_leases) { (void)on_leases; }
  // A shard that was `leaving` is not written to any more by this process, and all that was sent is
  // answered: whoever is to have it next may have it. `clean`: every copy has all of it.
  virtual void Give(const std::string& shard, uint64_t epoch, bool clean) {
    (void)shard;
    (void)epoch;
    (void)clean;
  }
  // All data of the node is about to be overwritten, in the next seconds, and what is agreed on may
  // be kept there, too. False: it is not, and `done` is not called. Else `done` runs once, later.
  virtual bool Release(const std::string& node, ReleaseDone done) {
    (void)node;
    (void)done;
    return false;
  }
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
