#include "backend/uv/uv_fleet_coordinator.h"

#include <mutex>
#include <utility>
#include <vector>

#include "backend/uv/uv_fleet_core.h"

namespace gemel {

class UvFleetCoordinator::Front : public Coordinator {
 public:
  Front(std::shared_ptr<Core> core, PostBack post_back)
      : core_(std::move(core)),
        post_back_(std::make_shared<const PostBack>(std::move(post_back))) {}

  void Propose(Edit edit, EditDone done) override {
    core_->Propose(std::move(edit),
                   [post_back = post_back_, done = std::move(done)](const EditResult& result) {
                     (*post_back)([done, result] { done(result); });
                   });
  }
  std::shared_ptr<const Topology> current() const override { return core_->current(); }
  uint64_t Watch(Watcher watcher) override {
    if (watchers_ == nullptr) {
      watchers_ = std::make_shared<FrontWatchers>();
      core_->Watch(watchers_, post_back_);
    }
    return watchers_->Add(core_->current()->epoch, std::move(watcher));
  }
  void Unwatch(uint64_t watch) override {
    if (watchers_ != nullptr) watchers_->Remove(watch);
  }
  ShardLease LeaseOf(std::string_view shard) const override { return core_->LeaseOf(shard); }
  uint64_t LeasesUntilMs() const override { return core_->UntilMs(known_lost_); }
  std::string Trouble() const override { return core_->Trouble(); }
  void set_on_leases(std::function<void()> on_leases) override {
    on_leases_.reset();
    if (!on_leases) return;
    known_lost_ = core_->told_lost();
    // Before it looks at the leases, so that it looks at none that are older.
    on_leases_ =
        std::make_shared<const std::function<void()>>([this, on_leases = std::move(on_leases)] {
          known_lost_ = core_->told_lost();
          on_leases();
        });
    core_->OnLeases(on_leases_, post_back_);
  }
  void Give(const std::string& shard, uint64_t epoch, bool clean) override {
    core_->WithMember(
        [shard, epoch, clean](FleetMember* member) { member->Give(shard, epoch, clean); });
  }
  bool Release(const std::string& node, ReleaseDone done) override {
    return core_->Release(node,
                          [post_back = post_back_, done = std::move(done)](const NodeRelease& is) {
                            (*post_back)([done, is] { done(is); });
                          });
  }

 private:
  std::shared_ptr<Core> core_;
  std::shared_ptr<const PostBack> post_back_;
  std::shared_ptr<FrontWatchers> watchers_;  // null: there never was one
  std::shared_ptr<const std::function<void()>> on_leases_;
  uint64_t known_lost_ = 0;  // how often all leases were lost, as far as it was told
};

namespace {

// Brings closures to another loop.
class UvPoster {
 public:
  explicit UvPoster(uv_loop_t* loop) : state_(std::make_unique<State>()) {
    state_->async.data = state_.get();
    uv_async_init(loop, &state_->async, [](uv_async_t* async) {
      State* state = static_cast<State*>(async->data);
      std::vector<std::function<void()>> tasks;
      {
        const std::lock_guard lock(state->mutex);
        tasks.swap(state->tasks);
      }
      for (const auto& task : tasks) task();
    });
    uv_unref(reinterpret_cast<uv_handle_t*>(&state_->async));
  }
  ~UvPoster() {
    State* state = state_.release();
    uv_close(reinterpret_cast<uv_handle_t*>(&state->async), [](uv_handle_t* handle) {
      std::unique_ptr<State>(static_cast<State*>(handle->data)).reset();
    });
  }
  UvPoster(const UvPoster&) = delete;
  UvPoster& operator=(const UvPoster&) = delete;
  void Post(std::function<void()> task) {
    const std::lock_guard lock(state_->mutex);
    state_->tasks.push_back(std::move(task));
    uv_async_send(&state_->async);
  }

 private:
  struct State {
    uv_async_t async;
    std::mutex mutex;
    std::vector<std::function<void()>> tasks;
  };
  std::unique_ptr<State> state_;
};

}  // namespace

class UvFleetCoordinator::Home : public UvPoster {
 public:
  using UvPoster::UvPoster;
};

UvFleetCoordinator::UvFleetCoordinator(std::shared_ptr<Core> core) : core_(std::move(core)) {}

UvFleetCoordinator::~UvFleetCoordinator() { core_->Stop(); }

std::unique_ptr<UvFleetCoordinator> UvFleetCoordinator::Open(Options options, std::string* error) {
  auto core = std::make_shared<Core>(std::move(options));
  if (!core->Open(error)) return nullptr;
  return std::unique_ptr<UvFleetCoordinator>(new UvFleetCoordinator(std::move(core)));
}

const std::string& UvFleetCoordinator::fleet_id() const { return core_->fleet_id(); }

void UvFleetCoordinator::Start(uv_loop_t* loop) {
  home_ = std::make_unique<Home>(loop);
  core_->set_on_fleet([this] {
    home_->Post([this] {
      if (on_fleet_) on_fleet_();
    });
  });
  core_->Join();
}

std::unique_ptr<Coordinator> UvFleetCoordinator::FrontFor(PostBack post_back) {
  return std::make_unique<Front>(core_, std::move(post_back));
}

std::shared_ptr<const Topology> UvFleetCoordinator::current() const { return core_->current(); }

void UvFleetCoordinator::Close(bool clean, EditDone done) {
  core_->Close(clean, [this, done](const EditResult& result) {
    home_->Post([this, done, result] {
      core_->Stop();
      const std::unique_ptr<Home> home = std::move(home_);
      done(result);
    });
  });
}

std::string UvFleetCoordinator::place() const { return core_->place(); }

void UvFleetCoordinator::Leave(std::function<void()> done) {
  core_->Leave([this, done] { home_->Post(done); });
}

std::string UvFleetCoordinator::Shared(const std::string& name) const {
  return core_->Shared(name);
}

void UvFleetCoordinator::Share(const std::string& name, std::string text) {
  core_->WithMember(
      [name, text = std::move(text)](FleetMember* member) { member->Share(name, text); });
}

std::shared_ptr<const FleetRecord> UvFleetCoordinator::Fleet() const { return core_->Fleet(); }

void UvFleetCoordinator::ProposePlan(WantedPlan wanted, FleetChange::Done done) {
  core_->ProposePlan(std::move(wanted), [this, done](const std::string& error, uint64_t version) {
    home_->Post([done, error, version] { done(error, version); });
  });
}

void UvFleetCoordinator::Agree(uint64_t version) {
  core_->WithMember([version](FleetMember* member) { member->change().Agree(version); });
}

void UvFleetCoordinator::Serve(uint64_t version, uint64_t route) {
  core_->WithMember(
      [version, route](FleetMember* member) { member->change().Serve(version, route); });
}

void UvFleetCoordinator::SetDraining(bool draining) {
  core_->WithMember([draining](FleetMember* member) { member->SetDraining(draining); });
}

void UvFleetCoordinator::Balance() {
  core_->WithMember([](FleetMember* member) { member->Balance(); });
}

void UvFleetCoordinator::ChangeServers(bool add, const std::string& server) {
  core_->ChangeServers(add, server);
}

void UvFleetCoordinator::LookSoon() {
  core_->WithMember([](FleetMember* member) { member->LookSoon(); });
}

FleetStatus UvFleetCoordinator::Status() const { return core_->Status(); }

}  // namespace gemel
