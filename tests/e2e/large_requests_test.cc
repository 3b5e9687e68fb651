// One client asks for very much, in one piece or in very many: the others go on, and nobody is
// taken for dead.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::large_requests_test {
namespace {

constexpr uint64_t kMb = 1 << 20;
uint64_t Slack() { return (ProxySanitizer() == Sanitizer::kNone ? 64 : 1000) * kMb; }

class LargeRequests : public ::testing::Test {
 protected:
  LargeRequests() : cluster_({.shards = 1}), load_(cluster_.proxy().port(), {.threads = 2}) {
    EXPECT_TRUE(load_.WaitForMore(100));
    before_ = cluster_.proxy().ResidentBytes();
    watch_ = std::thread([this] {
      while (!done_) {
        most_ = std::max(most_, cluster_.proxy().ResidentBytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  }
  ~LargeRequests() override { EndWatch(); }
  void EndWatch() {
    done_ = true;
    if (watch_.joinable()) watch_.join();
  }
  // No other client saw an error, nobody was promoted, and no more memory was taken.
  void ExpectNothingElse(uint64_t memory) {
    EXPECT_TRUE(load_.WaitForMore(100));
    load_.Stop();
    load_.Verify(cluster_.proxy().port());
    EndWatch();
    EXPECT_LT(most_, before_ + memory + Slack());
    EXPECT_EQ(cluster_.Status(0).primary, cluster_.node(0, 0).address());
    cluster_.ExpectCopiesEqual();
  }

  Cluster cluster_;
  Load load_;
  uint64_t before_ = 0;
  std::atomic<bool> done_{false};
  uint64_t most_ = 0;
  std::thread watch_;
};

// Each time all of its keys are in doubt, and it waits for the repair of some of them.
TEST_F(LargeRequests, VeryManyKeysWhileLinksBreak) {
  Words mset = {"MSET"};
  for (int i = 0; i < 100000; ++i) {
    mset.push_back("key:" + std::to_string(i));
    mset.push_back("v");
  }
  std::atomic<int> sent{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      Client client = cluster_.Connect();
      for (int j = 0; j < 8; ++j) {
        EXPECT_EQ(client.Run(mset), "OK");
        ++sent;
      }
    });
  }
  while (sent < 16 && !HasFailure()) {
    Client replica = cluster_.node(0, 1).Connect();
    replica("CLIENT", "KILL", "TYPE", "normal");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(cluster_.proxy().Logs("lost the connection to " + cluster_.node(0, 1).address()));
  ExpectNothingElse(300 * kMb);
}

TEST_F(LargeRequests, AVeryLargeValue) {
  constexpr uint64_t kSize = 100 * kMb;
  Client client = cluster_.Connect();
  EXPECT_EQ(client("SET", "big", std::string(kSize, 'x')), "OK");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(client("GET", "big").bytes.size(), kSize + static_cast<uint64_t>(i));
    EXPECT_EQ(client("APPEND", "big", "y"),
              ":" + std::to_string(kSize + 1 + static_cast<uint64_t>(i)));
  }
  EXPECT_EQ(client("SET", "big", std::string(kSize, 'z')), "OK");
  // The request, or the reply, and what of it is on its way.
  ExpectNothingElse(3 * kSize);
  EXPECT_FALSE(Has(cluster_.proxy().Log(), "lost the connection to"));
}

// Of one who reads, of one who reads late and of one who never does.
TEST_F(LargeRequests, AFloodOfVerySmallOnes) {
  std::string gets;
  for (int i = 0; i < 2000; ++i) gets += Encode({"GET", "q"});
  RawSocket silent(cluster_.proxy().port());
  RawSocket late(cluster_.proxy().port());
  RawSocket reader(cluster_.proxy().port());
  size_t silent_sent = 0;
  size_t late_sent = 0;
  const auto next = [&](size_t sent) { return std::string_view(gets).substr(sent % gets.size()); };
  for (int i = 0; i < 400; ++i) {
    silent_sent += silent.SendSome(next(silent_sent));
    late_sent += late.SendSome(next(late_sent));
    reader.Send(gets);
    reader.Read(2000 * 5);
  }
  late.Read(late_sent / (gets.size() / 2000) * 5);
  ExpectNothingElse(64 * kMb);
  EXPECT_FALSE(Has(cluster_.proxy().Log(), "lost the connection to"));
}

// More than would ever stand in line at a node, if they were let.
TEST_F(LargeRequests, AFloodByManyClients) {
  constexpr int kGets = 20000;
  std::string gets;
  for (int i = 0; i < kGets; ++i) gets += Encode({"GET", "q"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 30; ++i) {
    threads.emplace_back([&] {
      try {
        RawSocket socket(cluster_.proxy().port());
        for (int j = 0; j < 2; ++j) {
          socket.Send(gets);
          socket.Read(kGets * 5);
        }
      } catch (const std::runtime_error& failure) {
        ADD_FAILURE() << failure.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ExpectNothingElse(64 * kMb);
  EXPECT_FALSE(Has(cluster_.proxy().Log(), "lost the connection to"));
}

}  // namespace
}  // namespace gemel::e2e::large_requests_test
