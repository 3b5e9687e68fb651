// How much may be done in the background: tokens come at a rate, are saved up to a limit, and are
// spent; what costs more than was left is made up for by waiting.

#ifndef GEMEL_BACKEND_PACE_TOKEN_BUCKET_H_
#define GEMEL_BACKEND_PACE_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>

namespace gemel {

// One thread.
class TokenBucket {
 public:
  // Time passes. `most`: that are saved, whatever the rate. `longest_ms`: of the time since the
  // last call no more counts. At the first call: `first` are there, at most `most`.
  void Refill(uint64_t now_ms, double a_second, double most, uint64_t longest_ms = ~uint64_t{0},
              double first = 0) {
    if (refilled_ms_ == 0) {
      left_ = std::min(first, most);
    } else {
      const uint64_t passed_ms = std::min(now_ms - refilled_ms_, longest_ms);
      left_ = std::min(left_ + a_second * static_cast<double>(passed_ms) / 1000, most);
    }
    refilled_ms_ = now_ms;
  }
  bool Has(double tokens) const { return left_ >= tokens; }
  // May leave less than nothing.
  void Take(double tokens) { left_ -= tokens; }
  double left() const { return left_; }

 private:
  double left_ = 0;
  uint64_t refilled_ms_ = 0;  // 0: never
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PACE_TOKEN_BUCKET_H_
