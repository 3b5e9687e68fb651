// The real edit queue over a disk of virtual time, which may be slow, fail, or be there alone after
// a crash.

#ifndef GEMEL_TESTS_SIM_SIM_COORDINATOR_H_
#define GEMEL_TESTS_SIM_SIM_COORDINATOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/topology/edit_queue.h"
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

class SimCoordinator : public CoordinatorService {
 public:
  SimCoordinator(Loop* loop, Disk* disk, std::shared_ptr<const Topology> initial)
      : loop_(loop),
        disk_(disk),
        lease_epoch_(LeaseEpochOf(*initial)),
        queue_(std::move(initial)) {}
  ~SimCoordinator() override {
    // A crash in the middle of a write: the old state or the new one is found.
    if (writing_ != nullptr && loop_->Chance(50)) Persist();
  }

  std::unique_ptr<Coordinator> FrontFor(PostBack post_back) override {
    return std::make_unique<Front>(this, std::move(post_back));
  }
  std::shared_ptr<const Topology> current() const override { return queue_.current(); }
  void Close(bool clean, EditDone done) override {
    queue_.Close(clean, std::move(done));
    Later(0, [this] { Begin(); });
  }
  std::string place() const override { return "the simulated disk"; }
  bool idle() const { return queue_.idle(); }

 private:
  class Front : public Coordinator {
   public:
    Front(SimCoordinator* service, PostBack post_back)
        : service_(service),
          alive_(service->alive_),
          last_(service->current()),
          post_back_(std::make_shared<const PostBack>(std::move(post_back))) {}

    void Propose(Edit edit, EditDone done) override {
      EditDone posted = [post_back = post_back_, done = std::move(done)](const EditResult& result) {
        (*post_back)([done, result] { done(result); });
      };
      if (alive_.expired()) {
        posted({false, std::string(kCoordinatorClosed), current()});
        return;
      }
      service_->queue_.Add(std::move(edit), std::move(posted));
      service_->Later(0, [service = service_] { service->Begin(); });
    }
    std::shared_ptr<const Topology> current() const override {
      if (!alive_.expired()) last_ = service_->current();
      return last_;
    }
    uint64_t Watch(Watcher watcher) override {
      if (watchers_ == nullptr) {
        watchers_ = std::make_shared<FrontWatchers>();
        if (!alive_.expired()) service_->watching_.push_back({watchers_, post_back_});
      }
      return watchers_->Add(current()->epoch, std::move(watcher));
    }
    void Unwatch(uint64_t watch) override {
      if (watchers_ != nullptr) watchers_->Remove(watch);
    }
    ShardLease LeaseOf(std::string_view shard) const override {
      if (alive_.expired() || service_->queue_.closed()) return {};
      return SoleLease(*service_->current(), shard, service_->lease_epoch_);
    }

   private:
    SimCoordinator* const service_;
    const std::weak_ptr<char> alive_;  // the service
    mutable std::shared_ptr<const Topology> last_;
    std::shared_ptr<const PostBack> post_back_;
    std::shared_ptr<FrontWatchers> watchers_;
  };
  struct Watching {
    std::weak_ptr<FrontWatchers> watchers;
    std::shared_ptr<const PostBack> post_back;
  };

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
    if (disk_->changed) disk_->changed();
  }
  void Finish(bool ok) {
    const std::shared_ptr<const Topology> before = current();
    std::vector<EditQueue::Finished> finished;
    queue_.EndWrite(ok, ok ? "" : "the simulated disk failed", &finished);
    for (EditQueue::Finished& edit : finished) edit.done(edit.result);
    if (current() != before) Tell();
    Later(0, [this] { Begin(); });
  }
  void Tell() {
    std::erase_if(watching_, [](const Watching& front) { return front.watchers.expired(); });
    const std::vector<Watching> watching = watching_;
    for (const Watching& front : watching) {
      (*front.post_back)([watchers = front.watchers, topology = current()] {
        if (const auto told = watchers.lock()) told->Tell(topology);
      });
    }
  }

  Loop* loop_;
  Disk* disk_;
  const uint64_t lease_epoch_;
  EditQueue queue_;
  std::shared_ptr<const Topology> writing_;
  std::vector<Watching> watching_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_COORDINATOR_H_
