// The process of a simulated proxy: what it hears and its timers, and that it may be stopped.

#ifndef GEMEL_TESTS_SIM_SIM_PROCESS_H_
#define GEMEL_TESTS_SIM_SIM_PROCESS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "backend/health/running_clock.h"
#include "tests/sim/sim_loop.h"

namespace gemel::sim {

class Process {
 public:
  explicit Process(Loop* loop) : loop_(loop), clock_(loop->now_ms()) {}

  uint64_t NowMs() { return clock_.Advance(loop_->now_ms()); }
  // A timer.
  void Later(uint64_t delay_us, std::function<void()> event);
  // Something comes from outside: now, or when it goes on.
  void Receive(std::function<void()> event);
  // What is received now waits its turn.
  bool behind() const { return paused_ || hearing_; }

  // Run before and after whatever happens in it.
  void SetEach(std::function<void()> before, std::function<void()> after) {
    before_each_ = std::move(before);
    after_each_ = std::move(after);
  }

  // It is stopped (SIGSTOP, a snapshot of its machine) until Unpause. What comes meanwhile waits in
  // its sockets, and its timers are late.
  void Pause() { paused_ = true; }
  void Unpause();
  bool paused() const { return paused_; }

  // Nothing of it happens any more; `alive` expires.
  void Die() { alive_.reset(); }
  std::weak_ptr<char> alive() const { return alive_; }

 private:
  void Run(const std::function<void()>& event);

  Loop* loop_;
  RunningClock clock_;
  std::function<void()> before_each_;
  std::function<void()> after_each_;
  bool paused_ = false;
  bool hearing_ = false;  // what was received is being handled
  std::vector<std::function<void()>> late_timers_;
  std::deque<std::function<void()>> received_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_PROCESS_H_
