// The part of UvFleetCoordinator that its thread and its fronts share.

#ifndef GEMEL_BACKEND_UV_UV_FLEET_CORE_H_
#define GEMEL_BACKEND_UV_UV_FLEET_CORE_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "backend/fleet/fleet_founder.h"
#include "backend/fleet/fleet_member.h"
#include "backend/fleet/lease_word.h"
#include "backend/topology/edit_queue.h"
#include "backend/uv/uv_fleet_coordinator.h"

namespace gemel {

class UvFleetCoordinator::Core {
 public:
  using Task = std::function<void()>;

  explicit Core(Options options) : options_(std::move(options)) {}
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Begins the thread, and waits until it has read the fleet, or has failed with *error.
  bool Open(std::string* error);
  // The thread ends; nothing is called any more. Not on that thread.
  void Stop();

  // --- any thread ---
  // Runs it on the thread, soon. False: that has ended.
  bool Post(Task task);
  void Join();
  void Propose(Edit edit, EditDone done);
  // `done` runs on the thread.
  void Close(bool clean, EditDone done);
  void Leave(Task done);
  void ChangeServers(bool add, const std::string& server);
  // See Coordinator. `done` runs on the thread.
  bool Release(const std::string& node, ReleaseDone done);
  void WithMember(std::function<void(FleetMember* member)> act);
  std::shared_ptr<const Topology> current() const;
  ShardLease LeaseOf(std::string_view shard) const;
  uint64_t until_ms() const { return lease_.until_ms(); }
  // See LeaseWord: of what LeaseOf said when so many losses were told.
  uint64_t UntilMs(uint64_t known_lost) const { return lease_.UntilMs(known_lost); }
  uint64_t told_lost() const;
  std::string Trouble() const;
  FleetStatus Status() const;
  std::string Shared(const std::string& name) const;
  std::shared_ptr<const FleetRecord> Fleet() const;
  // Runs on the thread after what Fleet says has changed. Null: nobody cares.
  void set_on_fleet(Task on_fleet);
  // `done` runs on the thread, once Fleet has what it speaks of.
  void ProposePlan(WantedPlan wanted, FleetChange::Done done);
  const std::string& fleet_id() const { return fleet_id_; }
  const std::string& place() const { return place_; }

  // A front is told of changes through `post_back`. Both are touched on the front's thread alone.
  void Watch(const std::shared_ptr<FrontWatchers>& watchers,
             std::shared_ptr<const PostBack> post_back);
  void OnLeases(const std::shared_ptr<const Task>& on_leases,
                std::shared_ptr<const PostBack> post_back);

 private:
  struct Watching {
    std::weak_ptr<FrontWatchers> watchers;
    std::shared_ptr<const PostBack> post_back;
  };
  struct Listening {
    std::weak_ptr<const Task> on_leases;
    std::shared_ptr<const PostBack> post_back;
  };

  // --- the thread ---
  void Run();
  bool Read(std::string* error);
  std::optional<FleetRecord> Found(std::string* error);
  void Turn();
  void TakeTasks();
  // What has changed.
  struct News {
    bool leases = false;
    bool snapshot = false;
    bool fleet = false;
  };
  News Publish();
  void Tell(const News& news);
  void CheckLeft();
  void Follow(const FleetPlan& plan);
  FleetStatus MakeStatus() const;
  void Opened(const std::string& error);

  const Options options_;
  std::string fleet_id_;
  std::string place_;
  std::thread thread_;

  mutable std::mutex mutex_;  // over what follows, up to the gap
  std::vector<Task> tasks_;
  bool ended_ = false;
  bool opened_ = false;
  std::string open_error_;
  std::shared_ptr<const Topology> current_ = std::make_shared<const Topology>();
  std::map<std::string, ShardLease, std::less<>> leases_;
  uint64_t told_lost_ = 0;  // how often all was lost until leases_ were so
  FleetStatus status_;
  std::shared_ptr<const FleetRecord> fleet_ = std::make_shared<const FleetRecord>();
  std::map<std::string, RegisterValue, std::less<>> texts_;
  std::vector<Watching> watching_;
  std::vector<Listening> listening_;
  uv_async_t* wake_ = nullptr;

  LeaseWord lease_;

  // The thread alone.
  uv_loop_t loop_;
  std::unique_ptr<Registers> registers_;
  std::unique_ptr<FleetMember> member_;
  std::vector<Task> results_;  // to be given once what they speak of is published
  bool stop_ = false;
  uint64_t fleet_version_ = 0;  // of the register, that is published
  bool changed_ = true;         // who owns what, or the snapshot, since it was published
  uint64_t status_due_ms_ = 0;  // when what people see is made anew
  Task left_;
  Task on_fleet_;
  uint64_t left_ms_ = 0;  // when it owned something last
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_FLEET_CORE_H_
