// The two ends of a loop's poll, between which its turns lie, and how long these take.

#ifndef GEMEL_PROXY_WORKER_UV_TURNS_H_
#define GEMEL_PROXY_WORKER_UV_TURNS_H_

#include <uv.h>

#include <functional>

#include "proxy/dispatch/stats.h"
#include "proxy/worker/turn_times.h"

namespace gemel {

class UvTurns {
 public:
  // `on_end` runs after the timers, `after_poll` after the events that the poll has brought.
  // Whatever was caused by them goes out there, before the loop sleeps. `stats` outlives it, and
  // the loop is closed before it goes.
  UvTurns(uv_loop_t* loop, WorkerStats* stats, std::function<void()> on_end,
          std::function<void()> after_poll);
  UvTurns(const UvTurns&) = delete;
  UvTurns& operator=(const UvTurns&) = delete;

  // The turns before now do not count.
  void Forget() { times_.Forget(); }
  // To be called once a second.
  void OnSecond();
  // No turn is told of any more.
  void Close();

 private:
  void OnPoll();
  void OnPolled();

  uv_loop_t* loop_;
  WorkerStats* stats_;
  const std::function<void()> on_end_;
  const std::function<void()> after_poll_;
  uv_prepare_t prepare_;
  uv_check_t check_;
  TurnTimes times_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_TURNS_H_
