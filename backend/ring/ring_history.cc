#include "backend/ring/ring_history.h"

#include <span>
#include <utility>

namespace gemel {

RingHistory::Made::Made(const RingSpec& spec) : ring(MakeRing(spec)) {
  for (uint32_t i = 0; i < spec.shards.size(); ++i) shards.emplace(spec.shards[i].name, i);
}

RingHistory::Moves::Moves(const RingSpec& from, const Made& from_made, const RingSpec& to,
                          const Made& to_made) {
  // Under another hash tag any key may lie anywhere.
  const bool all = from.hash_tag != to.hash_tag;
  lost.assign(from.shards.size(), all);
  gained.assign(to.shards.size(), all);
  if (all) return;
  std::vector<int64_t> same(from.shards.size(), -1);  // by index in the one: that in the other
  for (size_t i = 0; i < same.size(); ++i) {
    if (const auto it = to_made.shards.find(from.shards[i].name); it != to_made.shards.end()) {
      same[i] = it->second;
    }
  }
  // Between two neighbouring points of both rings together, each has one owner: that of its first
  // point at or after them.
  const std::span<const Ring::Point> a = from_made.ring.points();
  const std::span<const Ring::Point> b = to_made.ring.points();
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const bool a_next = j == b.size() || (i < a.size() && a[i].position <= b[j].position);
    const bool b_next = i == a.size() || (j < b.size() && b[j].position <= a[i].position);
    const uint32_t loser = a[i < a.size() ? i : 0].shard;
    const uint32_t winner = b[j < b.size() ? j : 0].shard;
    if (same[loser] != winner) {
      lost[loser] = true;
      gained[winner] = true;
    }
    i += a_next ? 1 : 0;
    j += b_next ? 1 : 0;
  }
}

RingHistory::RingHistory(const std::vector<RingSpec>& rings, const RingHistory* earlier) {
  const Era* known_before = nullptr;  // the earlier history's era of the ring before this one
  for (const RingSpec& spec : rings) {
    Era era;
    era.spec = spec;
    const Era* known = nullptr;
    const Era* follows = nullptr;
    if (earlier != nullptr) {
      for (const Era& candidate : earlier->rings_) {
        if (candidate.spec == spec) {
          known = &candidate;
          break;
        }
        follows = &candidate;
      }
    }
    era.made = known != nullptr ? known->made : std::make_shared<const Made>(spec);
    if (!rings_.empty()) {
      const Era& before = rings_.back();
      era.moves = known != nullptr && known_before != nullptr && known_before == follows
                      ? known->moves
                      : std::make_shared<const Moves>(before.spec, *before.made, spec, *era.made);
    }
    known_before = known;
    rings_.push_back(std::move(era));
  }
}

ShardRings::ShardRings(std::shared_ptr<const RingHistory> history, std::string_view shard)
    : history_(std::move(history)) {
  const std::string name(shard);
  for (const RingHistory::Era& era : history_->rings_) {
    const auto it = era.made->shards.find(name);
    index_.push_back(it == era.made->shards.end() ? kNone : it->second);
  }
}

bool ShardRings::Owned(std::string_view key) const {
  const RingHistory::Era& last = history_->rings_.back();
  return index_.back() != kNone &&
         last.made->ring.Locate(HashKey(HashedPart(key, last.spec.hash_tag))) == index_.back();
}

ShardRings::Standing ShardRings::Of(std::string_view key, HeldSince since) const {
  Standing standing;
  bool may_hold = since.held || since.ring < first_id();
  bool stale = false;
  const std::string* tag = nullptr;
  uint64_t hash = 0;
  for (size_t i = 0; i < index_.size(); ++i) {
    const RingHistory::Era& era = history_->rings_[i];
    if (era.spec.id < since.ring) continue;
    if (index_[i] != kNone && (tag == nullptr || *tag != era.spec.hash_tag)) {
      tag = &era.spec.hash_tag;
      hash = HashKey(HashedPart(key, *tag));
    }
    standing.owned = index_[i] != kNone && era.made->ring.Locate(hash) == index_[i];
    if (standing.owned) {
      standing.suspect = stale;
      may_hold = true;
    } else if (may_hold) {
      stale = true;
    }
  }
  return standing;
}

bool ShardRings::MayHoldForeign(uint64_t swept) const {
  if (index_.size() < 2) return false;
  if (swept < first_id()) return true;
  for (size_t i = 1; i < index_.size(); ++i) {
    const uint32_t before = index_[i - 1];
    if (history_->rings_[i - 1].spec.id < swept || before == kNone) continue;
    if (history_->rings_[i].moves->lost[before]) return true;
  }
  return false;
}

bool ShardRings::MayHaveSuspects(HeldSince since) const {
  bool lost = since.held || since.ring < first_id();
  for (size_t i = 1; i < index_.size(); ++i) {
    const RingHistory::Moves& moves = *history_->rings_[i].moves;
    if (history_->rings_[i - 1].spec.id < since.ring) continue;
    if (lost && index_[i] != kNone && moves.gained[index_[i]]) return true;
    if (index_[i - 1] != kNone && moves.lost[index_[i - 1]]) lost = true;
  }
  return false;
}

}  // namespace gemel
