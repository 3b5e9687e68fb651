// What every local coordinator is made of, without disk, threads and clock: the order of the edits,
// who is told of them, and who owns the shards.

#ifndef GEMEL_BACKEND_TOPOLOGY_EDIT_QUEUE_H_
#define GEMEL_BACKEND_TOPOLOGY_EDIT_QUEUE_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/topology/coordinator.h"

namespace gemel {

// What an edit is told that comes after Close.
inline constexpr std::string_view kCoordinatorClosed = "gemel is being stopped";

// Orders and batches edits: those that arrive while one write is under way are made durable
// together by the next (group commit). One thread at a time.
class EditQueue {
 public:
  explicit EditQueue(std::shared_ptr<const Topology> initial);

  // After Close it is refused, in its turn.
  void Add(Edit edit, EditDone done);

  // The last: once all edits before it have their results, kClose if `clean`, and then `done`.
  void Close(bool clean, EditDone done);
  // The result of Close was handed out.
  bool closed() const { return closed_; }

  // If no write is under way and there are edits: applies all that wait, one after the other (each
  // illegal one is refused alone), and returns the snapshot to make durable. Null if there is
  // nothing to write. Results are given only by EndWrite. When all waiting edits change nothing or
  // are refused there is nothing to write: their results are given by the next call of EndWrite, so
  // the caller calls BeginWrite, and if it returns null and NeedsEnd() is true, EndWrite(true, "").
  std::shared_ptr<const Topology> BeginWrite();
  bool NeedsEnd() const;

  // The write of the last BeginWrite ended. Appends each edit of the batch with its result to
  // *finished, in order; on failure of the disk all of them fail with `error` (also those that were
  // refused, since what they were judged by did not come to be) and the snapshot stands. The caller
  // runs the `done`s, which may add edits. Does nothing if no batch is under way.
  struct Finished {
    EditDone done;
    EditResult result;
  };
  void EndWrite(bool ok, const std::string& error, std::vector<Finished>* finished);

  std::shared_ptr<const Topology> current() const { return current_; }
  bool idle() const { return waiting_.empty() && !closing_ && !writing_; }
  size_t waiting() const { return waiting_.size() + batch_.size(); }  // edits without a result

 private:
  struct Waiting {
    std::optional<Edit> edit;  // none: its result is known, or it is the end
    EditDone done;
    EditResult result;
    bool last = false;
  };
  std::shared_ptr<const Topology> current_;  // durable and in effect
  std::shared_ptr<const Topology> next_;     // being written; null if the batch changes nothing
  std::deque<Waiting> waiting_;              // for the next batch
  std::vector<Waiting> batch_;               // between BeginWrite and EndWrite
  std::optional<Waiting> closing_;           // once all others have their results
  bool refusing_ = false;
  bool closed_ = false;
  bool writing_ = false;
};

// The watchers of one front. On its thread.
class FrontWatchers {
 public:
  // Is told of epochs above `seen`. The id is not 0.
  uint64_t Add(uint64_t seen, Coordinator::Watcher watcher);
  void Remove(uint64_t watch) { watchers_.erase(watch); }
  // Tells all that have not seen it.
  void Tell(const std::shared_ptr<const Topology>& topology);

 private:
  struct Watching {
    uint64_t seen;
    Coordinator::Watcher watcher;
  };
  std::map<uint64_t, Watching> watchers_;
  uint64_t last_ = 0;
};

// The lease of a coordinator that is alone: the process that holds the state owns all shards for as
// long as it holds it. `epoch` is LeaseEpochOf what it began with.
ShardLease SoleLease(const Topology& current, std::string_view shard, uint64_t epoch);

// The epoch at which a process that begins with `initial` opens (kOpen): higher than that of every
// process that served before it, whichever way that one ended.
uint64_t LeaseEpochOf(const Topology& initial);

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_EDIT_QUEUE_H_
