// Clients of a cache: threads that write keys which are evicted or expire under them, and know what
// of them is gone.

#ifndef GEMEL_TESTS_E2E_CACHE_LOAD_H_
#define GEMEL_TESTS_E2E_CACHE_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/client.h"

namespace gemel::e2e {

class CacheWriter;

// Each thread has hashes, sets, sorted sets, lists and strings of its own. What it adds carries a
// counter, and it asks for the size of the key behind each addition. A key goes as a whole or not
// at all, so the size tells which additions are gone: all but the last so many. One that is there
// all the same, then or later, has come back. Every unexpected reply, and every closed connection,
// is an error.
class CacheLoad {
 public:
  enum class Kind {
    kFull,     // more than there is room for, after that much was written at once
    kExpiries  // TTLs of 20 to 400 ms, and additions around the moment at which each ends
  };
  struct Options {
    Kind kind = Kind::kFull;
    int threads = 3;
    bool ttls = false;         // everything has a TTL
    bool multi_key = false;    // RENAME, COPY, SUNIONSTORE, LMOVE too: all keys lie on one shard
    bool may_be_full = false;  // OOM is an answer
    // Reads go to one copy or another, which may hear a moment apart of what is gone. What was gone
    // on any of them must still not be there when LookAgain is called.
    bool any_copy = false;
    std::string prefix = "e";  // of all keys; loads on the same nodes differ in it
  };

  CacheLoad(uint16_t port, Options options);
  ~CacheLoad();

  // Ends after the requests under way.
  void Stop();
  // Returns once so many more requests are answered, or an error is seen, or patience ends.
  bool WaitForMore(uint64_t requests) const;
  bool HasErrors() const;
  // Additions that were seen to be gone: without any, a test has shown nothing.
  uint64_t gone() const;
  // The functions below after Stop.
  // Reads all keys, and forgets what is gone by now: it must not be there the next time.
  void LookAgain(uint16_t port);
  // Every error, and every addition that came back, one a line; empty: none.
  std::string Errors() const;

 private:
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> answered_{0};
  std::vector<std::unique_ptr<CacheWriter>> writers_;
  std::vector<std::thread> threads_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CACHE_LOAD_H_
