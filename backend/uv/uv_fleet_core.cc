#include "backend/uv/uv_fleet_core.h"

#include <condition_variable>

#include "backend/files/posix_random_hex.h"
#include "backend/uv/uv_boot_clock.h"
#include "backend/uv/uv_timer.h"

namespace gemel {

namespace {

constexpr uint64_t kTickMs = 10;
constexpr uint64_t kStatusMs = 50;
constexpr uint64_t kRetryMs = 200;

}  // namespace

UvFleetCoordinator::Core::~Core() { Stop(); }

bool UvFleetCoordinator::Core::Open(std::string* error) {
  thread_ = std::thread([this] { Run(); });
  // A start may wait for as long as the registers may.
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (opened_) break;
    }
    uv_sleep(2);
  }
  *error = open_error_;
  return open_error_.empty();
}

void UvFleetCoordinator::Core::Stop() {
  if (!thread_.joinable()) return;
  Post([this] { stop_ = true; });
  thread_.join();
}

bool UvFleetCoordinator::Core::Post(Task task) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  tasks_.push_back(std::move(task));
  if (wake_ != nullptr) uv_async_send(wake_);
  return true;
}

void UvFleetCoordinator::Core::Opened(const std::string& error) {
  const std::lock_guard lock(mutex_);
  open_error_ = error;
  opened_ = true;
}

void UvFleetCoordinator::Core::Run() {
  uv_loop_init(&loop_);
  uv_async_t wake;
  loop_.data = nullptr;
  uv_async_init(&loop_, &wake, [](uv_async_t*) {});
  uv_check_t check;
  uv_check_init(&loop_, &check);
  check.data = this;
  uv_check_start(&check, [](uv_check_t* each) { static_cast<Core*>(each->data)->Turn(); });
  {
    const std::lock_guard lock(mutex_);
    wake_ = &wake;
  }
  {
    UvTimer tick(&loop_, [&tick] { tick.Set(kTickMs); });
    tick.Set(kTickMs);
    std::string error;
    if (!Read(&error)) {
      Opened(error);
    } else {
      Opened({});
      while (!stop_) uv_run(&loop_, UV_RUN_ONCE);
    }
    lease_.Set(0);
    member_.reset();
    registers_.reset();
    results_.clear();
    left_ = on_fleet_ = nullptr;
  }
  std::vector<Task> dropped;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    wake_ = nullptr;
    leases_.clear();
    watching_.clear();
    listening_.clear();
    dropped.swap(tasks_);
  }
  dropped.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&wake), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&check), nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

std::optional<FleetRecord> UvFleetCoordinator::Core::Found(std::string* error) {
  const uint64_t end_ms = BootMs() + options_.patience_ms;
  for (;;) {
    std::optional<FleetRecord> fleet;
    bool answered = false;
    bool final = false;
    FleetFounder founder(
        registers_.get(), options_.founding,
        [&](const std::optional<FleetRecord>& found, const std::string& why, bool is_final) {
          fleet = found;
          *error = why;
          final = is_final;
          answered = true;
        });
    founder.Begin();
    while (!answered && !stop_) uv_run(&loop_, UV_RUN_ONCE);
    if (fleet || final || stop_) return fleet;
    if (BootMs() >= end_ms) return std::nullopt;
    const uint64_t retry_ms = BootMs() + kRetryMs;
    while (BootMs() < retry_ms && !stop_) uv_run(&loop_, UV_RUN_ONCE);
  }
}

// Reaches the registers, and looks until the fleet's shards are known.
bool UvFleetCoordinator::Core::Read(std::string* error) {
  registers_ = options_.open(&loop_, error);
  if (registers_ == nullptr) return false;
  place_ = registers_->place();
  const std::optional<FleetRecord> fleet = Found(error);
  if (!fleet) return false;
  fleet_id_ = fleet->id;
  if (const std::string why = WhyNotOfFleet(*fleet, options_.founding.plan); !why.empty()) {
    *error = "this file does not fit the fleet that " + place_ + " knows: " + why +
             "; a member needs the [[shard]] tables and the [ring] that the others have, or had";
    return false;
  }
  std::optional<RegisterOutcome> read;
  FleetView view;
  const uint64_t end_ms = BootMs() + options_.patience_ms;
  while (view.topology()->shards.empty() && BootMs() < end_ms && !stop_) {
    read.reset();
    registers_->List("", [&](RegisterOutcome outcome, const std::vector<NamedRegister>& all) {
      read = outcome;
      if (outcome == RegisterOutcome::kDone) view.OnList(all, 1, 1, error);
    });
    while (!read && !stop_) uv_run(&loop_, UV_RUN_ONCE);
  }
  if (view.topology()->shards.empty() && error->empty()) *error = place_ + " cannot be reached";
  if (!error->empty()) return false;
  const std::lock_guard lock(mutex_);
  current_ = view.topology();
  fleet_ = std::make_shared<const FleetRecord>(*view.fleet());
  return true;
}

void UvFleetCoordinator::Core::Join() {
  Post([this] {
    member_ = std::make_unique<FleetMember>(
        registers_.get(), options_.life,
        FleetMember::Hooks{BootMs, [] { return RandomHex(16); }, [this] { changed_ = true; },
                           options_.note});
    const std::shared_ptr<const FleetRecord> fleet = Fleet();
    member_->change().Serve(fleet->plan.version, fleet->plan.route);
    Follow(fleet->plan);
    registers_->set_on_change([this] { member_->LookSoon(); });
  });
}

void UvFleetCoordinator::Core::TakeTasks() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) task();
}

void UvFleetCoordinator::Core::Turn() {
  TakeTasks();
  if (member_ == nullptr) return;
  member_->Tick();
  CheckLeft();
  const News news = Publish();
  for (const Task& result : std::exchange(results_, {})) result();
  Tell(news);
}

UvFleetCoordinator::Core::News UvFleetCoordinator::Core::Publish() {
  const std::shared_ptr<const Topology>& topology = member_->view().topology();
  News news;
  if (topology->shards.empty()) return news;
  lease_.Set(member_->life().until_ms());
  if (const uint64_t now_ms = BootMs(); changed_ || now_ms >= status_due_ms_) {
    status_due_ms_ = now_ms + kStatusMs;
    FleetStatus status = MakeStatus();
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  if (!std::exchange(changed_, false)) return news;
  std::map<std::string, ShardLease, std::less<>> leases = member_->Leases();
  for (auto& [name, lease] : leases) lease.until_ms = 0;  // see lease_
  const std::lock_guard lock(mutex_);
  if (const uint64_t version = member_->view().fleet_version(); fleet_version_ != version) {
    fleet_version_ = version;
    news.fleet = *fleet_ != *member_->view().fleet();
    if (news.fleet) fleet_ = std::make_shared<const FleetRecord>(*member_->view().fleet());
  }
  news.snapshot = current_ != topology;
  // Its numbers count anew: only what differs is a change.
  current_ = topology;
  for (const auto& [name, value] : member_->view().texts()) {
    if (RegisterValue& known = texts_[name]; known.version != value.version) known = value;
  }
  const uint64_t lost = lease_.lost();
  news.leases = leases != leases_ || lost != told_lost_;
  if (!news.leases) return news;
  leases_ = std::move(leases);
  told_lost_ = lost;
  return news;
}

void UvFleetCoordinator::Core::Tell(const News& news) {
  if (news.fleet) Follow(Fleet()->plan);
  if (news.fleet && on_fleet_) on_fleet_();
  if (!news.leases && !news.snapshot) return;
  std::vector<Watching> watching;
  std::vector<Listening> listening;
  std::shared_ptr<const Topology> topology;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(watching_, [](const Watching& each) { return each.watchers.expired(); });
    std::erase_if(listening_, [](const Listening& each) { return each.on_leases.expired(); });
    if (news.snapshot) watching = watching_;
    if (news.leases) listening = listening_;
    topology = current_;
  }
  for (const Watching& each : watching) {
    (*each.post_back)([watchers = each.watchers, topology] {
      if (const auto told = watchers.lock()) told->Tell(topology);
    });
  }
  for (const Listening& each : listening) {
    (*each.post_back)([on_leases = each.on_leases] {
      if (const auto told = on_leases.lock()) (*told)();
    });
  }
}

FleetStatus UvFleetCoordinator::Core::MakeStatus() const {
  const FleetView& view = member_->view();
  const uint64_t now_ms = BootMs();
  FleetStatus status;
  status.id = fleet_id_;
  status.self = member_->name();
  status.place = place_;
  status.trouble = registers_->trouble();
  status.engine = registers_->Status();
  status.lease_ms = options_.life.lease_ms;
  const uint64_t until_ms = member_->life().until_ms();
  status.left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
  status.listed_ms = view.listed_ms();
  for (const auto& [name, member] : view.members()) {
    FleetStatus::Member& one = status.members.emplace_back();
    one.name = name;
    one.life = member.life;
    one.silent_ms = member.seen_ms;
  }
  status.version = view.fleet()->plan.version;
  status.next_version = view.fleet()->next ? view.fleet()->next->version : 0;
  std::map<std::string_view, FleetStatus::Member*> owners;
  for (FleetStatus::Member& member : status.members) owners.emplace(member.name, &member);
  for (const auto& [name, shard] : view.shards()) {
    if (!shard.planned && !member_->life().Owns(shard.record)) continue;
    FleetStatus::Shard& one = status.shards.emplace_back();
    one.name = name;
    one.lease = member_->LeaseOf(name);
    one.next = shard.record.next;
    one.epoch = shard.record.info.epoch;
    const auto owner = owners.find(one.lease.owner);
    if (owner != owners.end()) ++owner->second->shards;
  }
  return status;
}

std::string UvFleetCoordinator::Core::Trouble() const {
  if (BootMs() < until_ms()) return {};
  const std::lock_guard lock(mutex_);
  if (status_.trouble.empty()) return "this member has no lease from " + place_;
  return place_ + " cannot be reached: " + status_.trouble;
}

FleetStatus UvFleetCoordinator::Core::Status() const {
  FleetStatus status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
  }
  // Times of the clock become ages.
  const uint64_t now_ms = BootMs();
  const auto age = [now_ms](uint64_t at_ms) { return now_ms > at_ms ? now_ms - at_ms : 0; };
  const uint64_t until_ms = lease_.until_ms();
  status.left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
  status.listed_ms = age(status.listed_ms);
  for (FleetStatus::Member& member : status.members) member.silent_ms = age(member.silent_ms);
  return status;
}

std::string UvFleetCoordinator::Core::Shared(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto known = texts_.find(std::string(kTextPrefix) + name);
  return known == texts_.end() ? std::string() : known->second.text;
}

std::shared_ptr<const FleetRecord> UvFleetCoordinator::Core::Fleet() const {
  const std::lock_guard lock(mutex_);
  return fleet_;
}

void UvFleetCoordinator::Core::set_on_fleet(Task on_fleet) {
  Post([this, on_fleet = std::move(on_fleet)]() mutable { on_fleet_ = std::move(on_fleet); });
}

void UvFleetCoordinator::Core::ProposePlan(WantedPlan wanted, FleetChange::Done done) {
  WithMember([this, wanted = std::move(wanted), done](FleetMember* member) {
    member->change().Propose(wanted, [this, done](const std::string& error, uint64_t version) {
      changed_ = true;
      results_.push_back([done, error, version] { done(error, version); });
    });
  });
}

void UvFleetCoordinator::Core::Propose(Edit edit, EditDone done) {
  const auto refuse = [this, done] { done({false, std::string(kCoordinatorClosed), current()}); };
  const bool posted = Post([this, refuse, edit = std::move(edit), done] {
    if (member_ == nullptr) return refuse();
    member_->Propose(edit, [this, done](const EditResult& result) {
      results_.push_back([done, result] { done(result); });
    });
  });
  if (!posted) refuse();
}

void UvFleetCoordinator::Core::Close(bool clean, EditDone done) {
  const auto ended = [this, done] { done({false, std::string(kCoordinatorClosed), current()}); };
  const bool posted = Post([this, ended, clean, done] {
    if (member_ == nullptr) return ended();
    member_->Close(clean, [this, done](const EditResult& result) {
      results_.push_back([done, result] { done(result); });
    });
  });
  if (!posted) ended();
}

void UvFleetCoordinator::Core::Leave(Task done) {
  const bool posted = Post([this, done] {
    if (member_ == nullptr) return done();
    left_ = done;
    left_ms_ = BootMs();
    member_->SetDraining(true);
  });
  if (!posted) done();
}

// Nobody else may have them: then it keeps them to the end. Else the others have to hear of the new
// owners first, which takes them one look: what they send until then is still answered here.
void UvFleetCoordinator::Core::CheckLeft() {
  if (!left_) return;
  bool others = false;
  for (const auto& [name, member] : member_->view().members()) {
    others |= name != member_->name() && !member.life.ended && !member.life.witness &&
              !member.life.draining;
  }
  const uint64_t now_ms = BootMs();
  if (others && member_->owns_any()) left_ms_ = now_ms;
  if (others && now_ms < left_ms_ + uint64_t{options_.life.lease_ms} * 2 / 5) return;
  std::exchange(left_, nullptr)();
}

void UvFleetCoordinator::Core::WithMember(std::function<void(FleetMember*)> act) {
  Post([this, act = std::move(act)] {
    if (member_ != nullptr) act(member_.get());
  });
}

void UvFleetCoordinator::Core::ChangeServers(bool add, const std::string& server) {
  Post([this, add, server] {
    if (member_ != nullptr) registers_->ChangeServers(add, server);
  });
}

bool UvFleetCoordinator::Core::Release(const std::string& node, ReleaseDone done) {
  if (!options_.on_nodes) return false;
  const auto unreached = [done] { done({false, false, "this process ends"}); };
  const bool posted = Post([this, node, unreached, done] {
    if (member_ == nullptr) return unreached();
    if (!registers_->Release(node, done)) done({true, false, {}});
  });
  if (!posted) unreached();
  return true;
}

void UvFleetCoordinator::Core::Follow(const FleetPlan& plan) {
  if (options_.keepers) registers_->Follow(plan.version, options_.keepers(plan));
}

std::shared_ptr<const Topology> UvFleetCoordinator::Core::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

ShardLease UvFleetCoordinator::Core::LeaseOf(std::string_view shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(shard);
  return found == leases_.end() ? ShardLease() : found->second;
}

uint64_t UvFleetCoordinator::Core::told_lost() const {
  const std::lock_guard lock(mutex_);
  return told_lost_;
}

void UvFleetCoordinator::Core::Watch(const std::shared_ptr<FrontWatchers>& watchers,
                                     std::shared_ptr<const PostBack> post_back) {
  const std::lock_guard lock(mutex_);
  watching_.push_back({watchers, std::move(post_back)});
}

void UvFleetCoordinator::Core::OnLeases(const std::shared_ptr<const Task>& on_leases,
                                        std::shared_ptr<const PostBack> post_back) {
  const std::lock_guard lock(mutex_);
  listening_.push_back({on_leases, std::move(post_back)});
}

}  // namespace gemel
