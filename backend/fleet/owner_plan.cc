#include "backend/fleet/owner_plan.h"

#include <cstddef>
#include <map>

namespace gemel {

namespace {

struct Loads {
  std::map<std::string, size_t, std::less<>> of;  // of those that may own
  bool any_free = false;
  size_t moving = 0;  // of `self`

  // The one with the fewest, by name where several have; empty: there is none.
  std::string Least(std::string_view but = {}) const {
    auto least = of.end();
    for (auto one = of.begin(); one != of.end(); ++one) {
      if (one->first != but && (least == of.end() || one->second < least->second)) least = one;
    }
    return least == of.end() ? std::string() : least->first;
  }
  // The one with the most, by name where several have.
  std::string Most() const {
    auto most = of.begin();
    for (auto one = of.begin(); one != of.end(); ++one) {
      if (one->second > most->second) most = one;
    }
    return most == of.end() ? std::string() : most->first;
  }
};

// For the sake of balance whoever has the most gives one to whoever has the fewest, again and
// again, until nobody has two more than another. All members reckon so, and each does its own part
// of it at once: who gets the next one of `self`; empty: nobody.
std::string NextTaker(Loads* loads, std::string_view self) {
  for (;;) {
    const std::string giver = loads->Most();
    const std::string taker = loads->Least();
    if (giver.empty() || loads->of.at(giver) < loads->of.at(taker) + 2) return {};
    --loads->of[giver];
    ++loads->of[taker];
    if (giver == self) return taker;
  }
}

// A shard that moves counts as its next owner's.
Loads LoadsOf(const FleetView& view, std::string_view self, uint32_t lease_ms) {
  Loads loads;
  for (const auto& [name, member] : view.members()) {
    const bool silent = name != self && view.SilentFor(member, lease_ms / 2);
    if (!silent && view.MayOwn(member.life)) loads.of[name] = 0;
  }
  for (const auto& [name, shard] : view.shards()) {
    if (!shard.planned) continue;
    const ShardRecord& record = shard.record;
    if (view.IsFree(record)) {
      loads.any_free = true;
      continue;
    }
    const bool moves = !record.next.empty() && loads.of.contains(record.next);
    if (moves && record.owner == self) ++loads.moving;
    const auto found = loads.of.find(moves ? record.next : record.owner);
    if (found != loads.of.end()) ++found->second;
  }
  return loads;
}

}  // namespace

OwnerPlan PlanOwners(const FleetView& view, std::string_view self, uint32_t lease_ms,
                     bool settled) {
  OwnerPlan plan;
  Loads loads = LoadsOf(view, self, lease_ms);
  const bool any_free = loads.any_free;
  for (const auto& [name, shard] : view.shards()) {
    if (!shard.planned || !view.IsFree(shard.record)) continue;
    const std::string to = loads.Least();
    if (to.empty()) break;
    ++loads.of[to];
    if (to == self) plan.claims.push_back(name);
  }
  const FleetView::Member* own = view.FindMember(self);
  if (any_free || own == nullptr || own->life.ended) return plan;
  const bool drains = own->life.draining || own->life.witness;
  if (!drains && !settled) return plan;
  for (const auto& [name, shard] : view.shards()) {
    if (loads.moving >= kMovesAtOnce) break;
    const ShardRecord& record = shard.record;
    if (!shard.planned || record.owner != self || record.owner_life != own->life.number ||
        !record.next.empty()) {
      continue;
    }
    const std::string to = drains ? loads.Least(self) : NextTaker(&loads, self);
    if (to.empty()) break;
    if (drains) ++loads.of[to];
    ++loads.moving;
    plan.moves.push_back({name, to});
  }
  return plan;
}

std::string NextOwner(const FleetView& view, std::string_view self, std::string_view wanted,
                      uint32_t lease_ms) {
  const Loads loads = LoadsOf(view, self, lease_ms);
  return loads.of.contains(wanted) ? std::string(wanted) : loads.Least(self);
}

}  // namespace gemel
