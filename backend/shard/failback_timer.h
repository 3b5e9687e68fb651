// When the copy that the config lists first is to be primary again: once it has been in sync and up
// for a while. Each attempt doubles the wait for the next, so that roles do not flap; a long time
// as primary makes it short again.

#ifndef GEMEL_BACKEND_SHARD_FAILBACK_TIMER_H_
#define GEMEL_BACKEND_SHARD_FAILBACK_TIMER_H_

#include <algorithm>
#include <cstdint>

namespace gemel {

// Logic only.
class FailbackTimer {
 public:
  // What is seen of the configured primary.
  struct View {
    bool is_primary = false;
    bool serves = false;
    bool stale = false;
  };

  explicit FailbackTimer(uint64_t after_ms) : wait_ms_(after_ms) {}

  // Whether it is to become primary now. `after_ms`: the shortest wait.
  bool IsDue(const View& home, uint64_t now_ms, uint64_t after_ms) {
    if (home.is_primary) {
      kept_away_ = false;
      good_since_ms_ = 0;
      if (!home.serves) home_since_ms_ = 0;
      if (home.serves && home_since_ms_ == 0) home_since_ms_ = now_ms;
      if (home.serves && now_ms >= home_since_ms_ + kLongestWaitMs) wait_ms_ = after_ms;
      return false;
    }
    home_since_ms_ = 0;
    // An operator's choice stands until that copy left and came back.
    if (home.stale) kept_away_ = false;
    if (!home.serves || kept_away_) {
      good_since_ms_ = 0;
      return false;
    }
    if (good_since_ms_ == 0) good_since_ms_ = now_ms;
    if (now_ms < good_since_ms_ + wait_ms_) return false;
    good_since_ms_ = 0;
    wait_ms_ = std::min(wait_ms_ * 2, kLongestWaitMs);
    return true;
  }
  // An operator promoted another copy, or (false) this one.
  void KeepAway(bool away) { kept_away_ = away; }

 private:
  static constexpr uint64_t kLongestWaitMs = 10 * 60 * 1000;

  uint64_t good_since_ms_ = 0;  // it is in sync and up; 0: it is not
  uint64_t home_since_ms_ = 0;  // the same, and it is the primary
  uint64_t wait_ms_;
  bool kept_away_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_FAILBACK_TIMER_H_
