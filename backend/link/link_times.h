// When a link heard of its node, since when it waits, and when it tries again.

#ifndef GEMEL_BACKEND_LINK_LINK_TIMES_H_
#define GEMEL_BACKEND_LINK_LINK_TIMES_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "backend/link/link_options.h"

namespace gemel {

// Logic only. Times are in milliseconds of the loop's clock.
class LinkTimes {
 public:
  void Pass(uint64_t now_ms) { now_ms_ = now_ms; }
  // Bytes came: whoever waits, waits anew.
  void Heard(uint64_t now_ms) { now_ms_ = progress_ms_ = heard_ms_ = now_ms; }
  // The first is in line.
  void BeginWaiting() { progress_ms_ = now_ms_; }
  // The node took bytes of the oldest in line.
  void Taken(uint64_t now_ms) { taken_ms_ = now_ms; }

  // Since when what is pending waits: the last answer, or the beginning of the waiting.
  uint64_t waiting_since_ms() const { return progress_ms_; }
  // When bytes last came over any of its connections.
  uint64_t heard_ms() const { return heard_ms_; }
  // When what is pending is given up, by that timeout.
  uint64_t DueMs(uint32_t request_timeout_ms) const {
    return std::max(progress_ms_, taken_ms_) + request_timeout_ms;
  }

  // An attempt to connect begins.
  void Attempt(uint64_t now_ms) { now_ms_ = attempt_ms_ = now_ms; }
  bool AttemptIsOver(uint32_t connect_timeout_ms) const {
    return now_ms_ >= attempt_ms_ + connect_timeout_ms;
  }
  // A connection is up: the next attempts are hopeful again.
  void Up() {
    failed_attempts_ = 0;
    ++connects_;
  }
  // A connection, or the attempt to make one, ended: says when the next one is due.
  void Down(bool was_up, const LinkOptions& options) {
    uint64_t wait_ms = 0;
    if (!was_up) {
      const uint32_t doublings = std::min(failed_attempts_++, kMostDoublings);
      wait_ms = std::min<uint64_t>(options.reconnect_max_ms,
                                   uint64_t{options.reconnect_min_ms} << doublings);
    }
    retry_at_ms_ = now_ms_ + wait_ms;
    jitter_ms_ = wait_ms / kJitterPart;
  }
  // The next attempt is due. With jitter, so that many links do not knock all at once; once a wait,
  // or each tick would try its luck anew and the shortest would win.
  bool IsDue(uint32_t random) {
    retry_at_ms_ += random % (std::exchange(jitter_ms_, 0) + 1);
    return now_ms_ >= retry_at_ms_;
  }
  // No attempt has ended yet since the last time it was up (or since Start).
  bool hopeful() const { return failed_attempts_ == 0; }
  // How many connections were up so far.
  uint64_t connects() const { return connects_; }

 private:
  // A wait for a reconnect is longer by up to this part of it.
  static constexpr uint64_t kJitterPart = 4;
  static constexpr uint32_t kMostDoublings = 9;

  uint64_t now_ms_ = 0;
  uint64_t progress_ms_ = 0;  // when it last answered, or when waiting began
  uint64_t taken_ms_ = 0;     // when bytes of the oldest in line were last taken
  uint64_t heard_ms_ = 0;
  uint64_t attempt_ms_ = 0;
  uint64_t retry_at_ms_ = 0;
  uint64_t jitter_ms_ = 0;  // up to so much more, not drawn yet
  uint32_t failed_attempts_ = 0;
  uint64_t connects_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_LINK_TIMES_H_
