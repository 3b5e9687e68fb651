// The coordinator of one proxy alone: makes the edits of all workers durable, in one order, in the
// state file.

#ifndef GEMEL_BACKEND_UV_UV_COORDINATOR_H_
#define GEMEL_BACKEND_UV_UV_COORDINATOR_H_

#include <uv.h>

#include <cstddef>
#include <memory>
#include <string>

#include "backend/topology/coordinator.h"
#include "backend/topology/posix_state_file.h"
#include "backend/uv/uv_coordinators.h"

namespace gemel {

// The disk is written on a thread of its own, so that one that hangs holds up no loop and nothing
// else; edits that come meanwhile go to disk together with the next write. While it holds the state
// folder, this process owns all shards.
class UvCoordinator : public CoordinatorService {
 public:
  static constexpr size_t kMaxWaiting = 10000;

  // `file` is open. Nothing is written yet: `initial` is in effect as it is. `max_waiting`: edits
  // that may wait for their results; above it they are refused.
  UvCoordinator(uv_loop_t* loop, std::unique_ptr<StateFile> file,
                std::shared_ptr<const Topology> initial, size_t max_waiting = kMaxWaiting);
  // On the loop's thread. Without Close before it, edits that wait are never answered; a write
  // under way still ends by itself.
  ~UvCoordinator() override;
  UvCoordinator(const UvCoordinator&) = delete;
  UvCoordinator& operator=(const UvCoordinator&) = delete;

  std::unique_ptr<Coordinator> FrontFor(PostBack post_back) override;
  std::shared_ptr<const Topology> current() const override;
  // Nothing of it keeps the loop alive once `done` was called, and the folder is free for others.
  void Close(bool clean, EditDone done) override;
  std::string place() const override { return place_; }

 private:
  class Core;
  class Front;
  const std::string place_;
  std::shared_ptr<Core> core_;
};

// Takes the state folder and reads what is in it.
std::unique_ptr<OpenedCoordinator> OpenFileCoordinator(const CoordinatorOptions& options,
                                                       std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_COORDINATOR_H_
