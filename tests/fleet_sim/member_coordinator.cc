#include "tests/fleet_sim/member_coordinator.h"

#include <algorithm>

namespace gemel::fleet_sim {

namespace {

constexpr uint64_t kCoreTickUs = 10000;
constexpr uint64_t kRetryUs = 200000;

}  // namespace

MemberCoordinator::MemberCoordinator(World world, OwnLife::Options life, FleetRecord founding)
    : world_(std::move(world)), life_(std::move(life)), founding_(std::move(founding)) {
  world_.core->SetEach(nullptr, [this] { Turn(); });
}

void MemberCoordinator::Start(std::function<void()> joined) {
  joined_ = std::move(joined);
  Found();
  Tick();
}

void MemberCoordinator::Found() {
  founder_ = std::make_unique<FleetFounder>(
      world_.registers, founding_,
      [this](const std::optional<FleetRecord>& found, const std::string&, bool) {
        if (!found) {
          world_.core->Later(kRetryUs, [this] { Found(); });
          return;
        }
        fleet_id_ = found->id;
        member_ = std::make_unique<FleetMember>(
            world_.registers, life_,
            FleetMember::Hooks{world_.clock, world_.random_id, [this] { changed_ = true; },
                               [this](NoteLevel, const std::string& text) { world_.note(text); }});
        world_.registers->set_on_change([this] { member_->LookSoon(); });
        PostBack([this] { joined_(); });
      });
  founder_->Begin();
}

void MemberCoordinator::Tick() {
  world_.core->Later(kCoreTickUs, [this] { Tick(); });
}

void MemberCoordinator::Turn() {
  if (member_ == nullptr) return;
  member_->Tick();
  const auto [leases, snapshot] = Publish();
  for (const Task& result : std::exchange(results_, {})) result();
  Tell(leases, snapshot);
}

std::pair<bool, bool> MemberCoordinator::Publish() {
  const std::shared_ptr<const Topology>& topology = member_->view().topology();
  if (topology->shards.empty()) return {false, false};
  lease_.Set(member_->life().until_ms());
  if (!std::exchange(changed_, false)) return {false, false};
  std::map<std::string, ShardLease, std::less<>> leases = member_->Leases();
  for (auto& [name, lease] : leases) lease.until_ms = 0;
  const bool snapshot = current_ != topology;
  current_ = topology;
  if (leases == leases_ && lease_.lost() == told_lost_) return {false, snapshot};
  told_lost_ = lease_.lost();
  leases_ = std::move(leases);
  return {true, snapshot};
}

void MemberCoordinator::Tell(bool leases, bool snapshot) {
  if (snapshot) {
    PostBack([this, topology = current_] {
      if (watcher_) watcher_(topology);
    });
  }
  if (leases) {
    PostBack([this] {
      known_lost_ = told_lost_;
      if (on_leases_) on_leases_();
    });
  }
}

void MemberCoordinator::PostBack(Task task) {
  last_back_us_ = std::max(last_back_us_, world_.loop->now_us() + world_.loop->Between(1, 200));
  world_.loop->At(last_back_us_,
                  alive_.Guard([this, task = std::move(task)] { world_.worker->Receive(task); }));
}

void MemberCoordinator::Post(Task task) {
  last_post_us_ = std::max(last_post_us_, world_.loop->now_us() + world_.loop->Between(1, 200));
  world_.loop->At(last_post_us_,
                  alive_.Guard([this, task = std::move(task)] { world_.core->Receive(task); }));
}

void MemberCoordinator::WithMember(std::function<void(FleetMember*)> act) {
  Post([this, act = std::move(act)] {
    if (member_ != nullptr) act(member_.get());
  });
}

void MemberCoordinator::Propose(Edit edit, EditDone done) {
  Post([this, edit = std::move(edit), done = std::move(done)] {
    member_->Propose(edit, [this, done](const EditResult& result) {
      results_.push_back([this, done, result] { PostBack([done, result] { done(result); }); });
    });
  });
}

uint64_t MemberCoordinator::Watch(Watcher watcher) {
  watcher_ = std::move(watcher);
  return 1;
}

ShardLease MemberCoordinator::LeaseOf(std::string_view shard) const {
  const auto found = leases_.find(shard);
  return found == leases_.end() ? ShardLease() : found->second;
}

void MemberCoordinator::Give(const std::string& shard, uint64_t epoch, bool clean) {
  WithMember([shard, epoch, clean](FleetMember* member) { member->Give(shard, epoch, clean); });
}

}  // namespace gemel::fleet_sim
