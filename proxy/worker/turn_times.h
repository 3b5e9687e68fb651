// How long the turns of a loop take, of late: for so long nobody was heard.

#ifndef GEMEL_PROXY_WORKER_TURN_TIMES_H_
#define GEMEL_PROXY_WORKER_TURN_TIMES_H_

#include <algorithm>
#include <array>
#include <cstdint>

namespace gemel {

class TurnTimes {
 public:
  // The turns before now do not count.
  void Forget() { poll_ms_ = polled_ms_ = 0; }
  // The loop is about to poll, for so long at most; negative: without an end. True if the longest
  // turn is another one.
  bool OnPoll(uint64_t now_ms, int for_ms) {
    poll_ms_ = now_ms;
    poll_for_ms_ = for_ms;
    return polled_ms_ != 0 && poll_ms_ > polled_ms_ && Note(poll_ms_ - polled_ms_);
  }
  // The poll is over. Did it take longer than was asked for? Then this process was stopped, or had
  // no CPU. True as above.
  bool OnPolled(uint64_t now_ms) {
    polled_ms_ = now_ms;
    if (poll_ms_ == 0 || poll_for_ms_ < 0) return false;
    const uint64_t until_ms = poll_ms_ + static_cast<uint64_t>(poll_for_ms_);
    return polled_ms_ > until_ms && Note(polled_ms_ - until_ms);
  }
  // To be called once a second.
  void OnSecond() {
    longest_ms_ = *std::max_element(by_second_ms_.begin(), by_second_ms_.end());
    std::move(by_second_ms_.begin() + 1, by_second_ms_.end(), by_second_ms_.begin());
    by_second_ms_.back() = 0;
  }
  // Of the last ten seconds, and up to one more.
  uint64_t longest_ms() const { return longest_ms_; }

 private:
  bool Note(uint64_t took_ms) {
    if (took_ms <= by_second_ms_.back()) return false;
    by_second_ms_.back() = took_ms;
    if (took_ms <= longest_ms_) return false;
    longest_ms_ = took_ms;
    return true;
  }

  uint64_t poll_ms_ = 0;  // when the last poll began; 0: there was none
  int poll_for_ms_ = 0;
  uint64_t polled_ms_ = 0;                   // when it ended
  std::array<uint64_t, 11> by_second_ms_{};  // the present one last
  uint64_t longest_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_TURN_TIMES_H_
