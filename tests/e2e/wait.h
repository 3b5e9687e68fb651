// Waiting for something to become true.

#ifndef GEMEL_TESTS_E2E_WAIT_H_
#define GEMEL_TESTS_E2E_WAIT_H_

#include <chrono>
#include <functional>
#include <thread>

namespace gemel::e2e {

// Long enough for a busy machine under a sanitizer. No test depends on how long something takes.
inline constexpr std::chrono::seconds kPatience{60};

// Asks `condition` again and again until it is true or patience ends; returns what it last said.
inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// For a thread that asks one thing after the other until it is told to stop: without a pause the
// few of one test keep a machine busy, on which other tests run.
inline void LetOthersRun() { std::this_thread::sleep_for(std::chrono::microseconds(300)); }

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_WAIT_H_
