// Threads of a test that do the same again and again.

#ifndef GEMEL_TESTS_E2E_CROWD_H_
#define GEMEL_TESTS_E2E_CROWD_H_

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/wait.h"

namespace gemel::e2e {

// Threads that go on until they are told to stop; what they complain of, and how far they are.
class Crowd {
 public:
  ~Crowd() { Stop(); }
  void Start(int threads, const std::function<void(int)>& work) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, work, i] {
        try {
          work(i);
        } catch (const std::exception& e) {
          Complain(e.what());
        }
      });
    }
  }
  void Stop() {
    stop_ = true;
    Join();
  }
  // Those that end by themselves.
  void Join() {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  bool stopped() const { return stop_; }
  void Complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (complaints_.size() < 10) complaints_.push_back(what.substr(0, 1000));
  }
  void Done() { ++done_; }
  int64_t done() const { return done_; }
  // Returns once so many more are done, or there is a complaint, or patience ends.
  bool WaitForMore(int64_t more) {
    const int64_t goal = done_ + more;
    return Eventually([&] { return done_ >= goal || HasComplaints(); }) && !HasComplaints();
  }
  void ExpectNoComplaints() {
    const std::lock_guard lock(mutex_);
    for (const std::string& complaint : complaints_) ADD_FAILURE() << complaint;
  }

 private:
  bool HasComplaints() {
    const std::lock_guard lock(mutex_);
    return !complaints_.empty();
  }

  std::atomic<bool> stop_{false};
  std::atomic<int64_t> done_{0};
  std::mutex mutex_;
  std::vector<std::string> complaints_;
  std::vector<std::thread> threads_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CROWD_H_
