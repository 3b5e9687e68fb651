#include "tests/fleet_sim/member_peers.h"

#include <algorithm>
#include <utility>

namespace gemel::fleet_sim {

namespace {

constexpr uint64_t kLeastBackoffMs = 10;
constexpr uint64_t kMostBackoffMs = 200;
constexpr uint64_t kConnectMs = 2000;

// What is queued, or a part of it: a socket does not always take all.
std::string TakeFrom(OutQueue* out, sim::Loop* loop) {
  std::string bytes;
  out->ForEach([&bytes](const char* data, size_t size) {
    bytes.append(data, size);
    return true;
  });
  if (bytes.size() > 1 && loop->Chance(5)) bytes.resize(loop->Between(1, bytes.size() - 1));
  out->Consume(bytes.size());
  return bytes;
}

}  // namespace

MemberPeers::MemberPeers(World world) : world_(std::move(world)), lines_(LinesWorld()) {
  const Pool& pool = world_.dispatcher->pool();
  lines_.SetNames(pool.NamesBySlot(), pool.route());
}

MemberPeers::~MemberPeers() {
  for (auto& [member, dialed] : dialed_) {
    if (dialed.connection != nullptr) dialed.to->wire.CloseByClient(dialed.connection);
  }
}

PeerLines::World MemberPeers::LinesWorld() {
  PeerLines::World world;
  world.roads = this;
  world.owner = world_.owner;
  world.come_home = [dispatcher = world_.dispatcher](Request* request) {
    return dispatcher->ComeHome(request);
  };
  world.want_flush = [this] { dirty_ = true; };
  world.now_ms = [this] { return NowMs(); };
  world.wait_ms = world_.wait_ms;
  return world;
}

PeerLink* MemberPeers::LinkTo(const PeerOwner& owner) {
  Dialed& dialed = dialed_[owner.member];
  if (dialed.connection == nullptr && NowMs() >= dialed.retry_ms) {
    dialed.to = world_.find(owner.address);
    if (dialed.to != nullptr) Dial(&dialed, owner.member);
  }
  return dialed.link.get();
}

PeerLink* MemberPeers::Find(const PeerOwner& owner) const {
  const auto found = dialed_.find(owner.member);
  return found != dialed_.end() ? found->second.link.get() : nullptr;
}

void MemberPeers::Dial(Dialed* dialed, const std::string& member) {
  dialed->begun_ms = NowMs();
  dialed->connection = std::make_shared<sim::Connection>();
  sim::Connection& connection = *dialed->connection;
  connection.name = world_.self->name;  // instead of a handshake
  connection.road = world_.road(dialed->to);
  const auto here = [this, dialed, of = std::weak_ptr<sim::Connection>(dialed->connection),
                     watch = alive_.watch()](std::function<void()> event) {
    if (watch.gone()) return;
    world_.worker->Receive([dialed, of, watch, event = std::move(event)] {
      if (!watch.gone() && dialed->connection != nullptr && dialed->connection == of.lock()) {
        event();
      }
    });
  };
  connection.connected = [this, here, dialed, member] {
    here([this, dialed, member] {
      dialed->backoff_ms = 0;
      dialed->link =
          std::make_unique<PeerLink>(member, &lines_, world_.chunks, world_.gone, NowMs());
      OnChange();
    });
  };
  connection.to_client = [this, here, dialed](std::string_view bytes) {
    here([this, dialed, bytes = std::string(bytes)] {
      if (!dialed->link->OnBytes(bytes, NowMs())) Close(dialed);
    });
  };
  connection.closed = [this, here, dialed](bool) { here([this, dialed] { Close(dialed); }); };
  dialed->to->wire.Connect(dialed->connection);
}

void MemberPeers::OnChange() {
  up_.clear();
  for (auto& [member, dialed] : dialed_) {
    if (dialed.link != nullptr) up_.push_back(dialed.link.get());
  }
  lines_.OnRoad();
}

void MemberPeers::Close(Dialed* dialed) {
  if (dialed->connection == nullptr) return;
  dialed->to->wire.CloseByClient(dialed->connection);
  dialed->connection->CloseClientEnd();
  dialed->connection = nullptr;
  dialed->backoff_ms = std::clamp(2 * dialed->backoff_ms, kLeastBackoffMs, kMostBackoffMs);
  dialed->retry_ms = NowMs() + dialed->backoff_ms;
  if (dialed->link == nullptr) return;
  // Nobody finds it any more while it gives back what it has.
  const std::unique_ptr<PeerLink> lost = std::move(dialed->link);
  OnChange();
  lost->Lost();
  dirty_ = true;
}

void MemberPeers::GiveUp(PeerLink* link) {
  for (auto& [member, dialed] : dialed_) {
    if (dialed.link.get() == link) return Close(&dialed);
  }
}

void MemberPeers::OnBytes(const sim::ConnectionPtr& connection) {
  const auto known = std::find_if(guests_.begin(), guests_.end(), [&](const auto& guest) {
    return guest->connection == connection;
  });
  Guest* guest = known != guests_.end() ? known->get() : nullptr;
  if (guest == nullptr) {
    guests_.push_back(std::make_unique<Guest>());
    guest = guests_.back().get();
    guest->connection = connection;
    PeerGuest::World world;
    world.dispatcher = world_.dispatcher;
    world.chunks = world_.chunks;
    world.gone = world_.gone;
    world.next_session = world_.next_session;
    world.want_flush = [this] { dirty_ = true; };
    guest->guest = std::make_unique<PeerGuest>(connection->name, std::move(world), NowMs());
  }
  if (guest->ended) return;
  const std::string bytes = std::exchange(connection->in, {});
  if (!guest->guest->OnBytes(bytes, NowMs())) CloseGuest(guest);
}

void MemberPeers::CloseGuest(Guest* guest) {
  if (std::exchange(guest->ended, true)) return;
  world_.self->wire.EndClient(std::to_string(guest->connection->id));
  guest->guest->Lost();
  dirty_ = true;
}

void MemberPeers::FlushLink(Dialed* dialed) {
  PeerLink* link = dialed->link.get();
  if (link == nullptr || link->out().empty()) return;
  std::string bytes = TakeFrom(&link->out(), world_.self->loop);
  link->OnTaken(bytes.size());
  dialed->to->wire.Send(dialed->connection, std::move(bytes));
  if (!link->out().empty()) world_.worker->Later(200, alive_.Guard([this] { dirty_ = true; }));
}

void MemberPeers::FlushGuest(Guest* guest) {
  if (guest->ended) return;
  if (!guest->guest->error().empty() || !guest->connection->node_open) return CloseGuest(guest);
  if (guest->guest->out().empty()) return;
  std::string bytes = TakeFrom(&guest->guest->out(), world_.self->loop);
  world_.self->wire.Reply(guest->connection, std::move(bytes));
  if (!guest->guest->out().empty()) {
    world_.worker->Later(200, alive_.Guard([this] { dirty_ = true; }));
  }
}

void MemberPeers::Flush() {
  while (dirty_) {
    dirty_ = false;
    lines_.Flush();
    for (auto& [member, dialed] : dialed_) FlushLink(&dialed);
    for (size_t i = 0; i < guests_.size(); ++i) FlushGuest(guests_[i].get());
    if (lines_.dirty()) dirty_ = true;
  }
  std::erase_if(guests_,
                [](const auto& guest) { return guest->ended && guest->guest->Finished(); });
}

void MemberPeers::Tick(uint64_t now_ms) {
  for (auto& [member, dialed] : dialed_) {
    if (dialed.link != nullptr) {
      if (!dialed.link->Tick(now_ms)) Close(&dialed);
    } else if (dialed.connection != nullptr && now_ms > dialed.begun_ms + kConnectMs) {
      Close(&dialed);
    }
  }
  for (size_t i = 0; i < guests_.size(); ++i) {
    Guest* guest = guests_[i].get();
    if (guest->ended) continue;
    if (!guest->connection->node_open || !guest->guest->Tick(now_ms)) CloseGuest(guest);
  }
  lines_.Tick();
  dirty_ = true;
}

}  // namespace gemel::fleet_sim
