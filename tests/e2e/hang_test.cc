// A node hangs, or only seems to: reads go on at once, a hang is noticed by silence alone, and a
// pause promotes nobody.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::hang_test {
namespace {

using Clock = std::chrono::steady_clock;
using Ms = std::chrono::milliseconds;

// Clients that read one key again and again, and remember the longest wait.
class Readers {
 public:
  Readers(uint16_t port, std::string key, std::string value, int threads)
      : port_(port), key_(std::move(key)), value_(std::move(value)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Readers() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  uint64_t answered() const { return answered_; }
  bool WaitForMore(uint64_t reads) const {
    const uint64_t goal = answered_ + reads;
    return Eventually([&] { return answered_ >= goal || !Error().empty(); }) && Error().empty();
  }
  std::string Error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  // Since the last call.
  Ms TakeLongest() { return Ms(longest_ms_.exchange(0)); }

 private:
  void Work() {
    try {
      Client client(port_);
      while (!stop_) {
        const Clock::time_point start = Clock::now();
        const std::string reply = client("GET", key_).Text();
        const int64_t took_ms = std::chrono::duration_cast<Ms>(Clock::now() - start).count();
        if (reply != value_) throw std::runtime_error("GET answered " + reply);
        ++answered_;
        for (int64_t longest = longest_ms_;
             took_ms > longest && !longest_ms_.compare_exchange_weak(longest, took_ms);) {
        }
        std::this_thread::sleep_for(Ms(1));
      }
    } catch (const std::runtime_error& error) {
      const std::lock_guard lock(mutex_);
      error_ = error.what();
    }
  }

  const uint16_t port_;
  const std::string key_;
  const std::string value_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> answered_{0};
  std::atomic<int64_t> longest_ms_{0};
  mutable std::mutex mutex_;
  std::string error_;
  std::vector<std::thread> threads_;
};

ClusterOptions Options(const std::string& health, const std::string& read = "hedge_ms = 50",
                       int copies = 2) {
  return {.shards = 1,
          .copies = copies,
          .sections = {{"health", health},
                       {"read", read},
                       {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}}};
}

constexpr const char* kSlowToJudge =
    "interval_ms = 200\ntimeout_ms = 3000\nmin_timeout_ms = 3000\nfailures = 3";

TEST(Hang, ReadsGoOnWhileThePrimaryHangs) {
  Cluster cluster(Options(kSlowToJudge));
  EXPECT_EQ(cluster.Connect()("SET", "read:key", "v"), "OK");
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  Readers readers(cluster.proxy().port(), "read:key", "v", 4);
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_TRUE(readers.WaitForMore(200));
  readers.TakeLongest();
  cluster.node(0, 0).Pause();
  const Clock::time_point start = Clock::now();
  // Long before the hang is judged.
  EXPECT_TRUE(readers.WaitForMore(400)) << readers.Error();
  if (Clock::now() - start < Ms(2500)) {
    EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 0).address());
    EXPECT_LT(readers.TakeLongest(), Ms(500));
  }
  // Then the writes are answered, too.
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_TRUE(readers.WaitForMore(200)) << readers.Error();
  EXPECT_TRUE(Eventually([&] { return cluster.Figure("hedge_wins") > 0; }));
  EXPECT_GE(cluster.Figure("hedged_reads"), cluster.Figure("hedge_wins"));
  cluster.node(0, 0).Resume();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(load.WaitForMore(500));
  load.Stop();
  readers.Stop();
  EXPECT_EQ(readers.Error(), "");
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(Hang, WritesWaitNoLongerThanTheTimeout) {
  // `failures` and the interval have no say where requests wait.
  Cluster cluster(Options("interval_ms = 60000\ntimeout_ms = 1000\nfailures = 100"));
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  cluster.node(0, 0).Pause();
  const Clock::time_point start = Clock::now();
  EXPECT_EQ(client("SET", "k", "w"), "OK");
  const auto took = Clock::now() - start;
  EXPECT_GE(took, Ms(300));  // it was no hard error
  EXPECT_LT(took, Ms(10000));
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 1).address());
  EXPECT_EQ(client("GET", "k"), "w");
  cluster.node(0, 0).Resume();
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Status(0).Node(cluster.node(0, 0).address()).state == "in-sync"; }));
  cluster.ExpectCopiesEqual();
}

TEST(Hang, AnIdlePrimaryThatHangsIsFoundByItsProbes) {
  Cluster cluster(Options("interval_ms = 100\ntimeout_ms = 500\nfailures = 3"));
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  cluster.node(0, 0).Pause();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  EXPECT_EQ(cluster.Status(0).Node(cluster.node(0, 0).address()).health, "down");
  EXPECT_EQ(cluster.Connect()("GET", "k"), "v");
  cluster.node(0, 0).Resume();
  EXPECT_TRUE(cluster.WaitUntilInSync());
}

TEST(Hang, APausePromotesNobody) {
  Cluster cluster(
      Options("interval_ms = 100\ntimeout_ms = 3000\nmin_timeout_ms = 1500\nfailures = 3"));
  const int64_t epoch = cluster.Status(0).epoch;
  EXPECT_EQ(cluster.Connect()("SET", "read:key", "v"), "OK");
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  Readers readers(cluster.proxy().port(), "read:key", "v", 2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(load.WaitForMore(300));
    EXPECT_TRUE(readers.WaitForMore(100));
    EXPECT_EQ(cluster.node(0, 0).Connect()("DEBUG", "SLEEP", "0.4"), "OK");
  }
  EXPECT_TRUE(load.WaitForMore(300));
  EXPECT_TRUE(readers.WaitForMore(100));
  EXPECT_EQ(cluster.Status(0).epoch, epoch);
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 0).address());
  EXPECT_TRUE(Eventually([&] { return cluster.Figure("hedged_reads") > 0; }));
  load.Stop();
  readers.Stop();
  EXPECT_EQ(readers.Error(), "");
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(Hang, AHungReplicaCostsReadsNothingAndWritesTheTimeout) {
  Cluster cluster(Options("interval_ms = 100\ntimeout_ms = 2000\nmin_timeout_ms = 1000",
                          "from = \"replica\"\nhedge_ms = 50"));
  EXPECT_EQ(cluster.Connect()("SET", "read:key", "v"), "OK");
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  Readers readers(cluster.proxy().port(), "read:key", "v", 3);
  EXPECT_TRUE(load.WaitForMore(300));
  EXPECT_TRUE(readers.WaitForMore(100));
  readers.TakeLongest();
  cluster.node(0, 1).Pause();
  const Clock::time_point start = Clock::now();
  EXPECT_TRUE(readers.WaitForMore(200));
  // Before the hang could be judged: only then a longer wait is the hedge's, and not the machine's.
  if (Clock::now() - start < Ms(900)) {
    EXPECT_LT(readers.TakeLongest(), Ms(500));
  }
  EXPECT_TRUE(Eventually(
      [&] { return cluster.Status(0).Node(cluster.node(0, 1).address()).state == "stale"; }));
  const auto took = Clock::now() - start;
  EXPECT_GE(took, Ms(500));  // it was no hard error
  EXPECT_LT(took, Ms(10000));
  EXPECT_TRUE(load.WaitForMore(300));
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 0).address());
  cluster.node(0, 1).Resume();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  load.Stop();
  readers.Stop();
  EXPECT_EQ(readers.Error(), "");
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(Hang, FlappingUnderLoad) {
  Cluster cluster(Options("interval_ms = 100\ntimeout_ms = 600\nmin_timeout_ms = 300"));
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(load.WaitForMore(200));
    cluster.node(0, 0).Pause();
    std::this_thread::sleep_for(Ms(700));
    cluster.node(0, 0).Resume();
    std::this_thread::sleep_for(Ms(300));
  }
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(load.WaitForMore(200));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::hang_test
