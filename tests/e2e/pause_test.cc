// gemel itself is stopped for a while, as by docker pause, a snapshot of its machine or a debugger:
// nothing has aged when it goes on.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::pause_test {
namespace {

using Ms = std::chrono::milliseconds;

// Longer than every timeout of the configs here.
constexpr Ms kPause{3500};

ClusterOptions Options(int copies, const std::string& timeouts) {
  return {.shards = 1,
          .copies = copies,
          .sections = {{"health", "interval_ms = 500\ntimeout_ms = 1000\nfailures = 3"},
                       {"timeouts", timeouts}}};
}

void Pause(Cluster* cluster) {
  cluster->proxy().Signal(SIGSTOP);
  std::this_thread::sleep_for(kPause);
  cluster->proxy().Signal(SIGCONT);
}

int64_t Stat(const Cluster& cluster, const std::string& field) {
  const std::string text = cluster.Connect()("INFO", "stats").bytes;
  const size_t at = text.find(field + ":");
  return at == std::string::npos ? -1 : std::stoll(text.substr(at + field.size() + 1));
}

class Pausing : public ::testing::TestWithParam<int> {};  // the copies of the shard

TEST_P(Pausing, UnderLoadNobodyNotices) {
  Cluster cluster(Options(GetParam(), "request_ms = 2000\nconnect_ms = 1000"));
  const int64_t epoch = cluster.Status(0).epoch;
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(load.WaitForMore(1000));
    Pause(&cluster);
    EXPECT_TRUE(load.WaitForMore(1000));
  }
  load.Stop();
  load.Verify(cluster.proxy().port());
  EXPECT_EQ(cluster.Status(0).epoch, epoch);
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 0).address());
  EXPECT_EQ(cluster.Connect()("PROXY", "EVENTS").Text().find("lost the connection"),
            std::string::npos);
  EXPECT_TRUE(cluster.WaitUntilInSync());
  if (GetParam() > 1) cluster.ExpectCopiesEqual();
}

INSTANTIATE_TEST_SUITE_P(Copies, Pausing, ::testing::Values(1, 2),
                         [](const auto& copies) { return std::to_string(copies.param); });

TEST(Pause, ClientsThatAreIdleHaveNotAged) {
  Cluster cluster(Options(1, "idle_s = 2"));
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  Pause(&cluster);
  // A moment for what would close it.
  Client other = cluster.Connect();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(other("PING"), "PONG");
    std::this_thread::sleep_for(Ms(20));
  }
  EXPECT_EQ(client("GET", "k"), "v");
  // Time goes on all the same.
  EXPECT_TRUE(Eventually([&] {
    const std::string list = cluster.Connect()("CLIENT", "LIST").bytes;
    return std::count(list.begin(), list.end(), '\n') == 1;
  }));
}

TEST(Pause, IsTheLongestTurn) {
  Cluster cluster(Options(1, "request_ms = 2000"));
  EXPECT_EQ(cluster.Connect()("PING"), "PONG");
  Pause(&cluster);
  EXPECT_TRUE(Eventually([&] { return Stat(cluster, "longest_turn_ms") >= 3000; }));
  EXPECT_LT(Stat(cluster, "longest_turn_ms"), 60000);
}

// A turn that takes long in gemel's own work, in the middle of what a poll brought.
TEST(Pause, SoIsALongPieceOfWork) {
  Cluster cluster({.shards = 2, .copies = 1});
  Words del{"DEL"};
  for (int i = 0; i < 1000000; ++i) del.push_back("key:" + std::to_string(i));
  EXPECT_EQ(cluster.Connect().Run(del), ":0");
  // To split it over the shards alone takes more than that, on any machine of today.
  EXPECT_GE(Stat(cluster, "longest_turn_ms"), 30);
}

}  // namespace
}  // namespace gemel::e2e::pause_test
