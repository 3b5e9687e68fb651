// Which clients are on this machine, how wrong passwords slow down more of them, and what is said.

#include "proxy/session/state/access_guard.h"

#include <gtest/gtest.h>

#include <vector>

namespace gemel::access_guard_test {
namespace {

TEST(AccessGuardTest, LocalPeers) {
  for (const char* local : {"127.0.0.1:1", "127.255.0.9:65535", "[::1]:1", "[::ffff:127.0.0.1]:1",
                            "[::ffff:7f00:1]:1", "unix:0", "unix:/run/g.sock"}) {
    EXPECT_TRUE(IsLocalPeer(local)) << local;
  }
  for (const char* other :
       {"", "?", ":1", "128.0.0.1:1", "10.0.0.1:127", "[::2]:1", "[::]:1", "[::ffff:10.0.0.1]:1",
        "[fe80::1%lo]:1", "[::127.0.0.1]:1", "127.0.0.1.example.com:1", "0.0.0.0:1", "127.1:1",
        "localhost:1", "127.0.0.1"}) {
    EXPECT_FALSE(IsLocalPeer(other)) << other;
  }
}

TEST(AccessGuardTest, Networks) {
  EXPECT_EQ(NetworkOf("10.0.0.1:1"), NetworkOf("10.0.0.1:2"));
  EXPECT_NE(NetworkOf("10.0.0.1:1"), NetworkOf("10.0.0.2:1"));
  EXPECT_EQ(NetworkOf("[::ffff:10.0.0.1]:1"), NetworkOf("10.0.0.1:9"));
  EXPECT_EQ(NetworkOf("[2001:db8:0:1::1]:1"), NetworkOf("[2001:db8:0:1:ffff::2]:9"));
  EXPECT_NE(NetworkOf("[2001:db8:0:1::1]:1"), NetworkOf("[2001:db8:0:2::1]:1"));
  EXPECT_EQ(NetworkOf("unix:0"), NetworkOf("unix:1"));
}

class AccessGuards : public testing::Test {
 protected:
  void Fail(const char* peer, int times = 1) {
    for (int i = 0; i < times; ++i) guard_.Note(Rejection::kPassword, peer, now_ms_);
  }

  uint64_t now_ms_ = 5000;
  std::vector<std::string> lines_;
  AccessGuard guard_{[this](const std::string& line) { lines_.push_back(line); }};
};

TEST_F(AccessGuards, OneConnectionWaitsTwiceAsLongEachTime) {
  uint64_t wanted = 0;
  for (uint32_t failures = 0; failures < 40; ++failures) {
    EXPECT_EQ(guard_.WaitMs("10.0.0.1:1", failures, now_ms_), wanted) << failures;
    wanted = failures == 0 ? AccessGuard::kFirstWaitMs
                           : std::min(2 * wanted, AccessGuard::kLongestWaitMs);
  }
  EXPECT_EQ(guard_.networks(), 0u) << "who asks is not remembered";
}

TEST_F(AccessGuards, NewConnectionsOfAnAddressWaitUpToASecond) {
  Fail("10.0.0.1:1", static_cast<int>(AccessGuard::kFree));
  EXPECT_EQ(guard_.WaitMs("10.0.0.1:2", 0, now_ms_), 0u);
  Fail("10.0.0.1:3");
  EXPECT_EQ(guard_.WaitMs("10.0.0.1:2", 0, now_ms_), static_cast<uint64_t>(AccessGuard::kStepMs));
  Fail("10.0.0.1:3", 1000000);
  EXPECT_EQ(guard_.WaitMs("10.0.0.1:2", 0, now_ms_), AccessGuard::kLongestNetworkWaitMs);
  EXPECT_EQ(guard_.WaitMs("10.0.0.1:2", 9, now_ms_), AccessGuard::kLongestWaitMs);
  EXPECT_EQ(guard_.WaitMs("10.0.0.2:2", 0, now_ms_), 0u) << "another address";
  now_ms_ += 120 * 1000;
  EXPECT_EQ(guard_.WaitMs("10.0.0.1:2", 0, now_ms_), 0u) << "forgotten";
}

TEST_F(AccessGuards, RemembersSoManyAddresses) {
  Fail("10.1.1.1:1", 1000);
  for (unsigned i = 0; i < 3 * AccessGuard::kMaxNetworks; ++i) {
    const std::string peer = "11.0." + std::to_string(i / 256) + "." + std::to_string(i % 256);
    Fail((peer + ":1").c_str());
    EXPECT_LE(guard_.networks(), AccessGuard::kMaxNetworks);
    // Who is heard of stays.
    EXPECT_GT(guard_.WaitMs("10.1.1.1:1", 0, now_ms_), 0u);
  }
}

TEST_F(AccessGuards, TellsTheAddressAndHowManyMore) {
  Fail("10.0.0.1:77", 500);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0], "the client 10.0.0.1:77 gave a wrong user or password");
  Fail("10.0.0.2:1");
  ASSERT_EQ(lines_.size(), 2u) << "another address has a line of its own";
  guard_.Note(Rejection::kCrossProtocol, "10.0.0.1:78", now_ms_);
  ASSERT_EQ(lines_.size(), 3u) << "and so has another reason";
  EXPECT_NE(lines_[2].find("Possible SECURITY ATTACK detected"), std::string::npos);
  EXPECT_NE(lines_[2].find("Connection from 10.0.0.1:78 aborted."), std::string::npos);
  now_ms_ += AccessGuard::kLineEveryMs;
  Fail("10.0.0.1:79");
  ASSERT_EQ(lines_.size(), 4u);
  EXPECT_EQ(lines_[3],
            "the client 10.0.0.1:79 gave a wrong user or password; from its address there were 499 "
            "more since the last such line");
  Fail("10.0.0.1:80");
  EXPECT_EQ(lines_.size(), 4u);
}

TEST_F(AccessGuards, ManyAddressesHaveFewLines) {
  for (int second = 0; second < 3; ++second, now_ms_ += 1000) {
    for (int i = 0; i < 1000; ++i) {
      Fail(("10.0." + std::to_string(second) + "." + std::to_string(i % 256) + ":1").c_str());
    }
    EXPECT_LE(lines_.size(), (second + 1) * AccessGuard::kLinesPerSecond);
  }
  EXPECT_GE(lines_.size(), 3u);
}

}  // namespace
}  // namespace gemel::access_guard_test
