// How much of something there was a second of late, as Redis's instantaneous metrics: the mean of
// the last 16 samples, one each 100 ms.

#ifndef GEMEL_PROXY_SEEN_RATE_SAMPLER_H_
#define GEMEL_PROXY_SEEN_RATE_SAMPLER_H_

#include <cstddef>
#include <cstdint>

namespace gemel {

class RateSampler {
 public:
  static constexpr uint64_t kEveryMs = 100;
  static constexpr size_t kSamples = 16;

  // The count has come to this. False: it is not time yet.
  bool Sample(uint64_t now_ms, uint64_t count) {
    if (last_ms_ != 0 && now_ms < last_ms_ + kEveryMs) return false;
    if (last_ms_ != 0) {
      const uint64_t more = count > last_count_ ? count - last_count_ : 0;
      sum_ -= samples_[next_];
      samples_[next_] = more * 1000 / (now_ms - last_ms_);
      sum_ += samples_[next_];
      next_ = (next_ + 1) % kSamples;
    }
    last_ms_ = now_ms;
    last_count_ = count;
    return true;
  }
  uint64_t per_second() const { return sum_ / kSamples; }
  void Reset() { *this = RateSampler(); }

 private:
  uint64_t last_ms_ = 0;
  uint64_t last_count_ = 0;
  uint64_t samples_[kSamples] = {};
  uint64_t sum_ = 0;
  size_t next_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_RATE_SAMPLER_H_
