// A libuv loop of a test, turned until something has happened.

#ifndef GEMEL_TESTS_IO_LOOP_FIXTURE_H_
#define GEMEL_TESTS_IO_LOOP_FIXTURE_H_

#include <gtest/gtest.h>
#include <uv.h>

#include <functional>

#include "tests/e2e/wait.h"

namespace gemel {

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() {
    uv_loop_init(&loop_);
    uv_timer_init(&loop_, &pulse_);
    // The loop never sleeps for long, so that what other threads did is noticed.
    uv_timer_start(
        &pulse_, [](uv_timer_t*) {}, 5, 5);
  }

  // Whatever lives on the loop must be destroyed by now: its handles close here, and none is left.
  ~LoopTest() override {
    uv_close(reinterpret_cast<uv_handle_t*>(&pulse_), nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop_), 0) << "a handle was left open";
  }

  bool RunUntil(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + e2e::kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      uv_run(&loop_, UV_RUN_ONCE);
    }
    return true;
  }

  void RunFor(uint64_t ms) {
    uv_update_time(&loop_);
    const uint64_t end = uv_now(&loop_) + ms;
    while (uv_now(&loop_) < end) uv_run(&loop_, UV_RUN_ONCE);
  }

  uv_loop_t loop_{};

 private:
  uv_timer_t pulse_;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_IO_LOOP_FIXTURE_H_
