#include "proxy/dispatch/pool.h"

#include <algorithm>
#include <numeric>

namespace gemel {

std::vector<ShardMembers> MembersOf(const PoolConfig& pool) {
  std::vector<ShardMembers> members;
  for (const ShardConfig& shard : pool.shards) {
    ShardMembers member{shard.name, {}};
    for (const Address& node : shard.Nodes()) member.nodes.push_back(node.ToString());
    members.push_back(std::move(member));
  }
  return members;
}

RingSpec RingOf(const PoolConfig& config) {
  RingSpec spec;
  spec.points = config.ring.points;
  spec.hash_tag = config.ring.hash_tag;
  for (const ShardConfig& shard : config.shards) spec.shards.push_back({shard.name, shard.weight});
  return spec;
}

Pool::Pool(const PoolConfig& config, uint32_t workers)
    : config_(config),
      workers_(workers),
      table_(std::make_shared<const CommandTable>(config.commands)) {
  std::vector<uint32_t> slots(config.shards.size());
  std::iota(slots.begin(), slots.end(), 0u);
  Fill(slots, nullptr);
}

Pool::Pool(const PoolConfig& config, const Pool& before, const std::vector<uint32_t>& taken)
    : config_(config),
      workers_(before.workers_),
      number_(before.number_ + 1),
      route_(before.route_),
      table_(before.table_) {
  std::vector<bool> used(before.slot_count() + taken.size() + config.shards.size() + 1);
  for (const PoolShard& shard : before.shards_) used[shard.slot] = true;
  for (uint32_t slot : taken) {
    if (slot >= used.size()) used.resize(slot + config.shards.size() + 1);
    used[slot] = true;
  }
  std::vector<uint32_t> slots;
  uint32_t next = 0;
  for (const ShardConfig& shard : config.shards) {
    if (const PoolShard* known = before.Find(shard.name)) {
      slots.push_back(known->slot);
      continue;
    }
    while (next < used.size() && used[next]) ++next;
    slots.push_back(next++);
  }
  Fill(slots, before.users_.get());
}

void Pool::Fill(const std::vector<uint32_t>& slots, const AclUsers* users_before) {
  const RingSpec spec = RingOf(config_);
  names_ = std::make_unique<const CommandNames>(table_.get(), config_.command_rules);
  users_ = std::make_unique<const AclUsers>(config_, table_.get(), users_before);
  ring_ = std::make_unique<const Ring>(spec.shards, spec.points, slots);
  request_limits_.max_bulk = config_.limits.max_bulk;
  request_limits_.max_args = config_.limits.max_args;
  request_limits_.max_inline = config_.limits.max_inline;
  request_limits_.max_request = config_.limits.max_request;
  stranger_limits_ = request_limits_;
  stranger_limits_.stranger = true;
  by_slot_.resize(*std::max_element(slots.begin(), slots.end()) + 1);
  for (uint32_t i = 0; i < slots.size(); ++i) {
    const ShardConfig& shard = config_.shards[i];
    shards_.push_back({shard.name, slots[i], slots[i] % workers_,
                       static_cast<uint32_t>(1 + shard.replicas.size())});
    by_slot_[slots[i]] = i;
  }
  // Their memory moves no more.
  for (uint32_t i = 0; i < shards_.size(); ++i) by_name_.emplace(shards_[i].name, i);
}

uint32_t Pool::SlotFrom(uint32_t slot) const {
  while (slot < slot_count() && OfSlot(slot).slot != slot) ++slot;
  return std::min(slot, slot_count());
}

const PoolShard* Pool::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &shards_[found->second];
}

std::vector<std::string> Pool::NamesBySlot() const {
  std::vector<std::string> names(slot_count());
  for (const PoolShard& shard : shards_) names[shard.slot] = shard.name;
  return names;
}

}  // namespace gemel
