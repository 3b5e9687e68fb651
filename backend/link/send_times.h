// When what stands in line on a link went to the node, and so how long the node has had it.

#ifndef GEMEL_BACKEND_LINK_SEND_TIMES_H_
#define GEMEL_BACKEND_LINK_SEND_TIMES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gemel {

// How long what is being answered was away from gemel.
struct AwayTime {
  uint32_t away_us = 0;  // since it was sent; 0: not known, or it was not sent
  uint32_t wire_us = 0;  // of that what the way takes, there and back
};

// Logic only. What went out in one turn of the loop takes one place, however much it was, so that
// nothing is paid for a single request. Places are those of LinkLine.
class SendTimes {
 public:
  // So many turns are told apart; what is sent above it counts as sent with the last.
  static constexpr size_t kMost = 256;
  // The quickest answer of so long says what the way takes.
  static constexpr uint64_t kWindowUs = 10 * 1000 * 1000;

  // All up to `place` has been taken off the queue.
  void OnSent(uint64_t place, uint64_t now_us) {
    if (runs_.size() - begin_ >= kMost || (begin_ < runs_.size() && runs_.back().us == now_us)) {
      runs_.back().place = place;
    } else {
      runs_.push_back({place, now_us});
    }
  }
  // Answers came, of which that at `place` is the first.
  void OnHeard(uint64_t place, uint64_t now_us) {
    Drop(place);
    if (begin_ == runs_.size()) return;
    const uint64_t trip_us = now_us - runs_[begin_].us;
    if (now_us >= window_us_ + kWindowUs) {
      window_us_ = now_us;
      before_us_ = least_us_;
      least_us_ = trip_us;
    }
    least_us_ = std::min(least_us_, trip_us);
  }
  // What is at `place` is being answered.
  AwayTime Of(uint64_t place, uint64_t now_us) {
    Drop(place);
    if (begin_ == runs_.size()) return {};
    const uint64_t away_us = std::clamp<uint64_t>(now_us - runs_[begin_].us, 1, UINT32_MAX);
    const uint64_t wire_us = std::min({away_us, least_us_, before_us_});
    return {static_cast<uint32_t>(away_us), static_cast<uint32_t>(wire_us)};
  }
  // The connection is gone, and with it what was sent.
  void Reset() {
    runs_.clear();
    begin_ = 0;
  }

 private:
  struct Run {
    uint64_t place;  // the last of it
    uint64_t us;
  };
  // What is used up in front goes when it is half of it all.
  void Drop(uint64_t place) {
    while (begin_ < runs_.size() && runs_[begin_].place < place) ++begin_;
    if (begin_ * 2 < runs_.size() || begin_ == 0) return;
    runs_.erase(runs_.begin(), runs_.begin() + static_cast<ptrdiff_t>(begin_));
    begin_ = 0;
  }

  std::vector<Run> runs_;
  size_t begin_ = 0;
  uint64_t window_us_ = 0;
  uint64_t least_us_ = UINT64_MAX;   // of this window
  uint64_t before_us_ = UINT64_MAX;  // of the one before
};

class Link;

// Of one worker: which link's answers are being handled, for who wants to know how long they took.
struct AnswerBoard {
  const uint64_t* now_us = nullptr;  // of the loop turn; null: nobody wants to know
  Link* answering = nullptr;

  // Of what is being answered now.
  AwayTime Away() const;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_SEND_TIMES_H_
