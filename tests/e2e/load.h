// Clients that write and read on threads of their own, and know what the data must be in the end.

#ifndef GEMEL_TESTS_E2E_LOAD_H_
#define GEMEL_TESTS_E2E_LOAD_H_

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/wait.h"

namespace gemel::e2e {

// Each thread has its own keys: a counter, a value that it replaces and a list that it lengthens,
// and it reads its own writes back. Every unexpected reply, and every closed connection, is an
// error.
class Load {
 public:
  struct Options {
    int threads = 4;
    int keys = 8;           // of each kind, a thread
    int pipeline = 1;       // requests of one thread under way at once
    std::string name = {};  // in its keys' names: two at a time have different ones
  };

  Load(uint16_t port, Options options);
  ~Load() { Stop(); }

  // Ends after the requests under way.
  void Stop();
  uint64_t answered() const { return answered_; }
  // Returns once so many more requests are answered, or an error is seen, or patience ends.
  ::testing::AssertionResult WaitForMore(uint64_t requests,
                                         std::chrono::milliseconds patience = kPatience) const;
  bool HasErrors() const;
  // Test failures for every error seen; and, read through `port`, for every value that is not the
  // last one acknowledged. After Stop.
  void Verify(uint16_t port);

 private:
  std::string Name(const char* kind, int thread, size_t key) const;
  struct Key {
    int64_t count = 0;  // acknowledged INCRs
    int64_t value = 0;  // the last value acknowledged
    int64_t list = 0;   // acknowledged RPUSHes
  };
  void Work(int thread);
  void AddError(const std::string& error);

  const uint16_t port_;
  const Options options_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> answered_{0};
  std::vector<std::vector<Key>> keys_;  // [thread][key]: each touched by its thread only
  mutable std::mutex mutex_;
  std::vector<std::string> errors_;
  std::vector<std::thread> threads_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_LOAD_H_
