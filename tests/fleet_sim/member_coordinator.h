// The coordinator of one process of a fleet: a real FleetMember on a thread of its own, and what
// the worker's thread sees of it, as UvFleetCoordinator has them.

#ifndef GEMEL_TESTS_FLEET_SIM_MEMBER_COORDINATOR_H_
#define GEMEL_TESTS_FLEET_SIM_MEMBER_COORDINATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/fleet/fleet_founder.h"
#include "backend/fleet/fleet_member.h"
#include "backend/fleet/lease_word.h"
#include "backend/life/alive.h"
#include "tests/sim/sim_process.h"

namespace gemel::fleet_sim {

class MemberCoordinator : public Coordinator {
 public:
  struct World {
    sim::Loop* loop;
    sim::Process* core;  // the two threads
    sim::Process* worker;
    Registers* registers;
    std::function<uint64_t()> clock;
    std::function<std::string()> random_id;
    std::function<void(const std::string&)> note;
  };

  MemberCoordinator(World world, OwnLife::Options life, FleetRecord founding);

  // Looks for the fleet, and joins it. `joined` runs on the worker's thread once it may begin.
  void Start(std::function<void()> joined);
  // On the coordinator's thread, later; nothing before it has joined.
  void WithMember(std::function<void(FleetMember*)> act);
  const std::string& fleet_id() const { return fleet_id_; }
  // For the test's eyes; null: it has not joined.
  const FleetMember* member() const { return member_.get(); }

  // --- Coordinator ---
  void Propose(Edit edit, EditDone done) override;
  std::shared_ptr<const Topology> current() const override { return current_; }
  uint64_t Watch(Watcher watcher) override;
  void Unwatch(uint64_t) override {}
  ShardLease LeaseOf(std::string_view shard) const override;
  uint64_t LeasesUntilMs() const override { return lease_.UntilMs(known_lost_); }
  void set_on_leases(std::function<void()> on_leases) override {
    known_lost_ = told_lost_;
    on_leases_ = std::move(on_leases);
  }
  void Give(const std::string& shard, uint64_t epoch, bool clean) override;

 private:
  using Task = std::function<void()>;

  void Found();
  void Tick();
  // After whatever happens on the coordinator's thread.
  void Turn();
  std::pair<bool, bool> Publish();
  void Tell(bool leases, bool snapshot);
  // To the other thread, in order.
  void PostBack(Task task);
  void Post(Task task);

  const World world_;
  const OwnLife::Options life_;
  const FleetRecord founding_;
  Task joined_;
  std::string fleet_id_;
  std::unique_ptr<FleetFounder> founder_;
  std::unique_ptr<FleetMember> member_;
  uint64_t last_post_us_ = 0;
  uint64_t last_back_us_ = 0;
  std::vector<Task> results_;  // to be given once what they speak of is published
  bool changed_ = true;
  // What both threads see.
  std::shared_ptr<const Topology> current_ = std::make_shared<const Topology>();
  std::map<std::string, ShardLease, std::less<>> leases_;
  uint64_t told_lost_ = 0;
  LeaseWord lease_;
  // The worker's.
  Watcher watcher_;
  Task on_leases_;
  uint64_t known_lost_ = 0;
  Alive alive_;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_MEMBER_COORDINATOR_H_
