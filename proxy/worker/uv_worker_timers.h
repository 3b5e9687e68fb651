// When a worker's loop turns though nothing has come.

#ifndef GEMEL_PROXY_WORKER_UV_WORKER_TIMERS_H_
#define GEMEL_PROXY_WORKER_UV_WORKER_TIMERS_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "backend/uv/uv_timer.h"

namespace gemel {

// The loop's thread. After Close nothing comes of any of it.
class UvWorkerTimers {
 public:
  struct Calls {
    std::function<void()> tick;
    std::function<void()> second;
    std::function<void()> unblock;  // some wait for so long and no longer
  };
  UvWorkerTimers(uv_loop_t* loop, Calls calls)
      : tick_(std::make_unique<UvTimer>(loop, std::move(calls.tick))),
        second_(std::make_unique<UvTimer>(loop, std::move(calls.second))),
        again_(std::make_unique<UvTimer>(loop, [] {})),
        unblock_(std::make_unique<UvTimer>(loop, [this, unblock = std::move(calls.unblock)] {
          unblock_ms_ = 0;
          unblock();
        })) {}
  UvWorkerTimers(const UvWorkerTimers&) = delete;
  UvWorkerTimers& operator=(const UvWorkerTimers&) = delete;

  void TickIn(uint64_t ms) {
    if (tick_) tick_->Set(ms);
  }
  void SecondIn(uint64_t ms) {
    if (second_) second_->Set(ms);
  }
  // The next turn, at once.
  void TurnAgain() {
    if (again_) again_->Set(0);
  }
  // The ticks are too far apart for a timeout to the millisecond. The earliest counts.
  void UnblockAt(uint64_t at_ms, uint64_t now_ms) {
    if (!unblock_ || (unblock_ms_ != 0 && unblock_ms_ <= at_ms)) return;
    unblock_ms_ = at_ms;
    unblock_->Set(at_ms > now_ms ? at_ms - now_ms : 0);
  }
  void Close() {
    tick_.reset();
    second_.reset();
    again_.reset();
    unblock_.reset();
  }

 private:
  std::unique_ptr<UvTimer> tick_;
  std::unique_ptr<UvTimer> second_;
  std::unique_ptr<UvTimer> again_;
  std::unique_ptr<UvTimer> unblock_;
  uint64_t unblock_ms_ = 0;  // when that fires; 0: it does not
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_WORKER_TIMERS_H_
