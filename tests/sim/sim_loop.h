// Virtual time and chance: the only sources of both in a simulated run, so that a seed repeats it.

#ifndef GEMEL_TESTS_SIM_SIM_LOOP_H_
#define GEMEL_TESTS_SIM_SIM_LOOP_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gemel::sim {

inline constexpr uint64_t kSecondUs = 1000 * 1000;

class Loop {
 public:
  explicit Loop(uint64_t seed) : random_(seed) {}

  uint64_t now_us() const { return now_us_; }
  uint64_t now_ms() const { return 1000 + now_us_ / 1000; }

  // Events of the same time run in the order in which they were made.
  void At(uint64_t time_us, std::function<void()> event) {
    size_t place = runs_.size();
    if (free_.empty()) {
      runs_.push_back(std::move(event));
    } else {
      place = free_.back();
      free_.pop_back();
      runs_[place] = std::move(event);
    }
    events_.push_back({std::max(time_us, now_us_), next_++, place});
    std::push_heap(events_.begin(), events_.end(), Later);
  }
  void After(uint64_t delay_us, std::function<void()> event) {
    At(now_us_ + delay_us, std::move(event));
  }
  void RunUntil(uint64_t time_us) {
    while (!events_.empty() && events_.front().time_us <= time_us && !stopped_) {
      std::pop_heap(events_.begin(), events_.end(), Later);
      const Event event = events_.back();
      events_.pop_back();
      now_us_ = event.time_us;
      const std::function<void()> run = std::exchange(runs_[event.place], nullptr);
      free_.push_back(event.place);
      run();
      if (after_each_) after_each_();
    }
    if (!stopped_) now_us_ = std::max(now_us_, time_us);
  }
  // Runs after every event, until the loop is stopped.
  void set_after_each(std::function<void()> run) { after_each_ = std::move(run); }
  void Stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  // Of [0, n) and of [low, high].
  uint64_t Random(uint64_t n) { return n == 0 ? 0 : random_() % n; }
  uint64_t Between(uint64_t low, uint64_t high) { return low + Random(high - low + 1); }
  bool Chance(uint64_t percent) { return Random(100) < percent; }

 private:
  struct Event {
    uint64_t time_us;
    uint64_t number;
    size_t place;  // of what it runs, in runs_
  };
  static bool Later(const Event& a, const Event& b) {
    return a.time_us != b.time_us ? a.time_us > b.time_us : a.number > b.number;
  }

  std::mt19937_64 random_;
  std::function<void()> after_each_;
  std::vector<Event> events_;  // a heap: of what is cheap to move
  std::vector<std::function<void()>> runs_;
  std::vector<size_t> free_;  // places of runs_
  uint64_t now_us_ = 0;
  uint64_t next_ = 0;
  bool stopped_ = false;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_LOOP_H_
