// Clients of the members of a fleet that count on threads of their own, and watch that no count
// goes back whichever member tells it.

#ifndef GEMEL_TESTS_E2E_FLEET_LOAD_H_
#define GEMEL_TESTS_E2E_FLEET_LOAD_H_

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/client.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {

// Each thread has counters of its own. It increments one over its member, and then reads it over
// another one. Who loses its connection makes another to the same member, again and again.
class FleetLoad {
 public:
  struct Options {
    int threads = 2;  // of each member
    int keys = 6;     // of each thread
  };

  explicit FleetLoad(std::vector<uint16_t> ports) : FleetLoad(std::move(ports), Options{}) {}
  FleetLoad(std::vector<uint16_t> ports, Options options);
  ~FleetLoad() { Stop(); }
  FleetLoad(const FleetLoad&) = delete;
  FleetLoad& operator=(const FleetLoad&) = delete;

  // Ends after the requests under way.
  void Stop();
  // Returns once clients of that member have so many more answers, or patience ends.
  ::testing::AssertionResult WaitForMore(int member, uint64_t answers,
                                         std::chrono::milliseconds patience = kPatience) const;
  // What clients of that member were told other than they should, each text once. A connection that
  // was lost is "closed".
  std::vector<std::string> Errors(int member) const;
  // Test failures for errors of that member.
  void ExpectNoErrors(int member) const;
  // Test failures for every count that went back, and, read through `port`, for each that is less
  // than what was acknowledged, or more than that and what may have been carried out. After Stop.
  void Verify(uint16_t port);

 private:
  struct Count {
    int64_t acked = 0;
    int64_t unknown = 0;
  };
  struct Worker {
    int member = 0;
    std::vector<Count> counts;
    std::vector<std::optional<Client>> clients;  // to each member
  };
  void Work(size_t index);
  void Increment(Worker* worker, const std::string& key, Count* count);
  void Read(Worker* worker, int member, const std::string& key, const Count& count);
  // Nothing if the member could not be reached, or an error was told; *unknown: the command may
  // have been carried out.
  std::optional<int64_t> Ask(Worker* worker, int member, const Words& words, bool* unknown);
  void AddError(int member, const std::string& error);
  static std::string KeyOf(size_t worker, size_t key);

  const std::vector<uint16_t> ports_;
  std::atomic<bool> stop_{false};
  std::vector<std::atomic<uint64_t>> answered_;  // of each member
  std::vector<Worker> workers_;                  // each touched by its thread only
  mutable std::mutex mutex_;
  std::vector<std::vector<std::string>> errors_;  // of each member
  std::vector<std::string> stale_;
  std::vector<std::thread> threads_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_FLEET_LOAD_H_
