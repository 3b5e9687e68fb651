#include "proxy/fleet/uv_fleet.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "backend/engines/uv_engines.h"
#include "backend/files/posix_random_hex.h"
#include "backend/paxos/uv_paxos_registers.h"
#include "config/config_registers.h"
#include "proxy/fleet/planned_config.h"
#include "proxy/fleet/register_keepers.h"
#include "proxy/worker/uv_listener.h"

namespace gemel {

namespace {

constexpr std::string_view kPaxosCoordinator = "paxos";
constexpr std::string_view kRaftCoordinator = "raft";

// So that one server that hangs costs no lease.
uint32_t TimeLimitMs(const FleetConfig& fleet) {
  return std::max<uint32_t>(fleet.lease_ms / 2, 100);
}

EngineOptions EngineOf(const Config& config, const UvFleet::Note& note) {
  const FleetConfig& fleet = config.fleet;
  EngineOptions options;
  options.name = fleet.coordinator;
  options.fleet = fleet.name;
  options.servers = fleet.servers;
  options.prefix = fleet.prefix;
  options.user = fleet.user;
  options.password = fleet.password;
  options.time_limit_ms = TimeLimitMs(fleet);
  // The voters do once what is sent twice: a question outlives the leader that it was sent to.
  if (options.name == kRaftCoordinator) options.time_limit_ms = fleet.lease_ms * 3 / 4;
  options.member = fleet.member;
  options.secret = fleet.secret;
  options.members_tls = fleet.listen.tls;
  options.folder = (std::filesystem::path(config.state_dir) / "raft").string();
  if (!fleet.raft_listen.host.empty()) options.voter = fleet.raft_listen.ToString();
  options.on_warning = [note](const std::string& text) { note(NoteLevel::kWarn, text); };
  return options;
}

UvPaxosOptions PaxosOf(const Config& config, const FleetPlan& plan,
                       std::shared_ptr<const RegisterKeepers> keepers, const UvFleet::Note& note) {
  const FleetConfig& fleet = config.fleet;
  UvPaxosOptions options;
  options.fleet = fleet.name;
  options.time_limit_ms = TimeLimitMs(fleet);
  options.on_warning = [note](const std::string& text) { note(NoteLevel::kWarn, text); };
  options.follows = fleet.servers.empty();
  options.database = fleet.database;
  options.shared = NodesKeepRegisters(fleet, config.pool());
  options.nodes = options.follows ? KeepersOf(plan) : fleet.servers;
  options.node_of = [keepers = std::move(keepers)](const std::string& node) {
    return keepers->Find(node);
  };
  return options;
}

std::string MarkOf(const std::string& folder) {
  return (std::filesystem::path(folder) / kFleetMark).string();
}

}  // namespace

// What the server holds: the coordinator itself is shared with those who ask for its status.
class UvFleet::Service : public CoordinatorService {
 public:
  explicit Service(std::shared_ptr<UvFleetCoordinator> coordinator)
      : coordinator_(std::move(coordinator)) {}
  std::unique_ptr<Coordinator> FrontFor(PostBack post_back) override {
    return coordinator_->FrontFor(std::move(post_back));
  }
  std::shared_ptr<const Topology> current() const override { return coordinator_->current(); }
  void Close(bool clean, EditDone done) override { coordinator_->Close(clean, std::move(done)); }
  std::string place() const override { return coordinator_->place(); }

 private:
  const std::shared_ptr<UvFleetCoordinator> coordinator_;
};

std::unique_ptr<UvFleet> UvFleet::Open(const Config& config, const Topology& initial, Note note,
                                       std::string* error) {
  const FleetConfig& fleet = config.fleet;
  UvFleetCoordinator::Options options;
  options.life.name = fleet.member;
  options.life.address = (fleet.announce.host.empty() ? fleet.listen : fleet.announce).ToString();
  options.life.lease_ms = fleet.lease_ms;
  options.life.witness = fleet.witness;
  options.founding.id = RandomHex(24);
  options.founding.plan.topology = initial;
  options.founding.plan.databases = WantedOf(config.pool()).databases;
  auto keepers = std::make_shared<RegisterKeepers>(config);
  if (fleet.coordinator == kPaxosCoordinator) {
    const UvPaxosOptions paxos = PaxosOf(config, options.founding.plan, keepers, note);
    options.on_nodes = paxos.shared;
    if (paxos.follows) options.keepers = KeepersOf;
    options.open = [paxos](uv_loop_t* loop, std::string*) {
      return OpenPaxosRegisters(loop, paxos);
    };
    note(NoteLevel::kInfo, DescribeRegisters(config));
  } else {
    options.open = [engine = EngineOf(config, note)](uv_loop_t* loop, std::string* why) {
      return OpenRegisters(loop, engine, why);
    };
  }
  options.note = note;
  std::shared_ptr<UvFleetCoordinator> coordinator =
      UvFleetCoordinator::Open(std::move(options), error);
  if (coordinator == nullptr) {
    *error = config.file + ": [fleet]: " + *error;
    return nullptr;
  }
  FleetFacts facts{coordinator->fleet_id(), fleet.member, fleet.secret, fleet.lease_ms};
  return std::unique_ptr<UvFleet>(new UvFleet(std::move(facts), fleet.listen, std::move(note),
                                              std::move(coordinator), std::move(keepers)));
}

bool UvFleet::Follow(Config* config, gemel::Topology* topology, std::string* error) {
  const std::shared_ptr<const FleetRecord> record = Record();
  const FleetPlan& plan = record->plan;
  served_ = plan.version;
  file_fingerprint_ = FingerprintOf(WantedOf(config->pool()));
  if (file_fingerprint_ != FingerprintOf(plan)) {
    note_(NoteLevel::kWarn, "the shards and the ring of " + config->file +
                                " are not those that the fleet serves now (version " +
                                std::to_string(plan.version) +
                                "), which count: bring the file up to date");
  }
  *topology = *coordinator_->current();
  if (!SetPlan(plan, config, error)) return false;
  Use(*config);
  return true;
}

bool UvFleet::Bind(uint32_t workers, std::string* error) {
  sockets_ = BindListeners(listen_, workers, {}, error);
  return !sockets_.empty();
}

void UvFleet::Add(UvWorker* worker) {
  worker->JoinFleet(facts_);
  if (sockets_.empty()) return;
  worker->AddPeerListener(listen_, std::move(sockets_.back()));
  sockets_.pop_back();
}

std::unique_ptr<CoordinatorService> UvFleet::Start(uv_loop_t* loop) {
  coordinator_->Start(loop);
  return std::make_unique<Service>(coordinator_);
}

bool MarkStateFolder(const std::string& folder, const FleetConfig& fleet, std::string* error) {
  std::ofstream mark(MarkOf(folder), std::ios::trunc);
  mark << "member " << fleet.member << " of the fleet " << fleet.name << " (" << fleet.coordinator
       << ")\n";
  mark.close();
  if (mark) return true;
  *error = "cannot write " + MarkOf(folder);
  return false;
}

std::string WhyNotAlone(const std::string& folder) {
  std::ifstream mark(MarkOf(folder));
  if (!mark) return {};
  std::string who;
  std::getline(mark, who);
  return "the state folder " + folder + " is that of a " + who +
         ", which knows the roles of the shards since: begin with it ([fleet]), or, to have the "
         "primaries of this file believed, remove " +
         MarkOf(folder) + " and the topology.toml beside it";
}

}  // namespace gemel
