// The running clock of a loop (see running_clock.h): whoever lives on the loop measures ages by it.

#ifndef GEMEL_BACKEND_UV_UV_CLOCK_H_
#define GEMEL_BACKEND_UV_UV_CLOCK_H_

#include <uv.h>

#include <cstdint>

#include "backend/health/running_clock.h"

namespace gemel {

// One a loop, on its thread. A loop's `data` is its clock, or null (as in some tests, where a loop
// may sleep for as long as it likes); nothing else is to be put there.
class UvClock {
 public:
  // `loop` is initialised and outlives the clock. Somebody must ask for the time every few
  // milliseconds, as a worker's tick does, or it stands still.
  explicit UvClock(uv_loop_t* loop) : loop_(loop), clock_(uv_now(loop)) { loop_->data = this; }
  ~UvClock() { loop_->data = nullptr; }
  UvClock(const UvClock&) = delete;
  UvClock& operator=(const UvClock&) = delete;

  uint64_t NowMs() { return clock_.Advance(uv_now(loop_)); }
  // The loop's clock; of a loop that has none, libuv's.
  static uint64_t NowMs(const uv_loop_t* loop) {
    UvClock* clock = static_cast<UvClock*>(loop->data);
    return clock != nullptr ? clock->NowMs() : uv_now(loop);
  }
  // Once a turn, after the poll: all that had come is handled. Somebody has asked for the time
  // since that poll.
  void OnHeard() { clock_.OnHeard(); }

 private:
  uv_loop_t* loop_;
  RunningClock clock_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_CLOCK_H_
