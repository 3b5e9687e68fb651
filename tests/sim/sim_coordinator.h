// The real edit queue over a disk of virtual time, which may be slow, fail, or be there alone after
// a crash.

#ifndef GEMEL_TESTS_SIM_SIM_COORDINATOR_H_
#define GEMEL_TESTS_SIM_SIM_COORDINATOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/topology/coordinator.h"
#include "tests/sim/sim_loop.h"

namespace gemel::sim {

// Outlives the proxies.
struct Disk {
  std::optional<Topology> durable;
  uint64_t max_write_us = 5000;
  uint64_t failing_percent = 0;
  bool full = false;    // every write fails, and the old state stands
  uint64_t writes = 0;  // that did not fail
  // The proxy crashes at that one of them, before it is durable or right after; 0: at none. `crash`
  // says whether it will, and does so before anything else happens.
  uint64_t crash_at = 0;
  bool crash_before = false;
  std::function<bool()> crash;
  // Called after each change of `durable`.
  std::function<void()> changed;
};

class SimCoordinator : public Coordinator {
 public:
  SimCoordinator(Loop* loop, Disk* disk, std::shared_ptr<const Topology> initial)
      : loop_(loop), disk_(disk), queue_(std::move(initial)) {}
  ~SimCoordinator() override {
    // A crash in the middle of a write: the old state or the new one is found.
    if (writing_ != nullptr && loop_->Chance(50)) Persist();
  }

  void Propose(Edit edit, EditDone done) override {
    queue_.Add(std::move(edit), std::move(done));
    Later(0, [this] { Begin(); });
  }
  bool idle() const { return queue_.idle(); }
  std::shared_ptr<const Topology> current() const { return queue_.current(); }

 private:
  void Later(uint64_t delay_us, std::function<void()> event) {
    loop_->After(delay_us, [alive = std::weak_ptr<char>(alive_), event = std::move(event)] {
      if (!alive.expired()) event();
    });
  }
  void Begin() {
    if (std::shared_ptr<const Topology> next = queue_.BeginWrite(); next != nullptr) {
      writing_ = std::move(next);
      Later(loop_->Between(100, disk_->max_write_us), [this] { End(); });
    } else if (queue_.NeedsEnd()) {
      Finish(true);
    }
  }
  void End() {
    const bool ok = !disk_->full && !loop_->Chance(disk_->failing_percent);
    if (ok && ++disk_->writes == disk_->crash_at && disk_->crash()) {
      if (!disk_->crash_before) Persist();
      writing_ = nullptr;
      return;
    }
    if (ok) Persist();
    writing_ = nullptr;
    // A crash may come between the disk and those who wait for it.
    Later(loop_->Between(0, 300), [this, ok] { Finish(ok); });
  }
  void Persist() {
    disk_->durable = *writing_;
    disk_->changed();
  }
  void Finish(bool ok) {
    std::vector<EditQueue::Finished> finished;
    queue_.EndWrite(ok, ok ? "" : "the simulated disk failed", &finished);
    for (EditQueue::Finished& edit : finished) edit.done(edit.result);
    Later(0, [this] { Begin(); });
  }

  Loop* loop_;
  Disk* disk_;
  EditQueue queue_;
  std::shared_ptr<const Topology> writing_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_COORDINATOR_H_
