// The coordinator of a process that is a member of a fleet: its registers, on a thread of their
// own, so that no work of a worker delays the renewal of a lease.

#ifndef GEMEL_BACKEND_UV_UV_FLEET_COORDINATOR_H_
#define GEMEL_BACKEND_UV_UV_FLEET_COORDINATOR_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/fleet/fleet_member.h"
#include "backend/fleet/fleet_status.h"
#include "backend/fleet/registers.h"
#include "backend/topology/coordinator.h"

namespace gemel {

class UvFleetCoordinator : public CoordinatorService {
 public:
  struct Options {
    OwnLife::Options life;
    // Opens the engine on the thread's loop; null and *error if it cannot be.
    std::function<std::unique_ptr<Registers>(uv_loop_t* loop, std::string* error)> open;
    // Whether nodes of shards keep the registers (Registers::Release).
    bool on_nodes = false;
    // Of a plan: the nodes that are to (Registers::Follow). Null: others do.
    std::function<std::vector<std::string>(const FleetPlan& plan)> keepers;
    // The fleet as this member would found it.
    FleetRecord founding;
    uint64_t patience_ms = 15000;  // for the registers at the start
    std::function<void(NoteLevel level, const std::string& text)> note;  // on any thread
  };

  // Reaches the registers, founds the fleet if nobody has, and reads it. Blocks. Null and *error (a
  // sentence) if they cannot be reached, or the fleet has other shards.
  static std::unique_ptr<UvFleetCoordinator> Open(Options options, std::string* error);
  // Without Close before it: as a crash.
  ~UvFleetCoordinator() override;
  UvFleetCoordinator(const UvFleetCoordinator&) = delete;
  UvFleetCoordinator& operator=(const UvFleetCoordinator&) = delete;

  // The id of the fleet.
  const std::string& fleet_id() const;
  // Joins: shards are owned from now on. `loop`: where Close and Leave call back.
  void Start(uv_loop_t* loop);

  // Of CoordinatorService.
  std::unique_ptr<Coordinator> FrontFor(PostBack post_back) override;
  std::shared_ptr<const Topology> current() const override;
  void Close(bool clean, EditDone done) override;
  std::string place() const override;

  // Wants to own nothing from now on, and tells once it owns nothing, or nobody else can have it.
  // On the loop of Start, once.
  void Leave(std::function<void()> done);
  // What members keep together under that name, as far as is known; and what it is to be. See
  // FleetMember::Share. Any thread.
  std::string Shared(const std::string& name) const;
  void Share(const std::string& name, std::string text);
  // What the fleet agrees on of its shards and ring; any thread. Never null.
  std::shared_ptr<const FleetRecord> Fleet() const;
  // Runs after that has changed, on the loop of Start; once it runs, that is as Fleet says or
  // later. On that loop.
  void set_on_fleet(std::function<void()> on_fleet) { on_fleet_ = std::move(on_fleet); }
  // See FleetChange. `done` runs on the loop of Start. There.
  void ProposePlan(WantedPlan wanted, FleetChange::Done done);
  void Agree(uint64_t version);
  void Serve(uint64_t version, uint64_t route);
  // The operator's word; any thread.
  void SetDraining(bool draining);
  // Likewise: balance does not wait until nobody has come or gone for a while.
  void Balance();
  // Likewise: see Registers::ChangeServers.
  void ChangeServers(bool add, const std::string& server);
  // Somebody else seems to own a shard by now; any thread.
  void LookSoon();
  // Any thread.
  FleetStatus Status() const;

 private:
  class Core;
  class Front;
  class Home;
  explicit UvFleetCoordinator(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
  std::unique_ptr<Home> home_;  // the way back to the loop of Start
  std::function<void()> on_fleet_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_FLEET_COORDINATOR_H_
