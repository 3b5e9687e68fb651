// The part of a reload that a fleet has: what all members agree on, and when.

#include "proxy/fleet/planned_config.h"
#include "proxy/fleet/uv_fleet.h"
#include "proxy/server/uv_reload_job.h"

namespace gemel {

namespace {

// So long what clients have asked may take to come to its end.
constexpr uint64_t kHoldMs = 3000;
constexpr uint64_t kRefusedMs = 500;

}  // namespace

void UvReloader::SetFleet(UvFleet* fleet) {
  member_.fleet = fleet;
  member_.version = fleet->served();
  member_.fingerprint = fleet->file_fingerprint();
}

void UvReloader::OnFleet() {
  if (member_.fleet == nullptr || stopped_) return;
  if (running_ != nullptr) {
    if (running_->agreeing) CheckAgreed();
    return;
  }
  const std::shared_ptr<const FleetRecord> fleet = member_.fleet->Record();
  const uint64_t version = fleet->next ? fleet->next->version : fleet->plan.version;
  if (version == member_.version || version == member_.refused) return;
  ReloadOrder order;
  order.cause = "version " + std::to_string(version) + " of the fleet's shards";
  order.of_fleet = true;
  Submit(std::move(order), [this, version](const ReloadOutcome& outcome) {
    if (outcome.ok || stopped_) return;
    member_.refused = version;  // for a while
    again_->Set(kRefusedMs);
  });
}

// On the side thread. Whose file says nothing new goes by the plan, whatever that file says.
void UvReloader::PlanConfig(Job* job, Config* config) {
  const FleetRecord& fleet = *job->fleet;
  job->fingerprint = FingerprintOf(WantedOf(config->pool()));
  job->plan = job->order.of_fleet && fleet.next ? *fleet.next : fleet.plan;
  const bool other = !job->order.of_fleet && job->fingerprint != FingerprintOf(fleet.plan);
  job->proposes = other && (job->order.force || job->fingerprint != job->fingerprint_before);
  if (other && !job->proposes) {
    job->older = "the shards and the ring of the file are not those of the fleet (version " +
                 std::to_string(fleet.plan.version) +
                 "), which count: bring the file up to date, or say PROXY RELOAD FORCE to make the "
                 "file's the fleet's\n";
  }
  if (job->proposes || SetPlan(job->plan, config, &job->error)) return;
  job->error = config->file + ": " + job->error;
}

// What was removed and is not this member's is nobody's to wait for.
std::vector<LeavingShard> UvReloader::Leaving() const {
  std::vector<LeavingShard> leaving = steps_.leaving();
  if (member_.fleet != nullptr) {
    std::erase_if(leaving,
                  [this](const LeavingShard& one) { return !front_->LeaseOf(one.name).mine; });
  }
  return leaving;
}

void UvReloader::ProposePlan() {
  member_.fleet->ProposePlan(WantedOf(running_->next.config->pool()),
                             [this, job = running_](const std::string& error, uint64_t version) {
                               if (!error.empty()) {
                                 job->momentary = true;
                                 return steps_.OnProposed(error, false);
                               }
                               const std::shared_ptr<const FleetRecord> fleet =
                                   member_.fleet->Record();
                               const bool waits = fleet->next && fleet->next->version == version;
                               job->fleet = fleet;
                               job->plan = waits ? *fleet->next : fleet->plan;
                               job->pool->set_route(job->plan.route);
                               steps_.OnProposed({}, waits);
                             });
}

std::shared_ptr<const Topology> UvReloader::Planned() const {
  return std::make_shared<const Topology>(running_->plan.topology);
}

void UvReloader::HoldClients() {
  Job& job = *running_;
  job.holding = shared_->workers.size();
  job.all_held = true;
  for (const auto& worker : shared_->workers) {
    worker->Post([this, worker = worker.get(), held = running_] {
      worker->HoldClients(kHoldMs, [this, held](bool all) {
        shared_->workers[0]->Post([this, held, all] {
          held->all_held &= all;
          if (--held->holding == 0) steps_.OnHeld(held->all_held);
        });
      });
    });
  }
}

void UvReloader::LetClientsGo() {
  for (const auto& worker : shared_->workers) {
    worker->Post([worker = worker.get()] { worker->LetClientsGo(); });
  }
}

void UvReloader::AgreeOnPlan() {
  running_->agreeing = true;
  member_.fleet->Agree(running_->plan.version);
  CheckAgreed();
}

void UvReloader::CheckAgreed() {
  const uint64_t version = running_->plan.version;
  const std::shared_ptr<const FleetRecord> fleet = member_.fleet->Record();
  const bool waits = fleet->next && fleet->next->version == version;
  if (waits && fleet->plan.version < version) return;
  running_->agreeing = false;
  if (fleet->plan.version >= version) return steps_.OnAgreed({});
  running_->momentary = true;
  steps_.OnAgreed(
      "not all members of the fleet agreed to it in time (the log of one of them names "
      "those that did not)");
}

}  // namespace gemel
