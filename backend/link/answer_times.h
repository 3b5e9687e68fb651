// How long a node takes to answer, as its link sees it: from the flush that a request went out with
// to the read that its answer came with. A note for each flush, none for a request.

#ifndef GEMEL_BACKEND_LINK_ANSWER_TIMES_H_
#define GEMEL_BACKEND_LINK_ANSWER_TIMES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "backend/figures/latency_buckets.h"

namespace gemel {

// Logic only, the link's thread. Places are those in line (LinkLine).
class AnswerTimes {
 public:
  // So many flushes are told apart while none of them is answered; what goes out then counts as
  // sent with the last of them.
  static constexpr size_t kFlushes = 64;

  // All up to that place in line went out. `answered`: up to there all was answered by then.
  void OnSent(uint64_t place, uint64_t answered, uint64_t now_us) {
    if (size_ == 0) counted_ = answered;
    if (size_ > 0 && At(size_ - 1).place >= place) return;
    if (size_ == 0 && place <= answered) return;
    if (size_ == kFlushes) {
      At(size_ - 1).place = place;
      return;
    }
    At(size_++) = {place, now_us};
  }
  // All up to that place is answered.
  void OnAnswered(uint64_t place, uint64_t now_us) {
    while (size_ > 0 && place > counted_) {
      const Flush& oldest = At(0);
      const uint64_t upto = oldest.place < place ? oldest.place : place;
      if (upto > counted_) times_.Add(now_us - oldest.at_us, upto - counted_);
      counted_ = upto;
      if (oldest.place > place) return;
      first_ = (first_ + 1) % kFlushes;
      --size_;
    }
  }
  // The connection is gone, and with it what was under way.
  void Forget() { size_ = 0; }

  const LatencyBuckets& times() const { return times_; }

 private:
  struct Flush {
    uint64_t place;
    uint64_t at_us;
  };
  Flush& At(size_t i) { return flushes_[(first_ + i) % kFlushes]; }

  std::array<Flush, kFlushes> flushes_ = {};
  size_t first_ = 0;
  size_t size_ = 0;
  uint64_t counted_ = 0;  // up to that place
  LatencyBuckets times_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_ANSWER_TIMES_H_
