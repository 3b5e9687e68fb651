// Nodes that are busy for seconds with one client's command: the others wait, as they do with
// Redis, and nobody is taken for dead.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::busy_test {
namespace {

using Clock = std::chrono::steady_clock;
using Ms = std::chrono::milliseconds;

// Longer than any patience of gemel's with a node that somebody could replace.
constexpr Ms kLong{5000};
constexpr int kMembers = 100000;

// The health checks of the defaults. How long a command takes in the end is the machine's matter.
ClusterOptions Options(int copies) {
  return {.shards = 1,
          .copies = copies,
          .sections = {{"health", "interval_ms = 500\ntimeout_ms = 1000\nfailures = 3"},
                       {"timeouts", "request_ms = 120000"}}};
}

// How often gemel has lost the link to a node.
int LostLinks(Cluster* cluster) {
  const std::string log = cluster->proxy().Log();
  int lost = 0;
  for (size_t at = 0; (at = log.find("lost the connection to", at)) != std::string::npos; ++at) {
    ++lost;
  }
  return lost;
}

// How often the nodes ran a command.
int64_t Calls(Cluster* cluster, int copy, const std::string& command) {
  const std::string text = cluster->node(0, copy).Connect()("INFO", "commandstats").bytes;
  const std::string name = "cmdstat_" + command + ":calls=";
  const size_t at = text.find(name);
  return at == std::string::npos ? 0 : std::stoll(text.substr(at + name.size()));
}

// The key "s": a sorted set, or "l": a list of numbers, or "m": a set; equal on all copies.
void Fill(Client client, const std::string& command, const std::string& key) {
  constexpr int kEach = 1000;
  for (int first = 0; first < kMembers; first += kEach) {
    Words words{command, key};
    for (int i = first; i < first + kEach; ++i) {
      if (command == "ZADD") words.push_back(std::to_string(i % 7919));
      words.push_back(std::to_string(i));
    }
    client.Append(words);
  }
  for (int first = 0; first < kMembers; first += kEach) ASSERT_FALSE(client.Read().IsError());
}

Words Repeat(Words words, const std::string& key, int times) {
  words.push_back(std::to_string(times));
  for (int i = 0; i < times; ++i) words.push_back(key);
  return words;
}

Ms TimeOf(Client client, const Words& words) {
  const Clock::time_point start = Clock::now();
  const Reply reply = client.Run(words);
  EXPECT_FALSE(reply.IsError()) << words[0] << ": " << reply.Text().substr(0, 200);
  return std::chrono::duration_cast<Ms>(Clock::now() - start);
}

// `make(n)` is a command that takes n times as long as make(1), about: the n of one that takes
// kLong, as far as that can be told on a machine that is busy with something else.
template <typename Make>
int TimesOfLong(const Cluster& cluster, Make make) {
  int times = 1;
  Ms took{0};
  while (took < Ms(200)) {
    times *= 4;
    took = std::min(TimeOf(cluster.Connect(), make(times)), TimeOf(cluster.Connect(), make(times)));
  }
  return static_cast<int>(times * kLong.count() / took.count()) + 1;
}

Words LuaLoop(const std::string& command, int times) {
  return {command,
          "local n = 0 for i = 1, 1000000 * tonumber(ARGV[1]) do n = n + i % 7 end return n", "0",
          std::to_string(times)};
}

// One client runs a long command while others read and write: none of them sees an error, and to
// gemel the nodes are what they were.
template <typename Make>
void ExpectOthersOnlyWait(Cluster* cluster, Make make) {
  int times = TimesOfLong(*cluster, make);
  const int64_t epoch = cluster->Status(0).epoch;
  const int lost = LostLinks(cluster);
  Load load(cluster->proxy().port(), {.threads = 2, .keys = 4, .pipeline = 2});
  EXPECT_TRUE(load.WaitForMore(100));
  int runs = 1;
  while (TimeOf(cluster->Connect(), make(times)) < Ms(1000) && runs < 5) {
    ++runs;
    times *= 4;
  }
  EXPECT_LT(runs, 5) << "too short to show anything";
  EXPECT_TRUE(load.WaitForMore(100));
  load.Stop();
  load.Verify(cluster->proxy().port());
  EXPECT_EQ(cluster->Status(0).epoch, epoch) << "roles have changed";
  EXPECT_EQ(LostLinks(cluster), lost) << "a link has ended";
  EXPECT_TRUE(cluster->WaitUntilInSync());
}

class Busy : public ::testing::TestWithParam<int> {};  // the copies of the shard

TEST_P(Busy, OthersWaitForALongWrite) {
  Cluster cluster(Options(GetParam()));
  Fill(cluster.Connect(), "ZADD", "s");
  ExpectOthersOnlyWait(&cluster, [](int times) {
    return Repeat({"ZUNIONSTORE", "d"}, "s", times);
  });
  cluster.ExpectCopiesEqual();
}

TEST_P(Busy, OthersWaitForALongSetOperation) {
  Cluster cluster(Options(GetParam()));
  Fill(cluster.Connect(), "SADD", "m");
  ExpectOthersOnlyWait(&cluster, [](int times) {
    Words words{"SUNIONSTORE", "d"};
    words.resize(2 + static_cast<size_t>(times), "m");
    return words;
  });
  cluster.ExpectCopiesEqual();
}

TEST_P(Busy, OthersWaitForALongScript) {
  Cluster cluster(Options(GetParam()));
  const std::string command = GetParam() == 1 ? "EVAL" : "EVAL_RO";
  ExpectOthersOnlyWait(&cluster, [&](int times) { return LuaLoop(command, times); });
}

INSTANTIATE_TEST_SUITE_P(Copies, Busy, ::testing::Values(1, 2),
                         [](const auto& copies) { return std::to_string(copies.param); });

TEST(BusyPair, ALongReadIsRunOnce) {
  Cluster cluster(Options(2));
  Fill(cluster.Connect(), "ZADD", "s");
  int asked = 0;
  ExpectOthersOnlyWait(&cluster, [&asked](int times) {
    ++asked;
    return Repeat({"ZUNION"}, "s", times);
  });
  EXPECT_EQ(Calls(&cluster, 0, "zunion") + Calls(&cluster, 1, "zunion"), asked);
}

// Each would take the copy that still answers: then nobody would be left for what is short.
TEST(BusyPair, LongReadsLeaveACopyFree) {
  Cluster cluster(Options(2));
  const Words loop =
      LuaLoop("EVAL_RO", TimesOfLong(cluster, [](int times) { return LuaLoop("EVAL_RO", times); }));
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  const int64_t epoch = cluster.Status(0).epoch;
  const int lost = LostLinks(&cluster);
  const int64_t before = Calls(&cluster, 0, "eval_ro");
  std::vector<std::thread> slow;
  std::atomic<int> errors{0};
  for (int i = 0; i < 3; ++i) {
    slow.emplace_back([&] {
      if (cluster.Connect().Run(loop).IsError()) ++errors;
    });
    // What the first one asks for is under way when the next is asked, and reads are answered by
    // the other copy, again and again.
    std::this_thread::sleep_for(Ms(300));
    Client reader = cluster.Connect();
    for (int reads = 0; reads < 20; ++reads) EXPECT_EQ(reader("GET", "k"), "v");
  }
  for (std::thread& thread : slow) thread.join();
  EXPECT_EQ(errors, 0);
  EXPECT_TRUE(Eventually([&] { return Calls(&cluster, 0, "eval_ro") == before + 3; }));
  EXPECT_EQ(Calls(&cluster, 1, "eval_ro"), 0);
  EXPECT_EQ(cluster.Status(0).epoch, epoch);
  EXPECT_EQ(LostLinks(&cluster), lost);
}

}  // namespace
}  // namespace gemel::e2e::busy_test
