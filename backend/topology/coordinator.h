// Edits of the topology go through a coordinator: made durable first, then in effect. The local
// coordinator is a file; a fleet's is a consensus engine behind the same interface.

#ifndef GEMEL_BACKEND_TOPOLOGY_COORDINATOR_H_
#define GEMEL_BACKEND_TOPOLOGY_COORDINATOR_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/topology/edit.h"

namespace gemel {

struct EditResult {
  bool ok = false;
  std::string error;  // a sentence, if not ok
  // The snapshot in effect after the edit; on failure the one that stands.
  std::shared_ptr<const Topology> topology;
};

using EditDone = std::function<void(const EditResult&)>;

class Coordinator {
 public:
  virtual ~Coordinator() = default;
  // Asks for an edit. `done` runs once, later (never inside this call), on the proposer's own
  // thread, after the edit is durable or refused. Edits take effect in the order in which they were
  // proposed.
  virtual void Propose(Edit edit, EditDone done) = 0;
};

// The ordering and batching of a coordinator, without its disk and threads: edits that arrive while
// one write is under way are made durable together by the next (group commit). One thread at a
// time.
class EditQueue {
 public:
  explicit EditQueue(std::shared_ptr<const Topology> initial);

  void Add(Edit edit, EditDone done);

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
  bool idle() const { return waiting_.empty() && !writing_; }
  size_t waiting() const { return waiting_.size() + batch_.size(); }  // edits without a result

 private:
  struct Waiting {
    Edit edit;
    EditDone done;
    EditResult result;
  };
  std::shared_ptr<const Topology> current_;  // durable and in effect
  std::shared_ptr<const Topology> next_;     // being written; null if the batch changes nothing
  std::deque<Waiting> waiting_;              // for the next batch
  std::vector<Waiting> batch_;               // between BeginWrite and EndWrite
  bool writing_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_COORDINATOR_H_
