// The process as a member of a fleet: how it reaches the others at the start, and how it leaves.

#ifndef GEMEL_PROXY_FLEET_UV_FLEET_H_
#define GEMEL_PROXY_FLEET_UV_FLEET_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/files/unique_fd.h"
#include "backend/uv/uv_fleet_coordinator.h"
#include "config/config.h"
#include "proxy/fleet/register_keepers.h"
#include "proxy/fleet/uv_shared_libraries.h"
#include "proxy/local/fleet_desk.h"
#include "proxy/worker/uv_worker.h"

namespace gemel {

// The main thread, but for what says otherwise.
class UvFleet : public FleetDesk {
 public:
  // Any thread.
  using Note = std::function<void(NoteLevel level, const std::string& text)>;

  // Reaches the fleet's registers, and founds it if nobody has, with `initial` (InitialTopology of
  // the config and of what was stored before this process was in a fleet). Blocks. Null and *error
  // (a sentence) if that fails. `config` is active().
  static std::unique_ptr<UvFleet> Open(const Config& config, const Topology& initial, Note note,
                                       std::string* error);
  UvFleet(const UvFleet&) = delete;
  UvFleet& operator=(const UvFleet&) = delete;

  // What the fleet serves takes the place of what the file says, in the config and in the topology;
  // a warning if it is something else. False and *error (a sentence) if it cannot. Once, before
  // Start.
  bool Follow(Config* config, gemel::Topology* topology, std::string* error);
  // The plan that was followed then, and what the file said (FingerprintOf).
  uint64_t served() const { return served_; }
  const std::string& file_fingerprint() const { return file_fingerprint_; }
  const FleetFacts& facts() const { return facts_; }
  // That config is in effect. Any thread.
  void Use(const Config& config) { keepers_->Use(config); }
  // Listens for other members; a socket for each worker. False and *error.
  bool Bind(uint32_t workers, std::string* error);
  // Of the worker, which has its coordinator's front. In the order of the workers.
  void Add(UvWorker* worker);

  // Its coordinator, which the caller owns from now on, on that loop; the fleet stays for Leave.
  std::unique_ptr<CoordinatorService> Start(uv_loop_t* loop);
  // As CoordinatorService's calls. Until its Close.
  void Leave(std::function<void()> done) { coordinator_->Leave(std::move(done)); }
  // Any thread, until the process ends.
  FleetStatus Status() const override { return coordinator_->Status(); }
  void SetDraining(bool draining) override { coordinator_->SetDraining(draining); }
  void Balance() override { coordinator_->Balance(); }
  void ChangeServers(bool add, const std::string& server) override {
    coordinator_->ChangeServers(add, server);
  }
  // What clients load at any member all have, until EndSharing. The store outlives that.
  void ShareLibraries(uv_loop_t* loop, FunctionStore* store, std::function<void()> on_change) {
    libraries_ =
        std::make_unique<UvSharedLibraries>(loop, coordinator_.get(), store, std::move(on_change));
  }
  void EndSharing() { libraries_.reset(); }
  void LookSoon() { coordinator_->LookSoon(); }

  // --- what the fleet serves (see FleetChange); on the loop of Start ---
  // Never null. Any thread.
  std::shared_ptr<const FleetRecord> Record() const { return coordinator_->Fleet(); }
  // Runs after that has changed.
  void set_on_fleet(std::function<void()> on_fleet) {
    coordinator_->set_on_fleet(std::move(on_fleet));
  }
  void ProposePlan(WantedPlan wanted, FleetChange::Done done) {
    coordinator_->ProposePlan(std::move(wanted), std::move(done));
  }
  void Agree(uint64_t version) { coordinator_->Agree(version); }
  void Serve(uint64_t version, uint64_t route) { coordinator_->Serve(version, route); }

 private:
  class Service;
  UvFleet(FleetFacts facts, Address listen, Note note,
          std::shared_ptr<UvFleetCoordinator> coordinator, std::shared_ptr<RegisterKeepers> keepers)
      : facts_(std::move(facts)),
        listen_(std::move(listen)),
        note_(std::move(note)),
        coordinator_(std::move(coordinator)),
        keepers_(std::move(keepers)) {}

  const FleetFacts facts_;
  const Address listen_;
  const Note note_;
  uint64_t served_ = 1;
  std::string file_fingerprint_;
  const std::shared_ptr<UvFleetCoordinator> coordinator_;
  const std::shared_ptr<RegisterKeepers> keepers_;
  std::vector<UniqueFd> sockets_;
  std::unique_ptr<UvSharedLibraries> libraries_;
};

// The file that says, in a state folder, that its shards' roles are kept by a fleet.
inline constexpr char kFleetMark[] = "fleet";
// Leaves the mark. False and *error (a sentence).
bool MarkStateFolder(const std::string& folder, const FleetConfig& fleet, std::string* error);
// Why a gemel that is alone must not begin with that folder, a sentence; empty if it may.
std::string WhyNotAlone(const std::string& folder);

}  // namespace gemel

#endif  // GEMEL_PROXY_FLEET_UV_FLEET_H_
