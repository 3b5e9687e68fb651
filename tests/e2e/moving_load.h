// Clients that write and read on threads of their own while keys may get other owners, and know
// which answers they may get.

#ifndef GEMEL_TESTS_E2E_MOVING_LOAD_H_
#define GEMEL_TESTS_E2E_MOVING_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/client.h"

namespace gemel::e2e {

// Each thread is one connection with keys of its own: counters that only grow, and values each of
// which is written once. So every answer can be told: it is what the thread wrote last (in the
// order of its requests, pipelined or not), or a miss, which is allowed only for a key that got
// another owner since it was written. Anything else is an old value, a lost or doubled write, or an
// answer in the wrong place; that, an error reply and a closed connection are errors.
class MovingLoad {
 public:
  struct Options {
    int threads = 4;
    int keys = 12;            // of each kind, a thread
    int pipeline = 6;         // requests of one thread under way at once; half of `keys` at most
    std::string prefix = {};  // of the keys' names; loads at one time must differ in it
  };

  MovingLoad(uint16_t port, Options options);
  explicit MovingLoad(uint16_t port) : MovingLoad(port, Options{}) {}
  ~MovingLoad() { Stop(); }

  // Ends after the requests under way.
  void Stop();
  uint64_t answered() const { return answered_; }
  // Returns once so many more requests are answered, or an error is seen, or patience ends.
  bool WaitForMore(uint64_t requests) const;
  bool HasErrors() const { return !Errors().empty(); }
  std::string Errors() const;  // one a line

  // Runs `change`; when it returns, what it changes has taken effect. Which keys it gave to another
  // owner PROXY EXPLAIN tells.
  void WhileOwnersChange(const std::function<void()>& change);

  // Test failures for every error and every miss that was not allowed, also of a last look at all
  // keys. After Stop.
  void Verify();
  // Of all; how many were answered "no such key" and allowed.
  size_t allowed_misses() const { return allowed_; }

 private:
  struct Key {
    std::string name;
    int64_t count = 0;     // the last number acknowledged; 0: none, or deleted
    uint64_t written = 0;  // generation_ before that was sent
  };
  struct Keys {
    std::vector<Key> counters;
    std::vector<Key> values;
    int64_t next = 1;  // of a value
  };
  // A key that was not there, though it was written.
  struct Miss {
    std::string key;
    uint64_t written;  // generation_ when it was, and when it was missed
    uint64_t missed;
    std::string text;
  };
  enum class Kind { kIncr, kGetCount, kSet, kGet, kMget, kDel, kEcho };
  struct Asked {
    Kind kind;
    size_t at;
    int64_t number;
  };

  // The i-th of the values that an MGET at step `at` asks for: those that the rest of the batch
  // does not write. (When a node dies, a read that it did not answer is sent to the other copy,
  // which may have had the rest already.)
  static constexpr size_t kMgetKeys = 6;
  static const Key& MgetKey(const Keys& keys, size_t at, size_t i) {
    return keys.values[(at + keys.values.size() - i) % keys.values.size()];
  }

  void Work(int thread);
  Asked Ask(Client* client, Keys* keys, uint64_t step);
  // An error text; empty if the reply is right.
  std::string Judge(Keys* keys, const Asked& asked, const Reply& reply, uint64_t sent);
  std::string JudgeValue(const Key& key, const Reply& reply);
  void AddMiss(const Key& key, const std::string& text);
  void AddError(const std::string& error);
  std::map<std::string, std::string> Owners() const;

  const uint16_t port_;
  const Options options_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> answered_{0};
  // Odd while owners change: change k makes it 2k + 1 when it begins and 2k + 2 when it has ended.
  std::atomic<uint64_t> generation_{0};
  std::vector<std::map<std::string, std::string>> moved_;  // [k]: key -> "a -> b"
  std::vector<Keys> keys_;  // [thread]: each touched by its thread only
  std::vector<std::string> names_;
  size_t allowed_ = 0;
  mutable std::mutex mutex_;
  std::vector<Miss> misses_;
  std::vector<std::string> errors_;
  std::vector<std::thread> threads_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_MOVING_LOAD_H_
