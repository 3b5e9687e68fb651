// What the replies that a client still waits for may bring, judged by those before.

#ifndef GEMEL_PROXY_SESSION_REPLY_FORECAST_H_
#define GEMEL_PROXY_SESSION_REPLY_FORECAST_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace gemel {

class ReplyForecast {
 public:
  // `window`: the bytes that the first few replies may have together. `others`: the largest that
  // other clients have had of late.
  ReplyForecast(uint64_t window, uint32_t others)
      : mean_(window / kFirstWindow), expected_(std::max(others, kUnknownReply)) {}

  // A reply of that size came.
  void Note(size_t size) {
    mean_ = (mean_ * 7 + size) / 8;
    expected_ = std::max(Clamp(size), expected_ - expected_ / 4);
  }
  static uint32_t Clamp(size_t size) {
    return static_cast<uint32_t>(std::min<size_t>(size, UINT32_MAX / 2));
  }

  // A moving average, bytes.
  uint64_t mean() const { return mean_; }
  // The largest of late, fewer after each smaller; see Request::reply_log2.
  uint8_t expected_log2() const { return static_cast<uint8_t>(std::bit_width(expected_)); }
  // Who gets small ones waits for nobody's large ones.
  bool expects_large() const { return expected_ > kSmallReply; }

 private:
  // How many requests a new client may have in flight until the size of its replies is known.
  // Few: the replies of all of them together must not be more than a node keeps for one client.
  static constexpr uint64_t kFirstWindow = 8;
  // What a client that has had no reply yet is taken to ask for, at least.
  static constexpr uint32_t kUnknownReply = 256 * 1024;
  static constexpr uint32_t kSmallReply = 32 * 1024;

  uint64_t mean_;
  uint32_t expected_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_REPLY_FORECAST_H_
