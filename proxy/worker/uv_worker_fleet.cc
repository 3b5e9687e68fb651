#include "proxy/worker/uv_worker_fleet.h"

#include <utility>

namespace gemel {

void UvWorkerFleet::Join(World world) { world_ = std::move(world); }

void UvWorkerFleet::Connect(const FleetFacts& facts, PeersWorld world) {
  peers_world_ = std::move(world);
  UvPeers::Options options;
  options.fleet = facts.id;
  options.member = facts.member;
  options.secret = facts.secret;
  options.streams = peers_world_.streams;
  options.chunks = peers_world_.chunks;
  options.dispatcher = peers_world_.dispatcher;
  options.gone = peers_world_.gone;
  options.next_session = peers_world_.next_session;
  options.owner = [coordinator = world_.coordinator](std::string_view shard) {
    const ShardLease lease = coordinator->LeaseOf(shard);
    return PeerOwner{lease.mine, lease.owner, lease.address, lease.epoch,
                     lease.mine || !lease.address.empty()};
  };
  options.trouble = [coordinator = world_.coordinator] { return coordinator->Trouble(); };
  options.come_home = [dispatcher = peers_world_.dispatcher](Request* request) {
    return dispatcher->ComeHome(request);
  };
  options.note = world_.note;
  options.on_messages = peers_world_.on_messages;
  options.tracking = peers_world_.tracking;
  options.on_anew = peers_world_.on_anew;
  options.listens = peers_world_.listens;
  options.functions = peers_world_.functions;
  peers_ = std::make_unique<UvPeers>(std::move(options));
  peers_world_.dispatcher->set_elsewhere(peers_.get());
}

void UvWorkerFleet::Listen(const Address& address, UniqueFd socket) {
  listener_ =
      std::make_unique<UvListener>(peers_world_.loop, std::move(socket), address.IsUnix(),
                                   [this, tls = address.tls](UniqueFd accepted, bool is_unix) {
                                     peers_->Accept(std::move(accepted), is_unix, tls);
                                   });
}

void UvWorkerFleet::StartListener() {
  std::string error;
  if (listener_ == nullptr || listener_->Start(&error)) return;
  world_.note("cannot accept connections of other members: " + error);
}

void UvWorkerFleet::OnPool() {
  if (peers_ != nullptr) peers_->OnPool(world_.serving().pool);
}

void UvWorkerFleet::Flush() {
  if (peers_ != nullptr) peers_->Flush();
}

void UvWorkerFleet::Stop() {
  listener_.reset();
  if (peers_ != nullptr) peers_->Stop();
}

void UvWorkerFleet::CheckLeases() {
  if (world_.shards->all().empty() || world_.boot_ms() < world_.coordinator->LeasesUntilMs()) {
    return;
  }
  lapsed_ = true;
  world_.note(
      "the leases of this member of the fleet have run out before they were renewed: its shards "
      "are "
      "given up until they are");
  world_.shards->CutAll();
}

void UvWorkerFleet::OnLeases() {
  if (!joined()) return;
  // What is not renewed in time nobody may serve: it is looked at again by each tick.
  lapsed_ = world_.boot_ms() >= world_.coordinator->LeasesUntilMs();
  if (lapsed_) {
    world_.shards->CutAll();
    if (peers_ != nullptr) peers_->OnOwners();
    return;
  }
  const Serving serving = world_.serving();
  world_.shards->OnLeases(*serving.pool, world_.coordinator, *world_.coordinator->current(),
                          serving.rings, world_.now_ms());
  if (peers_ != nullptr) peers_->OnOwners();
}

void UvWorkerFleet::Hold(PausedClients* pause, uint64_t until_ms,
                         std::function<void(bool all)> done) {
  held_ = pause;
  held_->Hold();
  held_until_ms_ = until_ms;
  on_held_ = std::move(done);
}

void UvWorkerFleet::LetGo() {
  on_held_ = nullptr;
  if (PausedClients* held = std::exchange(held_, nullptr)) held->LetGo();
}

void UvWorkerFleet::CheckHeld() {
  const size_t others = peers_ == nullptr ? 0 : peers_->counted();
  const bool all = peers_world_.dispatcher->pending() <= others;
  if (!all && world_.now_ms() < held_until_ms_) return;
  std::exchange(on_held_, nullptr)(all);
}

void UvWorkerFleet::Tick() {
  if (!joined()) return;
  if (on_held_) CheckHeld();
  const uint64_t now_ms = world_.now_ms();
  if (peers_ != nullptr && now_ms >= peers_ticked_ms_ + kPeerTickMs) {
    peers_ticked_ms_ = now_ms;
    peers_->Tick(now_ms);
  }
  const bool gone = world_.shards->HandOver(world_.coordinator, world_.now_ms());
  const bool back = lapsed_ && world_.boot_ms() < world_.coordinator->LeasesUntilMs();
  // One may have gone whose lease is not to leave any more.
  if (gone || back) OnLeases();
}

}  // namespace gemel
