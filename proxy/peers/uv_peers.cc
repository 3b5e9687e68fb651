#include "proxy/peers/uv_peers.h"

#include <algorithm>
#include <utility>

namespace gemel {

UvPeers::UvPeers(Options options)
    : options_(std::move(options)),
      base_{options_.fleet,  options_.member,      options_.secret,          options_.streams,
            options_.chunks, options_.keepalive_s, [this] { dirty_ = true; }},
      seats_(options_.dispatcher->worker(), options_.dispatcher->workers()),
      lines_(LinesWorld()) {
  OnPool(&options_.dispatcher->pool());
}

UvPeers::~UvPeers() = default;

PeerLines::World UvPeers::LinesWorld() {
  PeerLines::World world;
  world.roads = this;
  world.owner = options_.owner;
  world.trouble = options_.trouble;
  world.come_home = options_.come_home;
  world.want_flush = [this] { dirty_ = true; };
  world.now_ms = [this] { return base_.NowMs(); };
  world.workers = options_.dispatcher->workers();
  world.on_messages = options_.on_messages;
  world.tracking = options_.tracking;
  if (options_.listens) {
    world.on_anew = options_.on_anew;
    world.listens = options_.listens;
  }
  if (FunctionStore* functions = options_.functions; functions != nullptr) {
    world.libraries = [functions] { return functions->Shared(); };
  }
  world.wait_ms = options_.wait_ms;
  return world;
}

void UvPeers::Note(const std::string& text) {
  if (options_.note) options_.note(text);
}

void UvPeers::Submit(Request* request) { lines_.Submit(request); }

// Of other workers' shards nothing comes here.
void UvPeers::OnPool(const Pool* pool) {
  std::vector<std::string> names = pool->NamesBySlot();
  for (const PoolShard& shard : pool->shards()) {
    if (shard.owner != options_.dispatcher->worker()) names[shard.slot].clear();
  }
  lines_.SetNames(std::move(names), pool->route());
}

PeerLink* UvPeers::LinkTo(const PeerOwner& owner) {
  std::unique_ptr<UvPeerLink>& link = links_[owner.member];
  if (link == nullptr) {
    UvPeerLink::Calls calls{.host = &lines_,
                            .gone = options_.gone,
                            .on_change =
                                [this] {
                                  FindUp();
                                  lines_.OnRoad();
                                },
                            .on_room = [this] { lines_.OnRoom(); }};
    link = std::make_unique<UvPeerLink>(&base_, owner.member, owner.address, std::move(calls));
  }
  link->Want(owner.address);
  return link->link();
}

PeerLink* UvPeers::Find(const PeerOwner& owner) const {
  const auto link = links_.find(owner.member);
  return link != links_.end() ? link->second->link() : nullptr;
}

std::string UvPeers::TroubleWith(const PeerOwner& owner) const {
  const auto link = links_.find(owner.member);
  return link != links_.end() ? link->second->trouble() : std::string();
}

void UvPeers::GiveUp(PeerLink* link) {
  for (const auto& [member, peer] : links_) {
    if (peer->link() != link) continue;
    peer->Close("it has not said for " + std::to_string(PeerLink::kMissedMs) +
                " ms that it lives, and another member has its shards");
    return;
  }
}

void UvPeers::FindUp() {
  up_.clear();
  for (const auto& [member, link] : links_) {
    if (link->link() != nullptr) up_.push_back(link->link());
  }
}

void UvPeers::Accept(UniqueFd socket, bool unix_socket, bool tls) {
  if (stopped_) return;
  // Who comes may be a member; of those that say nothing the one that came first has to go.
  const auto shaking = [](const auto& guest) { return guest->shaking(); };
  if (static_cast<size_t>(std::count_if(guests_.begin(), guests_.end(), shaking)) >=
      kMostStrangers) {
    (*std::find_if(guests_.begin(), guests_.end(), shaking))
        ->Close("too many connections have not said who they are");
  }
  PeerGuest::World world;
  world.dispatcher = options_.dispatcher;
  world.chunks = options_.chunks;
  world.gone = options_.gone;
  world.next_session = options_.next_session;
  world.want_flush = [this] { dirty_ = true; };
  world.submit = options_.submit;
  world.seats = &seats_;
  if (FunctionStore* functions = options_.functions; functions != nullptr) {
    world.on_libraries = [functions](std::string_view shared) { functions->Merge(shared); };
  }
  guests_.push_back(std::make_unique<UvPeerGuest>(&base_, std::move(world)));
  if (!guests_.back()->Accept(std::move(socket), unix_socket, tls)) guests_.pop_back();
}

void UvPeers::Flush() {
  dirty_ = false;
  lines_.Flush();
  for (const auto& [member, link] : links_) link->Flush();
  for (const auto& guest : guests_) guest->Flush();
  if (lines_.dirty()) dirty_ = true;
  Reap();
}

void UvPeers::Reap() {
  std::erase_if(guests_, [this](const auto& guest) {
    if (!guest->Finished()) return false;
    const std::string member = guest->member();
    if (member.empty()) {
      Note("a connection to the port for other members was refused: " + guest->error());
    } else {
      Note("the connection from the member '" + member + "' has ended: " + guest->error());
    }
    return true;
  });
}

void UvPeers::Tick(uint64_t now_ms) {
  for (const auto& [member, link] : links_) link->Tick(now_ms);
  for (const auto& guest : guests_) guest->Tick(now_ms);
  lines_.Tick();
  std::erase_if(links_, [&](const auto& entry) {
    if (!entry.second->Idle(now_ms)) return false;
    entry.second->Close("nothing is asked of it");
    return true;
  });
  FindUp();
  Reap();
}

size_t UvPeers::guests() const {
  return static_cast<size_t>(std::count_if(guests_.begin(), guests_.end(), [](const auto& guest) {
    return !guest->ended() && !guest->shaking();
  }));
}

size_t UvPeers::counted() const {
  size_t counted = 0;
  for (const auto& guest : guests_) counted += guest->counted();
  return counted;
}

void UvPeers::Stop() {
  stopped_ = true;
  for (const auto& [member, link] : links_) link->Close("gemel stops");
  up_.clear();
  for (const auto& guest : guests_) guest->Close("gemel stops");
  lines_.Stop();
  Reap();
}

}  // namespace gemel
