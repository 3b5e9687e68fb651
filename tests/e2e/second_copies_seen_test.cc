// What who reads a second copy itself sees of writes that another copy executed first.

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::second_copies_seen_test {
namespace {

// Who reads the second copy itself sees all keys of a script change at once.
TEST(SecondCopiesSeen, SeenAtOnceOnTheSecondCopy) {
  Cluster cluster({.shards = 1});
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Client client = cluster.Connect();
    for (int i = 0; !stop; ++i) {
      client("EVAL", "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1])", "2",
             "{t}a", "{t}b", std::to_string(i));
    }
  });
  Client reader = cluster.node(0, 1).Connect();
  std::set<std::string> seen;
  while (seen.size() < 200) {
    const Reply both = reader("MGET", "{t}a", "{t}b");
    EXPECT_EQ(both.items[0].Text(), both.items[1].Text());
    seen.insert(both.items[0].Text());
    if (HasFailure()) break;
  }
  stop = true;
  writer.join();
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::second_copies_seen_test
