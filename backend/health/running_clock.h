// How much time has passed for those who could be heard: the one time by which this process
// measures ages, and judges them.
//
// It follows the machine's clock in steps. A step that is far longer than an event loop ever sleeps
// means that the process was stopped (SIGSTOP, a snapshot of its virtual machine), had no CPU, or
// worked for long in one piece. Nobody was heard meanwhile, however much they said, so such a step
// ages nothing. A little of it counts once all that came meanwhile has been handled: a loop whose
// every turn is that long must not stand still.

#ifndef GEMEL_BACKEND_HEALTH_RUNNING_CLOCK_H_
#define GEMEL_BACKEND_HEALTH_RUNNING_CLOCK_H_

#include <cstdint>
#include <utility>

namespace gemel {

class RunningClock {
 public:
  // The longest step that counts as it is: twice as long as a worker's loop sleeps at most.
  static constexpr uint64_t kMaxStepMs = 40;

  // `real_ms`: a monotonic clock's milliseconds. Both clocks begin alike.
  explicit RunningClock(uint64_t real_ms) : real_ms_(real_ms), now_ms_(real_ms) {}

  // The machine's clock says `real_ms`. What this one says; it never goes back.
  uint64_t Advance(uint64_t real_ms) {
    if (real_ms <= real_ms_) return now_ms_;
    const uint64_t step_ms = real_ms - real_ms_;
    real_ms_ = real_ms;
    if (step_ms <= kMaxStepMs) {
      now_ms_ += step_ms;
    } else {
      late_ms_ = kMaxStepMs;
    }
    return now_ms_;
  }
  // The loop has asked all its sockets, and handled what had come. To be called once a turn.
  void OnHeard() {
    // What was noticed since the last call may have been noticed by a poll that asked nobody (it
    // was interrupted): it counts after the next.
    now_ms_ += std::exchange(heard_late_ms_, std::exchange(late_ms_, 0));
  }

  uint64_t now_ms() const { return now_ms_; }

 private:
  uint64_t real_ms_;
  uint64_t now_ms_;
  uint64_t late_ms_ = 0;        // of a long step: counts after the call of OnHeard after the next
  uint64_t heard_late_ms_ = 0;  // counts after the next call of OnHeard
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_HEALTH_RUNNING_CLOCK_H_
