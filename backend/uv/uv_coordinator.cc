#include "backend/uv/uv_coordinator.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "backend/topology/edit_queue.h"
#include "backend/uv/uv_side_thread.h"

namespace gemel {

// Shared by the coordinator, its fronts and the write under way.
class UvCoordinator::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<StateFile> file, std::shared_ptr<const Topology> initial, size_t max_waiting)
      : max_waiting_(max_waiting),
        lease_epoch_(LeaseEpochOf(*initial)),
        current_(initial),
        queue_(std::move(initial)),
        file_(std::move(file)) {}

  // --- on the loop's thread ---

  void Start(uv_loop_t* loop) {
    disk_ = std::make_unique<UvSideThread>(loop, "gemel-state");
    auto wake = std::make_unique<Wake>();
    wake->core = this;
    wake->async.data = wake.get();
    if (uv_async_init(loop, &wake->async, [](uv_async_t* async) {
          // Held, since a closure on the way may end the coordinator.
          const auto core = static_cast<Wake*>(async->data)->core->shared_from_this();
          core->OnWake();
        }) == 0) {
      wake_.reset(wake.release());
    } else {
      refusing_ = true;  // no descriptors: every edit is refused
    }
  }

  void Close(bool clean, EditDone done) {
    closing_ = true;
    clean_ = clean;
    close_done_ = std::move(done);
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    if (wake_) uv_async_send(&wake_->async);
  }

  void Abandon() {
    {
      const std::lock_guard lock(mutex_);
      refusing_ = true;
      owning_ = false;
      wake_.reset();
      inbox_.clear();
      watching_.clear();
    }
    abandoned_ = true;
    close_done_ = nullptr;
    disk_.reset();
    file_.reset();
  }

  // --- on any thread ---

  // False if it is refused, with *error.
  bool Add(Edit edit, EditDone done, EditResult* refusal) {
    const std::lock_guard lock(mutex_);
    refusal->topology = current_;
    if (refusing_) {
      refusal->error = kCoordinatorClosed;
      return false;
    }
    if (waiting_ >= max_waiting_) {
      refusal->error =
          "too many changes of roles wait to be written to disk (" + std::to_string(waiting_) + ")";
      return false;
    }
    ++waiting_;
    inbox_.push_back({std::move(edit), std::move(done)});
    uv_async_send(&wake_->async);
    return true;
  }

  std::shared_ptr<const Topology> current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  ShardLease LeaseOf(std::string_view shard) const {
    const std::lock_guard lock(mutex_);
    return owning_ ? SoleLease(*current_, shard, lease_epoch_) : ShardLease();
  }

  // A front has watchers from now on. `watchers` is touched on its own thread alone.
  void Watch(const std::shared_ptr<FrontWatchers>& watchers,
             std::shared_ptr<const PostBack> post_back) {
    const std::lock_guard lock(mutex_);
    if (owning_) watching_.push_back({watchers, std::move(post_back)});
  }

 private:
  struct Watching {
    std::weak_ptr<FrontWatchers> watchers;
    std::shared_ptr<const PostBack> post_back;
  };
  struct Proposal {
    Edit edit;
    EditDone done;
  };
  struct Wake {
    uv_async_t async;
    Core* core = nullptr;
  };
  struct CloseWake {
    void operator()(Wake* wake) const {
      uv_close(reinterpret_cast<uv_handle_t*>(&wake->async), [](uv_handle_t* closed) {
        std::unique_ptr<Wake>(static_cast<Wake*>(closed->data)).reset();
      });
    }
  };
  struct Written {
    bool ok = false;
    std::string error;
  };

  void OnWake() {
    std::vector<Proposal> arrived;
    {
      const std::lock_guard lock(mutex_);
      arrived.swap(inbox_);
    }
    for (Proposal& proposal : arrived) {
      queue_.Add(std::move(proposal.edit), std::move(proposal.done));
    }
    // What came before the end is in the queue now.
    if (closing_) {
      closing_ = false;
      queue_.Close(clean_, [this](const EditResult& result) { close_result_ = result; });
    }
    Advance();
  }

  void Advance() {
    while (!abandoned_) {
      if (std::shared_ptr<const Topology> next = queue_.BeginWrite()) {
        if (!Write(std::move(next))) {
          EndWrite(false, "there is no thread for the write");
          continue;
        }
        return;
      }
      if (queue_.NeedsEnd()) {
        EndWrite(true, {});
        continue;
      }
      if (queue_.closed()) Closed();
      return;
    }
  }

  bool Write(std::shared_ptr<const Topology> topology) {
    if (!disk_) return false;
    auto written = std::make_shared<Written>();
    return disk_->Run(
        [written, file = file_, topology = std::move(topology)] {
          written->ok = file->Write(*topology, &written->error);
        },
        [written, core = shared_from_this()] {
          core->EndWrite(written->ok, written->error);
          core->Advance();
        });
  }

  void EndWrite(bool ok, const std::string& error) {
    std::vector<EditQueue::Finished> finished;
    queue_.EndWrite(ok, error, &finished);
    bool changed;
    {
      const std::lock_guard lock(mutex_);
      changed = current_ != queue_.current();
      current_ = queue_.current();
      waiting_ -= std::min(waiting_, finished.size());
    }
    for (EditQueue::Finished& edit : finished) edit.done(edit.result);
    if (changed) Tell();
  }

  void Tell() {
    std::shared_ptr<const Topology> topology;
    std::vector<Watching> watching;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(watching_, [](const Watching& front) { return front.watchers.expired(); });
      watching = watching_;
      topology = current_;
    }
    for (const Watching& front : watching) {
      (*front.post_back)([watchers = front.watchers, topology] {
        if (const auto told = watchers.lock()) told->Tell(topology);
      });
    }
  }

  void Closed() {
    {
      const std::lock_guard lock(mutex_);
      owning_ = false;
      wake_.reset();
      watching_.clear();
    }
    disk_.reset();
    file_.reset();  // lets the state folder go
    const EditDone done = std::exchange(close_done_, nullptr);
    if (done) done(close_result_);
  }

  const size_t max_waiting_;
  const uint64_t lease_epoch_;
  mutable std::mutex mutex_;  // over what follows, up to the gap
  std::vector<Proposal> inbox_;
  size_t waiting_ = 0;  // edits without a result
  bool refusing_ = false;
  bool owning_ = true;  // the state folder
  std::vector<Watching> watching_;
  std::unique_ptr<Wake, CloseWake> wake_;
  std::shared_ptr<const Topology> current_;

  // The loop's thread alone.
  std::unique_ptr<UvSideThread> disk_;
  EditQueue queue_;
  std::shared_ptr<StateFile> file_;
  bool closing_ = false;  // and the queue does not know it yet
  bool clean_ = false;
  bool abandoned_ = false;
  EditResult close_result_;
  EditDone close_done_;
};

class UvCoordinator::Front : public Coordinator {
 public:
  Front(std::shared_ptr<Core> core, PostBack post_back)
      : core_(std::move(core)),
        post_back_(std::make_shared<const PostBack>(std::move(post_back))) {}

  void Propose(Edit edit, EditDone done) override {
    EditDone posted = [post_back = post_back_, done = std::move(done)](const EditResult& result) {
      (*post_back)([done, result] { done(result); });
    };
    EditResult refusal;
    if (!core_->Add(std::move(edit), posted, &refusal)) posted(refusal);
  }

  std::shared_ptr<const Topology> current() const override { return core_->current(); }

  uint64_t Watch(Watcher watcher) override {
    if (watchers_ == nullptr) {
      watchers_ = std::make_shared<FrontWatchers>();
      core_->Watch(watchers_, post_back_);
    }
    // What changes from here on is told.
    return watchers_->Add(core_->current()->epoch, std::move(watcher));
  }
  void Unwatch(uint64_t watch) override {
    if (watchers_ != nullptr) watchers_->Remove(watch);
  }

  ShardLease LeaseOf(std::string_view shard) const override { return core_->LeaseOf(shard); }

 private:
  std::shared_ptr<Core> core_;
  std::shared_ptr<const PostBack> post_back_;
  std::shared_ptr<FrontWatchers> watchers_;  // null: there never was one
};

UvCoordinator::UvCoordinator(uv_loop_t* loop, std::unique_ptr<StateFile> file,
                             std::shared_ptr<const Topology> initial, size_t max_waiting)
    : place_("the folder " + file->folder()),
      core_(std::make_shared<Core>(std::move(file), std::move(initial), max_waiting)) {
  core_->Start(loop);
}

UvCoordinator::~UvCoordinator() { core_->Abandon(); }

std::unique_ptr<Coordinator> UvCoordinator::FrontFor(PostBack post_back) {
  return std::make_unique<Front>(core_, std::move(post_back));
}

std::shared_ptr<const Topology> UvCoordinator::current() const { return core_->current(); }

void UvCoordinator::Close(bool clean, EditDone done) { core_->Close(clean, std::move(done)); }

namespace {

class OpenedFile : public OpenedCoordinator {
 public:
  bool Open(const std::string& folder, std::string* error) {
    if (!file_->Open(folder, error)) return false;
    const StateFile::ReadResult found = file_->Read(&stored_, error);
    known_ = found == StateFile::ReadResult::kFound;
    return found != StateFile::ReadResult::kFailed;
  }
  const Topology* stored() const override { return known_ ? &stored_ : nullptr; }
  std::unique_ptr<CoordinatorService> Start(uv_loop_t* loop,
                                            std::shared_ptr<const Topology> initial) override {
    return std::make_unique<UvCoordinator>(loop, std::move(file_), std::move(initial));
  }

 private:
  std::unique_ptr<StateFile> file_ = std::make_unique<StateFile>();
  Topology stored_;
  bool known_ = false;
};

}  // namespace

std::unique_ptr<OpenedCoordinator> OpenFileCoordinator(const CoordinatorOptions& options,
                                                       std::string* error) {
  auto opened = std::make_unique<OpenedFile>();
  if (!opened->Open(options.state_dir, error)) return nullptr;
  return opened;
}

}  // namespace gemel
