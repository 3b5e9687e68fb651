// The way between a process and a node, or between two processes: either direction may be cut, and
// then what is on its way waits, as TCP sends it again and again.

#ifndef GEMEL_TESTS_SIM_SIM_ROAD_H_
#define GEMEL_TESTS_SIM_SIM_ROAD_H_

#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace gemel::sim {

class Road {
 public:
  enum class Way : uint8_t { kThere, kBack };

  bool cut(Way way) const { return ways_[Index(way)].cut; }
  bool any_cut() const { return ways_[0].cut || ways_[1].cut; }
  void Cut(Way way) { ways_[Index(way)].cut = true; }
  // All that waited comes before what is sent from now on.
  void Heal(Way way) {
    Direction& direction = ways_[Index(way)];
    direction.cut = false;
    for (auto& event : std::exchange(direction.held, {})) event();
  }
  // Something arrives: now, or when that way is healed.
  void Pass(Way way, std::function<void()> event) {
    Direction& direction = ways_[Index(way)];
    if (direction.cut) {
      direction.held.push_back(std::move(event));
    } else {
      event();
    }
  }

  // The machine at the near end is gone: nobody says that its connections are.
  void Lose() { lost_ = true; }
  bool lost() const { return lost_; }

 private:
  struct Direction {
    bool cut = false;
    std::deque<std::function<void()>> held;
  };
  static size_t Index(Way way) { return way == Way::kThere ? 0 : 1; }

  Direction ways_[2];
  bool lost_ = false;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_ROAD_H_
