// All ways between the processes of a fleet and its nodes, for connections of this life of each and
// of earlier ones.

#ifndef GEMEL_TESTS_FLEET_SIM_WAYS_H_
#define GEMEL_TESTS_FLEET_SIM_WAYS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tests/sim/sim_road.h"

namespace gemel::fleet_sim {

// Members have the numbers from 0 on, nodes those behind them.
class Ways {
 public:
  using Way = sim::Road::Way;

  // For connections that `from` makes to `to` now.
  std::shared_ptr<sim::Road> Road(size_t from, size_t to) {
    Pair& pair = pairs_[{from, to}];
    if (pair.roads.empty()) Build(&pair, {from, to});
    return pair.roads.back();
  }
  // Nothing that `from` says gets to `to`, whoever has made the connection.
  void Cut(size_t from, size_t to) { Set({from, to}, true); }
  void Heal(size_t from, size_t to) { Set({from, to}, false); }
  bool IsCut(size_t from, size_t to) { return cuts_[{from, to}]; }
  void HealAll() {
    for (auto& [way, cut] : cuts_) {
      if (cut) Set(way, false);
    }
  }

  // The process `from` is another one. `silently`: its machine was lost, and nobody is told.
  void OnEnd(size_t from, bool silently) {
    for (auto& [way, pair] : pairs_) {
      if (way.first != from || pair.roads.empty()) continue;
      if (silently) pair.roads.back()->Lose();
      Build(&pair, way);
    }
  }

 private:
  struct Pair {
    std::vector<std::shared_ptr<sim::Road>> roads;  // the last is the present one
  };
  using Ends = std::pair<size_t, size_t>;

  void Build(Pair* pair, const Ends& ends) {
    pair->roads.push_back(std::make_shared<sim::Road>());
    if (cuts_[ends]) pair->roads.back()->Cut(Way::kThere);
    if (cuts_[{ends.second, ends.first}]) pair->roads.back()->Cut(Way::kBack);
  }
  void Set(const Ends& ends, bool cut) {
    cuts_[ends] = cut;
    Road(ends.first, ends.second);
    Road(ends.second, ends.first);
    for (const auto& road : std::vector(pairs_[ends].roads)) Set(road.get(), Way::kThere, cut);
    for (const auto& road : std::vector(pairs_[{ends.second, ends.first}].roads)) {
      Set(road.get(), Way::kBack, cut);
    }
  }
  static void Set(sim::Road* road, Way way, bool cut) {
    if (cut) {
      road->Cut(way);
    } else {
      road->Heal(way);
    }
  }

  std::map<Ends, Pair> pairs_;
  std::map<Ends, bool> cuts_;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_WAYS_H_
