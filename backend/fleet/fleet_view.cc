#include "backend/fleet/fleet_view.h"

#include <utility>

namespace gemel {

FleetView::FleetView() : topology_(std::make_shared<const Topology>()) {}

void FleetView::OnList(const std::vector<NamedRegister>& all, uint64_t asked_ms, uint64_t now_ms,
                       std::string* error) {
  listing_ = true;
  // The shards of the fleet's record come first.
  for (const bool fleet : {true, false}) {
    for (const NamedRegister& one : all) {
      if ((one.name == kFleetRegister) == fleet) OnText(one.name, one.value, now_ms, error);
    }
  }
  listing_ = false;
  if (std::exchange(assembling_, false)) Assemble();
  if (asked_ms > listed_ms_) listed_ms_ = asked_ms;
}

bool FleetView::OnText(const std::string& name, const RegisterValue& value, uint64_t now_ms,
                       std::string* error) {
  const std::string_view text = value.text;
  std::string why;
  if (value.version == 0) return true;
  if (name == kFleetRegister) {
    if (value.version <= fleet_version_) return true;
    if (std::optional<FleetRecord> fleet = DecodeFleet(text, &why)) {
      fleet_version_ = value.version;
      SetFleet(*std::move(fleet));
      return true;
    }
  } else if (name.starts_with(kLifePrefix)) {
    const std::string member = name.substr(kLifePrefix.size());
    const Member* known = FindMember(member);
    if (known != nullptr && known->version >= value.version) return true;
    if (const std::optional<LifeRecord> life = DecodeLife(text, &why)) {
      OnLife(member, *life, value.version, now_ms);
      return true;
    }
  } else if (name.starts_with(kShardPrefix)) {
    const auto known = shards_by_register_.find(name);
    if (known != shards_by_register_.end() && known->second->version >= value.version) return true;
    if (const std::optional<ShardRecord> record = DecodeShard(text, &why)) {
      OnShard(*record, value.version);
      return true;
    }
  } else if (name.starts_with(kTextPrefix)) {
    RegisterValue& known = texts_[name];
    if (value.version > known.version) {
      known = value;
      ++changes_;
    }
    return true;
  } else {
    return true;  // a later gemel's
  }
  *error = "the fleet's register " + name + " cannot be read: " + why;
  return false;
}

void FleetView::OnLife(const std::string& member, const LifeRecord& life, uint64_t version,
                       uint64_t now_ms) {
  Member& known = members_[member];
  if (version <= known.version) return;
  LifeRecord before = std::exchange(known.life, life);
  known.version = version;
  known.seen_ms = now_ms;
  before.beat = life.beat;
  if (before != life) ++changes_;
}

void FleetView::OnShard(const ShardRecord& record, uint64_t version) {
  const auto found = shards_.find(record.info.name);
  if (found == shards_.end() || version <= found->second.version) return;
  Shard& known = found->second;
  const bool changed = known.version == 0 || known.record.info != record.info;
  known.record = record;
  known.version = version;
  ++changes_;
  if (changed) TopologyChanged();
}

void FleetView::SetFleet(FleetRecord record) {
  fleet_ = std::move(record);
  for (auto& [name, shard] : shards_) shard.planned = false;
  for (const ShardInfo& info : fleet_->plan.topology.shards) {
    const auto [known, is_new] = shards_.try_emplace(info.name);
    Shard& shard = known->second;
    if (is_new) shards_by_register_.emplace(ShardRegister(info.name), &shard);
    shard.planned = true;
    if (shard.version == 0) shard.record.info = info;
  }
  ++changes_;
  TopologyChanged();
}

void FleetView::TopologyChanged() {
  if (listing_) {
    assembling_ = true;
  } else {
    Assemble();
  }
}

void FleetView::Assemble() {
  if (!fleet_) return;
  auto next = std::make_shared<Topology>();
  next->epoch = topology_->epoch + 1;
  next->clean = false;
  next->rings = fleet_->plan.topology.rings;
  for (const ShardInfo& info : fleet_->plan.topology.shards) {
    next->shards.push_back(shards_.at(info.name).record.info);
  }
  topology_ = std::move(next);
}

const FleetView::Member* FleetView::FindMember(std::string_view name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

const FleetView::Shard* FleetView::FindShard(std::string_view name) const {
  const auto found = shards_.find(name);
  return found == shards_.end() ? nullptr : &found->second;
}

bool FleetView::Lives(std::string_view member, uint64_t number) const {
  const Member* known = FindMember(member);
  return known != nullptr && known->life.number == number && !known->life.ended;
}

bool FleetView::MayOwn(const LifeRecord& life) const {
  if (life.ended || life.witness || life.draining || !fleet_) return false;
  return life.route == fleet_->plan.route || life.agreed >= fleet_->plan.route;
}

// A record may name a life that is newer than what is known of its member: that one goes on.
bool FleetView::IsFree(const ShardRecord& record) const {
  if (record.owner.empty()) return true;
  const Member* known = FindMember(record.owner);
  if (known == nullptr) return false;
  return known->life.number > record.owner_life ||
         (known->life.number == record.owner_life && known->life.ended);
}

}  // namespace gemel
