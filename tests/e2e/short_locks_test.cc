// Locks that live for a moment, taken anew as soon as they have expired: each time that a client
// was told that it has the lock, nobody else gets it before it expires. (A key that is removed and
// written at about the same time on two copies must not lose what was written.)

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::short_locks_test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLife = std::chrono::milliseconds(300);
// Nodes count in milliseconds of a clock of their own.
constexpr auto kGrain = std::chrono::milliseconds(5);
constexpr int kLocks = 40;
constexpr int kClients = 4;
constexpr size_t kTimes = 8;  // that each lock is taken

constexpr char kTake[] = "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', 300)";

struct Way {
  const char* name;
  int workers;
  std::vector<Words> (*requests)(const std::string& lock);  // the last one's answer counts
};
std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }

std::vector<Words> Plain(const std::string& lock) {
  return {{"SET", lock, "me", "NX", "PX", "300"}};
}
std::vector<Words> Script(const std::string& lock) { return {{"EVAL", kTake, "1", lock, "me"}}; }
// It writes another key, too, so that what is in doubt of one is so of the other.
std::vector<Words> ScriptOfTwo(const std::string& lock) {
  return {{"EVAL",
           "local took = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', 300) "
           "if took then redis.call('RPUSH', KEYS[2], ARGV[1]) redis.call('LTRIM', KEYS[2], -5, "
           "-1) end "
           "return took",
           "2", lock, "list:" + lock, "me"}};
}
std::vector<Words> Transaction(const std::string& lock) {
  return {{"MULTI"}, {"SET", lock, "me", "NX", "PX", "300"}, {"EXEC"}};
}

struct Held {
  Clock::time_point asked;
  Clock::time_point told;
};

class ShortLocks : public testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Ways, ShortLocks,
                         testing::Values(Way{"Plain", 1, Plain}, Way{"Script", 1, Script},
                                         Way{"ScriptThreaded", 2, Script},
                                         Way{"ScriptOfTwoThreaded", 2, ScriptOfTwo},
                                         Way{"TransactionThreaded", 2, Transaction}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(ShortLocks, NobodyGetsOneThatAnotherHas) {
  Cluster cluster({.shards = 1, .workers = GetParam().workers});
  std::mutex mutex;
  std::map<std::string, std::vector<Held>> held;
  const auto end = Clock::now() + std::chrono::seconds(30);
  const auto enough = [&] {
    std::lock_guard<std::mutex> lock(mutex);
    return held.size() == kLocks && std::all_of(held.begin(), held.end(), [](const auto& one) {
             return one.second.size() >= kTimes;
           });
  };
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      Client client(cluster.proxy().port());
      while (!enough() && Clock::now() < end) {
        for (int n = 0; n < kLocks; ++n) {
          const std::string name = "lock:" + std::to_string(n);
          const auto asked = Clock::now();
          Reply answer;
          const std::vector<Words> requests = GetParam().requests(name);
          for (const Words& request : requests) client.Append(request);
          for (size_t k = 0; k < requests.size(); ++k) answer = client.Read();
          ASSERT_FALSE(answer.IsError()) << answer;
          const auto told = Clock::now();
          if (!answer.items.empty()) answer = answer.items.at(0);
          if (answer != "OK") continue;
          std::lock_guard<std::mutex> lock(mutex);
          held[name].push_back({asked, told});
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(enough());
  for (auto& [name, times] : held) {
    std::sort(times.begin(), times.end(),
              [](const Held& a, const Held& b) { return a.asked < b.asked; });
    for (size_t i = 1; i < times.size(); ++i) {
      // It was taken somewhere between what was asked and what was told.
      const auto apart = std::max(times[i].told, times[i - 1].told) - times[i - 1].asked;
      EXPECT_GE(apart, kLife - kGrain) << name << ": taken twice";
    }
  }
  // What expires between the looks at two nodes would be a difference.
  const std::string lists =
      GetParam().requests == ScriptOfTwo ? ":" + std::to_string(kLocks) : ":0";
  for (int copy = 0; copy < cluster.copies(); ++copy) {
    EXPECT_TRUE(Eventually([&] { return cluster.node(0, copy).Connect()("DBSIZE") == lists; }));
  }
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::short_locks_test
