#include "proxy/worker/uv_owned_shard.h"

#include <utility>

namespace gemel {

UvOwnedShard::UvOwnedShard(const World& world, const CommandTable* table, uint32_t slot,
                           const PoolConfig& pool, const ShardConfig& config, const ShardInfo& info,
                           std::shared_ptr<const RingHistory> rings)
    : world_(world), slot_(slot), control_(std::make_unique<HiredisControl>(world.loop)) {
  const ServedShard::World served{
      world.chunks,      world.env,    control_.get(), this, world.resyncs,
      world.after_crash, world.others, world.newcomer, {},   world.turn};
  served_ = std::make_unique<ServedShard>(served, table, pool, config, info, std::move(rings));
}

UvOwnedShard::~UvOwnedShard() { served_.reset(); }

HiredisNode UvOwnedShard::Reached(uint32_t copy, const LinkOptions& node) const {
  std::string error;
  return {*ParseAddress(node.name, &error), node.user,        node.password, node.database,
          places_[copy].addresses,          node.client_name, node.others};
}

void UvOwnedShard::Open(uint32_t copy, const LinkOptions& node,
                        const ServedShard::CopyLinks& links) {
  if (places_.size() <= copy) places_.resize(copy + 1);
  Place& place = places_[copy];
  place.addresses = std::make_shared<NodeAddresses>();
  const HiredisNode reached = Reached(copy, node);
  place.link = std::make_unique<UvLink>(world_.links, links.main, reached.address, place.addresses);
  links.main->set_transport(place.link.get());
  for (auto [transport, link] : {std::pair(&place.side, links.side),
                                 {&place.feed, links.feed},
                                 {&place.channels, links.channels}}) {
    *transport = std::make_unique<UvLink>(world_.links, link, reached.address, place.addresses,
                                          /*leads=*/false);
    link->set_transport(transport->get());
  }
  control_->SetNode(copy, reached);
  place.host = std::make_unique<UvHostWatch>(
      world_.loop, reached.address, [link = place.link.get()] { return link->peer(); },
      [this, copy](const std::string& now) { served_->OnMoved(copy, now); });
  place.link->set_on_connected([this, copy](bool moved) {
    if (moved) served_->OnLinkMoved(copy);
    // It may have been made while the name was still looked up.
    places_[copy].host->LookAtKnown();
  });
}

void UvOwnedShard::Close(uint32_t copy, const std::vector<std::vector<std::string>>& last) {
  control_->Remove(copy, last);
  Place& place = places_[copy];
  place.host.reset();
  place.link.reset();
  place.side.reset();
  place.feed.reset();
  place.channels.reset();
}

void UvOwnedShard::CloseAll() {
  for (Place& place : places_) place.host.reset();
  for (Place& place : places_) place.probe.reset();
  control_.reset();
  places_.clear();
}

void UvOwnedShard::SetControl(uint32_t copy, const LinkOptions& node, bool anew) {
  if (anew) control_->Remove(copy);
  control_->SetNode(copy, Reached(copy, node));
}

void UvOwnedShard::StartProbe(uint32_t copy, const LinkOptions& node, const HealthConfig& health,
                              uint32_t random) {
  HiredisNode probed = Reached(copy, node);
  probed.others = nullptr;  // it changes nothing there
  places_[copy].probe = std::make_unique<HiredisProbe>(
      world_.loop, std::move(probed), health,
      [this, copy](ProbeOutcome probe, uint64_t began_ms) {
        shard()->nodes().OnProbe(copy, probe, began_ms);
      },
      [env = world_.env](NoteLevel level, const std::string& text) { env->Note(level, text); });
  places_[copy].probe->Start(random);
}

void UvOwnedShard::SetProbe(uint32_t copy, const HealthConfig& health, uint32_t random) {
  places_[copy].probe->SetHealth(health, random);
}

void UvOwnedShard::ProbeNow(uint32_t copy) { places_[copy].probe->ProbeNow(); }

// It reports no more once it is gone.
void UvOwnedShard::StopProbe(uint32_t copy) { places_[copy].probe.reset(); }

void UvOwnedShard::LookAtHosts() {
  for (Place& place : places_) {
    if (place.host != nullptr) place.host->Look();
  }
}

}  // namespace gemel
