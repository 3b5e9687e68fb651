#include "tests/sim/sim_ring_log.h"

#include <algorithm>

namespace gemel::sim {

namespace {

// From a durable edit to the next look at it.
constexpr uint64_t kNoticedUs = 40000;

}  // namespace

const std::string& RingLog::Made::Owner(const std::string& key) const {
  return spec.shards[ring.Locate(HashKey(HashedPart(key, spec.hash_tag)))].name;
}

void RingLog::OnRouted(const RingSpec& ring, uint64_t now_us) {
  routed_.emplace_back(now_us, Made(ring));
}

void RingLog::OnStart(const Topology& durable, uint64_t now_us) {
  AddDoubt(durable, now_us, now_us);
}

void RingLog::OnDurable(const Topology& durable, uint64_t now_us) {
  bool unswept = false;
  for (const auto& [shard, swept] : swept_) {
    const int index = durable.IndexOf(shard);
    unswept |= index >= 0 && durable.shards[static_cast<size_t>(index)].swept < swept;
  }
  swept_.clear();
  for (const ShardInfo& shard : durable.shards) swept_.emplace_back(shard.name, shard.swept);
  if (unswept) AddDoubt(durable, now_us, now_us + kNoticedUs);
}

void RingLog::AddDoubt(const Topology& durable, uint64_t from_us, uint64_t to_us) {
  Doubt doubt{from_us, to_us, {}};
  for (const RingSpec& ring : durable.rings) doubt.kept.emplace_back(ring);
  doubts_.push_back(std::move(doubt));
}

KeyResets RingLog::Of(const std::string& key) const {
  KeyResets resets;
  for (size_t i = 1; i < routed_.size(); ++i) {
    if (routed_[i].second.Owner(key) == routed_[i - 1].second.Owner(key)) continue;
    resets.moved_us.push_back(routed_[i].first);
    resets.maybe_us.emplace_back(routed_[i].first, routed_[i].first);
  }
  for (const Doubt& doubt : doubts_) {
    const bool moved = std::any_of(doubt.kept.begin(), doubt.kept.end(), [&](const Made& ring) {
      return ring.Owner(key) != doubt.kept[0].Owner(key);
    });
    if (moved) resets.maybe_us.emplace_back(doubt.from_us, doubt.to_us);
  }
  return resets;
}

uint64_t RingLog::changes() const {
  uint64_t changes = 0;
  for (size_t i = 1; i < routed_.size(); ++i) {
    changes += SameRing(routed_[i].second.spec, routed_[i - 1].second.spec) ? 0 : 1;
  }
  return changes;
}

std::string RingLog::Owner(const std::string& key) const {
  return routed_.empty() ? key.substr(0, key.find(':')) : routed_.back().second.Owner(key);
}

}  // namespace gemel::sim
