#include "backend/uv/uv_coordinator.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "backend/uv/uv_side_thread.h"

namespace gemel {

// Shared by the coordinator, its fronts and the write under way.
class UvCoordinator::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<StateFile> file, std::shared_ptr<const Topology> initial, size_t max_waiting)
      : max_waiting_(max_waiting),
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

  void Close(bool clean, std::function<void(const EditResult&)> done) {
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
      wake_.reset();
      inbox_.clear();
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
      refusal->error = "gemel is being stopped";
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

 private:
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
      if (!closing_ || !queue_.idle()) return;
      if (clean_) {
        clean_ = false;
        queue_.Add({EditKind::kClose, {}, {}, {}, "stopped in order"},
                   [this](const EditResult& result) { close_result_ = result; });
        continue;
      }
      Closed();
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
    {
      const std::lock_guard lock(mutex_);
      current_ = queue_.current();
      waiting_ -= std::min(waiting_, finished.size());
    }
    for (EditQueue::Finished& edit : finished) edit.done(edit.result);
  }

  void Closed() {
    closing_ = false;
    {
      const std::lock_guard lock(mutex_);
      wake_.reset();
      if (close_result_.topology == nullptr) close_result_ = {true, {}, current_};
    }
    disk_.reset();
    file_.reset();  // lets the state folder go
    const std::function<void(const EditResult&)> done = std::move(close_done_);
    close_done_ = nullptr;
    if (done) done(close_result_);
  }

  const size_t max_waiting_;
  mutable std::mutex mutex_;  // over what follows, up to the gap
  std::vector<Proposal> inbox_;
  size_t waiting_ = 0;  // edits without a result
  bool refusing_ = false;
  std::unique_ptr<Wake, CloseWake> wake_;
  std::shared_ptr<const Topology> current_;

  // The loop's thread alone.
  std::unique_ptr<UvSideThread> disk_;
  EditQueue queue_;
  std::shared_ptr<StateFile> file_;
  bool closing_ = false;
  bool clean_ = false;
  bool abandoned_ = false;
  EditResult close_result_;
  std::function<void(const EditResult&)> close_done_;
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

 private:
  std::shared_ptr<Core> core_;
  std::shared_ptr<const PostBack> post_back_;
};

UvCoordinator::UvCoordinator(uv_loop_t* loop, std::unique_ptr<StateFile> file,
                             std::shared_ptr<const Topology> initial, size_t max_waiting)
    : core_(std::make_shared<Core>(std::move(file), std::move(initial), max_waiting)) {
  core_->Start(loop);
}

UvCoordinator::~UvCoordinator() { core_->Abandon(); }

std::unique_ptr<Coordinator> UvCoordinator::FrontFor(PostBack post_back) {
  return std::make_unique<Front>(core_, std::move(post_back));
}

std::shared_ptr<const Topology> UvCoordinator::current() const { return core_->current(); }

void UvCoordinator::Close(bool clean, std::function<void(const EditResult&)> done) {
  core_->Close(clean, std::move(done));
}

}  // namespace gemel
