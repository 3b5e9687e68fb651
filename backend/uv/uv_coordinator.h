// The local coordinator: makes the edits of all workers durable, in one order, in the state file.

#ifndef GEMEL_BACKEND_UV_UV_COORDINATOR_H_
#define GEMEL_BACKEND_UV_UV_COORDINATOR_H_

#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "backend/topology/coordinator.h"
#include "backend/topology/posix_state_file.h"

namespace gemel {

// Lives on one loop (the main worker's). The disk is written on a thread of its own, so that one
// that hangs holds up no loop and nothing else; edits that come meanwhile go to disk together with
// the next write.
class UvCoordinator {
 public:
  // Runs a closure later on the proposer's thread, never inside the call. Called on the
  // coordinator's thread, and on the proposer's own when an edit is refused at once. If the
  // proposer is gone it may drop the closure.
  using PostBack = std::function<void(std::function<void()>)>;

  static constexpr size_t kMaxWaiting = 10000;

  // `file` is open. Nothing is written yet: `initial` is in effect as it is. `max_waiting`: edits
  // that may wait for their results; above it they are refused.
  UvCoordinator(uv_loop_t* loop, std::unique_ptr<StateFile> file,
                std::shared_ptr<const Topology> initial, size_t max_waiting = kMaxWaiting);
  // On the loop's thread. Without Close before it, edits that wait are never answered; a write
  // under way still ends by itself.
  ~UvCoordinator();
  UvCoordinator(const UvCoordinator&) = delete;
  UvCoordinator& operator=(const UvCoordinator&) = delete;

  // A worker's way to propose: to be used on one thread. It may outlive the coordinator; then it
  // refuses. Any thread.
  std::unique_ptr<Coordinator> FrontFor(PostBack post_back);

  // The snapshot in effect. Any thread.
  std::shared_ptr<const Topology> current() const;

  // Refuses edits from now on, ends those that wait, then, if `clean`, proposes kClose, and then
  // calls `done` on the loop, once: later, never inside this call; ok is false if kClose could not
  // be made durable. Nothing of it keeps the loop alive after that. On the loop's thread, once.
  void Close(bool clean, std::function<void(const EditResult&)> done);

 private:
  class Core;
  class Front;
  std::shared_ptr<Core> core_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_COORDINATOR_H_
