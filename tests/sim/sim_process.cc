#include "tests/sim/sim_process.h"

#include <utility>

namespace gemel::sim {

void Process::Run(const std::function<void()>& event) {
  const std::weak_ptr<char> alive = alive_;
  if (before_each_) before_each_();
  event();
  if (!alive.expired() && after_each_) after_each_();
}

void Process::Later(uint64_t delay_us, std::function<void()> event) {
  loop_->After(delay_us, [this, alive = alive(), event = std::move(event)] {
    if (alive.expired()) return;
    if (paused_) {
      late_timers_.push_back(event);
    } else {
      Run(event);
    }
  });
}

void Process::Receive(std::function<void()> event) {
  if (paused_ || hearing_) {
    received_.push_back(std::move(event));
  } else {
    Run(event);
  }
}

// The worst that may come: the poll was interrupted, so the timers are first. Then it hears all.
void Process::Unpause() {
  paused_ = false;
  hearing_ = true;  // what comes from now on is behind all that
  for (auto& event : std::exchange(late_timers_, {})) Run(event);
  while (!received_.empty()) {
    const std::function<void()> event = std::move(received_.front());
    received_.pop_front();
    Run(event);
  }
  hearing_ = false;
  NowMs();
  clock_.OnHeard();
  clock_.OnHeard();
}

}  // namespace gemel::sim
