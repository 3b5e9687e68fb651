// Transactions while nodes are killed and come back: a counter that is incremented by WATCH loses
// nothing and counts nothing twice, no EXEC is answered with an error, and the copies end equal.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/crowd.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::transactions_faults_test {
namespace {

ClusterOptions Options(int shards, int workers) {
  return {.shards = shards,
          .workers = workers,
          .sections = {{"health", kImpatientProbes},
                       {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}}};
}

enum class Fault { kKilled, kHangs, kDisconnected };

// It happens to one copy of the shard after the other while the crowd is at work.
void StrikeBoth(Fault fault, Cluster* cluster, int shard, Crowd* crowd, int64_t between) {
  for (int copy = 0; copy < 2; ++copy) {
    RedisNode& node = cluster->node(shard, copy);
    const RedisNode& other = cluster->node(shard, 1 - copy);
    EXPECT_TRUE(crowd->WaitForMore(between));
    switch (fault) {
      case Fault::kKilled:
        node.Kill();
        EXPECT_TRUE(cluster->WaitUntilPrimary(shard, other));
        EXPECT_TRUE(crowd->WaitForMore(between));
        node.Start();
        break;
      case Fault::kHangs:
        node.Pause();
        EXPECT_TRUE(cluster->WaitUntilPrimary(shard, other));
        EXPECT_TRUE(crowd->WaitForMore(between));
        node.Resume();
        break;
      case Fault::kDisconnected:
        for (int i = 0; i < 3; ++i) {
          node.Connect()("CLIENT", "KILL", "TYPE", "normal");
          EXPECT_TRUE(crowd->WaitForMore(between / 4));
        }
    }
    ASSERT_TRUE(cluster->WaitUntilInSync());
  }
  EXPECT_TRUE(crowd->WaitForMore(between));
}

// --- A counter ---

// Workers; whether the block has a command that one copy executes first.
class CounterFaults : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Ways, CounterFaults,
                         testing::Values(std::tuple(1, false), std::tuple(2, true)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param) == 1 ? "One"
                                                                           : "TwoThreaded") +
                                  (std::get<1>(info.param) ? "ByChance" : "");
                         });

// A few of its clients at a time read the counter, and then each tries to be the one who counts.
class Counting {
 public:
  Counting(uint16_t port, int clients, bool by_chance) : by_chance_(by_chance) {
    for (int i = 0; i < clients; ++i) clients_.push_back(std::make_unique<Client>(port));
  }
  void Work(Crowd* crowd) {
    constexpr size_t kAtATime = 4;
    for (size_t first = 0; !crowd->stopped(); first = (first + kAtATime) % clients_.size()) {
      std::vector<int64_t> counts;
      for (size_t i = first; i < first + kAtATime; ++i) {
        clients_[i]->Append({"WATCH", "n"});
        clients_[i]->Append({"GET", "n"});
        Expect(clients_[i]->Read(), "OK", crowd);
        counts.push_back(std::stoll(clients_[i]->Read().Text()));
      }
      for (size_t i = first; i < first + kAtATime; ++i) {
        clients_[i]->Append({"MULTI"});
        clients_[i]->Append({"SET", "n", std::to_string(counts[i - first] + 1)});
        if (by_chance_) clients_[i]->Append({"SPOP", "none"});
        clients_[i]->Append({"EXEC"});
      }
      for (size_t i = first; i < first + kAtATime; ++i) {
        Expect(clients_[i]->Read(), "OK", crowd);
        Expect(clients_[i]->Read(), "QUEUED", crowd);
        if (by_chance_) Expect(clients_[i]->Read(), "QUEUED", crowd);
        const std::string reply = clients_[i]->Read().Text();
        if (reply == (by_chance_ ? "[OK (nil)]" : "[OK]")) {
          crowd->Done();
        } else if (reply != "(nil)") {
          crowd->Complain("EXEC: " + reply);
        }
      }
    }
  }

 private:
  static void Expect(const Reply& reply, const char* expected, Crowd* crowd) {
    if (reply.Text() != expected) crowd->Complain(reply.Text());
  }

  const bool by_chance_;
  std::vector<std::unique_ptr<Client>> clients_;
};

void ExpectNothingIsLost(Fault fault, int workers, bool by_chance, int clients) {
  Cluster cluster(Options(1, workers));
  EXPECT_EQ(cluster.Connect()("SET", "n", "0"), "OK");
  constexpr int kThreads = 5;
  std::vector<std::unique_ptr<Counting>> parts;
  for (int i = 0; i < kThreads; ++i) {
    parts.push_back(
        std::make_unique<Counting>(cluster.proxy().port(), clients / kThreads, by_chance));
  }
  Crowd crowd;
  crowd.Start(kThreads, [&](int i) { parts[static_cast<size_t>(i)]->Work(&crowd); });
  StrikeBoth(fault, &cluster, 0, &crowd, 200);
  crowd.Stop();
  crowd.ExpectNoComplaints();
  EXPECT_EQ(cluster.Connect()("GET", "n"), std::to_string(crowd.done()));
  cluster.ExpectCopiesEqual();
}

TEST_P(CounterFaults, AThousandClientsWhileNodesAreKilled) {
  const auto [workers, by_chance] = GetParam();
  ExpectNothingIsLost(Fault::kKilled, workers, by_chance, 1000);
}
TEST_P(CounterFaults, ClientsWhileNodesHang) {
  const auto [workers, by_chance] = GetParam();
  ExpectNothingIsLost(Fault::kHangs, workers, by_chance, 100);
}
TEST_P(CounterFaults, ClientsWhileNodesCloseConnections) {
  const auto [workers, by_chance] = GetParam();
  ExpectNothingIsLost(Fault::kDisconnected, workers, by_chance, 100);
}

// --- Blocks of anything ---

// Random conversations over one connection, which knows how many elements each EXEC must have.
class Blocks {
 public:
  // `quick`: of commands alone that cannot keep a node busy.
  Blocks(uint16_t port, unsigned seed, bool quick = false)
      : quick_(quick), wire_(port), random_(seed) {
    wire_.Ask({"HELLO", seed % 2 == 0 ? "2" : "3"});
  }

  // Some of them in one write. Returns what is wrong; empty: nothing.
  std::string Round() {
    bytes_.clear();
    sent_.clear();
    for (size_t i = 0; i < 5; ++i) Add();
    wire_.Send(bytes_);
    std::string wrong;
    for (const Sent& sent : sent_) {
      const std::string reply = wire_.Read();
      const bool null = reply == "*-1\r\n" || reply == "_\r\n";
      const bool fits = sent.elements < 0
                            ? reply.starts_with(sent.expected)
                            : (null && sent.watched) ||
                                  reply.starts_with("*" + std::to_string(sent.elements) + "\r\n");
      if (!fits && wrong.empty()) wrong = sent.what + ": " + reply;
    }
    return wrong;
  }

 private:
  struct Sent {
    std::string what;
    std::string expected;   // what its reply begins with
    int64_t elements = -1;  // of an EXEC
    bool watched = false;
  };

  size_t Below(size_t bound) { return random_() % bound; }
  std::string Key(const char* kind) { return tag_ + kind + std::to_string(Below(4)); }

  Words Any() {
    const std::string n = std::to_string(Below(1000));
    const std::vector<Words> quick = {
        {"SET", Key("s"), n},
        {"SET", Key("s"), n, "EX", "1000"},
        {"SET", Key("s"), n, "NX"},
        {"INCR", Key("s")},
        {"APPEND", Key("s"), "x"},
        {"GETDEL", Key("s")},
        {"EXPIRE", Key("s"), "1000"},
        {"GET", Key("s")},
        {"MGET", Key("s"), Key("s")},
        {"MOVE", Key("s"), std::to_string(Below(4))},
        {"RPUSH", Key("l"), n},
        {"LPOP", Key("l")},
        {"SADD", Key("e"), n, "a" + n},
        {"SPOP", Key("e")},
        {"SPOP", Key("e"), "3"},
        {"HSET", Key("h"), n, n},
        {"HINCRBY", Key("h"), "f", "1"},
        {"ZADD", Key("z"), n, n},
        {"ZPOPMIN", Key("z")},
        {"ZINCRBY", Key("z"), "0.1", n},
        {"XADD", Key("x"), "*", "f", n},
        {"XADD", Key("x"), "MAXLEN", "~", "50", "*", "f", n},
        {"PFADD", Key("p"), n},
        {"LPUSH", Key("s"), "of the wrong type"},
        {"SELECT", std::to_string(Below(4))},
        {"SELECT", std::to_string(Below(4))},
        {"PING"},
        {"ECHO", n},
    };
    const std::vector<Words> others = {
        {"MSET", Key("s"), n, Key("s"), n},
        {"DEL", Key("s"), Key("e")},
        {"RENAME", Key("s"), Key("s")},
        {"COPY", Key("s"), Key("s"), "DB", std::to_string(Below(4)), "REPLACE"},
        {"LMOVE", Key("l"), Key("l"), "LEFT", "RIGHT"},
        {"LTRIM", Key("l"), "0", "20"},
        {"SRANDMEMBER", Key("e")},
        {"SUNIONSTORE", Key("e"), Key("e"), Key("e")},
        {"HGETALL", Key("h")},
        {"ZRANGE", Key("z"), "0", "3", "WITHSCORES"},
        {"XTRIM", Key("x"), "MAXLEN", "10"},
        {"EVAL", "return redis.call('RPUSH', KEYS[1], ARGV[1])", "1", Key("l"), n},
        {"EVAL", "return redis.call('SET', KEYS[1], math.random())", "1", Key("s")},
    };
    const size_t i = Below(quick_ ? quick.size() : quick.size() + others.size());
    return i < quick.size() ? quick[i] : others[i - quick.size()];
  }

  void Send(const Words& words, Sent sent) {
    for (const std::string& word : words) sent.what += word + " ";
    bytes_ += Encode(words);
    sent_.push_back(std::move(sent));
  }
  void Add() {
    tag_ = "{" + std::to_string(Below(6)) + "}";
    const bool watched = Below(4) == 0;
    if (watched) Send({"WATCH", Key("s"), Key("l")}, {.what = "", .expected = "+OK\r\n"});
    Send({"SELECT", std::to_string(Below(4))}, {.what = "", .expected = "+OK\r\n"});
    Send({"MULTI"}, {.what = "", .expected = "+OK\r\n"});
    const size_t count = Below(3) == 0 ? Below(40) : Below(8);
    for (size_t i = 0; i < count; ++i) Send(Any(), {.what = "", .expected = "+QUEUED\r\n"});
    Send({"EXEC"},
         {.what = "", .expected = "", .elements = static_cast<int64_t>(count), .watched = watched});
    // One of those outside, which may be refused by the node for its key's type.
    Send({"APPEND", tag_ + "alone", "x"}, {.what = "", .expected = ":"});
  }

  const bool quick_;
  Wire wire_;
  std::mt19937 random_;
  std::string tag_;
  std::string bytes_;
  std::vector<Sent> sent_;
};

// Shards.
class BlockFaults : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Shards, BlockFaults, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "OneThreaded" : "TwoThreaded");
});

void ExpectCopiesEndEqual(Fault fault, int shards, bool quick = false) {
  Cluster cluster(Options(shards, 2));
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Crowd crowd;
  crowd.Start(12, [&](int i) {
    Blocks blocks(cluster.proxy().port(), seed + static_cast<unsigned>(i), quick);
    while (!crowd.stopped()) {
      if (const std::string wrong = blocks.Round(); !wrong.empty()) crowd.Complain(wrong);
      crowd.Done();
      LetOthersRun();
    }
  });
  StrikeBoth(fault, &cluster, shards - 1, &crowd, 200);
  crowd.Stop();
  crowd.ExpectNoComplaints();
  cluster.ExpectCopiesEqual();
}

TEST_P(BlockFaults, CopiesThatAreKilledEndEqual) {
  ExpectCopiesEndEqual(Fault::kKilled, GetParam());
}
// A node that might be busy with what it is asked has all the time of a request.
TEST_P(BlockFaults, CopiesThatHangEndEqual) {
  ExpectCopiesEndEqual(Fault::kHangs, GetParam(), /*quick=*/true);
}
TEST_P(BlockFaults, CopiesThatCloseConnectionsEndEqual) {
  ExpectCopiesEndEqual(Fault::kDisconnected, GetParam());
}

TEST_P(BlockFaults, CopiesThatNobodyDisturbsAreEqualAllTheTime) {
  Cluster cluster({.shards = GetParam(), .workers = 2});
  const unsigned seed = std::random_device{}();
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed + static_cast<unsigned>(round)));
    Crowd crowd;
    crowd.Start(12, [&](int i) {
      Blocks blocks(cluster.proxy().port(), seed + static_cast<unsigned>(round * 100 + i));
      for (int n = 0; n < 10; ++n) {
        if (const std::string wrong = blocks.Round(); !wrong.empty()) crowd.Complain(wrong);
        crowd.Done();
      }
    });
    crowd.Stop();
    crowd.ExpectNoComplaints();
    cluster.ExpectCopiesEqual();
  }
  EXPECT_EQ(cluster.Connect()("PROXY", "SHARDS").items.at(0).Field("diverged"), ":0");
}

// Keys that expire while blocks write and read them; of some blocks the others get the state.
TEST_P(BlockFaults, KeysThatExpireLeaveCopiesEqual) {
  Cluster cluster({.shards = GetParam(), .workers = 2});
  Crowd crowd;
  crowd.Start(8, [&](int thread) {
    Client client = cluster.Connect();
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int n = 0; n < 100; ++n) {
      const std::string tag = "{" + std::to_string(random() % 4) + "}";
      const std::string soon = std::to_string(1 + random() % 20);
      std::vector<Words> block = {{"SET", tag + "s", "v", "PX", soon},
                                  {"RPUSH", tag + "l", "v"},
                                  {"PEXPIRE", tag + "l", soon},
                                  {"APPEND", tag + "a", "x"},
                                  {"INCR", tag + "n"},
                                  {"PEXPIRE", tag + "n", soon},
                                  {"GET", tag + "s"},
                                  {"SETNX", tag + "s", "late"}};
      if (n % 3 == 0) block.push_back({"XADD", tag + "x", "MAXLEN", "9", "*", "f", "v"});
      if (n % 3 == 1) block.push_back({"SPOP", tag + "none"});
      std::shuffle(block.begin(), block.end(), random);
      client.Append({"MULTI"});
      for (const Words& words : block) client.Append(words);
      client.Append({"EXEC"});
      for (size_t i = 0; i <= block.size(); ++i) client.Read();
      const Reply reply = client.Read();
      if (reply.items.size() != block.size()) crowd.Complain(reply.Text());
    }
  });
  crowd.Join();
  crowd.ExpectNoComplaints();
  // What is to expire yet could do so between two looks.
  EXPECT_TRUE(Eventually([&] {
    for (int i = 0; i < 2 * cluster.shards(); ++i) {
      const std::string keys = cluster.node(i / 2, i % 2).Connect()("INFO", "keyspace").bytes;
      if (keys.find("expires=") != keys.find("expires=0,")) return false;
    }
    return true;
  }));
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::transactions_faults_test
