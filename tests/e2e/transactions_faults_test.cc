// Transactions while nodes are killed and come back: a counter that is incremented by WATCH loses
// nothing and counts nothing twice, no EXEC is answered with an error, and the copies end equal.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
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

// Threads that go on until they are told to stop; what they complain of, and how far they are.
class Crowd {
 public:
  ~Crowd() { Stop(); }
  void Start(int threads, const std::function<void(int)>& work) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, work, i] {
        try {
          work(i);
        } catch (const std::exception& e) {
          Complain(e.what());
        }
      });
    }
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  bool stopped() const { return stop_; }
  void Complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (complaints_.size() < 10) complaints_.push_back(what.substr(0, 1000));
  }
  void Done() { ++done_; }
  int64_t done() const { return done_; }
  // Returns once so many more are done, or there is a complaint, or patience ends.
  bool WaitForMore(int64_t more) {
    const int64_t goal = done_ + more;
    return Eventually([&] { return done_ >= goal || HasComplaints(); }) && !HasComplaints();
  }
  void ExpectNoComplaints() {
    const std::lock_guard lock(mutex_);
    for (const std::string& complaint : complaints_) ADD_FAILURE() << complaint;
  }

 private:
  bool HasComplaints() {
    const std::lock_guard lock(mutex_);
    return !complaints_.empty();
  }

  std::atomic<bool> stop_{false};
  std::atomic<int64_t> done_{0};
  std::mutex mutex_;
  std::vector<std::string> complaints_;
  std::vector<std::thread> threads_;
};

// Each copy of the shard is killed once while the crowd is at work, and comes back.
void KillOneAfterTheOther(Cluster* cluster, int shard, Crowd* crowd, int64_t between) {
  for (int copy = 0; copy < 2; ++copy) {
    EXPECT_TRUE(crowd->WaitForMore(between));
    cluster->node(shard, copy).Kill();
    EXPECT_TRUE(cluster->WaitUntilPrimary(shard, cluster->node(shard, 1 - copy)));
    EXPECT_TRUE(crowd->WaitForMore(between));
    cluster->node(shard, copy).Start();
    ASSERT_TRUE(cluster->WaitUntilInSync());
  }
  EXPECT_TRUE(crowd->WaitForMore(between));
}

// --- A counter ---

// Workers; whether the block has a command that one copy executes first.
class CounterFaults : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Ways, CounterFaults,
                         testing::Combine(testing::Values(1, 2), testing::Bool()),
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

TEST_P(CounterFaults, AThousandClientsLoseNothing) {
  const auto [workers, by_chance] = GetParam();
  Cluster cluster(Options(1, workers));
  EXPECT_EQ(cluster.Connect()("SET", "n", "0"), "OK");
  constexpr int kThreads = 5;
  std::vector<std::unique_ptr<Counting>> parts;
  for (int i = 0; i < kThreads; ++i) {
    parts.push_back(std::make_unique<Counting>(cluster.proxy().port(), 1000 / kThreads, by_chance));
  }
  Crowd crowd;
  crowd.Start(kThreads, [&](int i) { parts[static_cast<size_t>(i)]->Work(&crowd); });
  KillOneAfterTheOther(&cluster, 0, &crowd, 200);
  crowd.Stop();
  crowd.ExpectNoComplaints();
  EXPECT_EQ(cluster.Connect()("GET", "n"), std::to_string(crowd.done()));
  cluster.ExpectCopiesEqual();
}

// --- Blocks of anything ---

// Random conversations over one connection, which knows how many elements each EXEC must have.
class Blocks {
 public:
  Blocks(uint16_t port, unsigned seed) : wire_(port), random_(seed) {
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
    const std::vector<Words> all = {
        {"SET", Key("s"), n},
        {"SET", Key("s"), n, "EX", "1000"},
        {"SET", Key("s"), n, "NX"},
        {"INCR", Key("s")},
        {"APPEND", Key("s"), "x"},
        {"GETDEL", Key("s")},
        {"EXPIRE", Key("s"), "1000"},
        {"GET", Key("s")},
        {"MGET", Key("s"), Key("s")},
        {"MSET", Key("s"), n, Key("s"), n},
        {"DEL", Key("s"), Key("e")},
        {"RENAME", Key("s"), Key("s")},
        {"COPY", Key("s"), Key("s"), "DB", std::to_string(Below(4)), "REPLACE"},
        {"MOVE", Key("s"), std::to_string(Below(4))},
        {"RPUSH", Key("l"), n},
        {"LPOP", Key("l")},
        {"LMOVE", Key("l"), Key("l"), "LEFT", "RIGHT"},
        {"LTRIM", Key("l"), "0", "20"},
        {"SADD", Key("e"), n, "a" + n},
        {"SPOP", Key("e")},
        {"SPOP", Key("e"), "3"},
        {"SRANDMEMBER", Key("e")},
        {"SUNIONSTORE", Key("e"), Key("e"), Key("e")},
        {"HSET", Key("h"), n, n},
        {"HINCRBY", Key("h"), "f", "1"},
        {"HGETALL", Key("h")},
        {"ZADD", Key("z"), n, n},
        {"ZPOPMIN", Key("z")},
        {"ZINCRBY", Key("z"), "0.1", n},
        {"ZRANGE", Key("z"), "0", "3", "WITHSCORES"},
        {"XADD", Key("x"), "*", "f", n},
        {"XADD", Key("x"), "MAXLEN", "~", "50", "*", "f", n},
        {"XTRIM", Key("x"), "MAXLEN", "10"},
        {"PFADD", Key("p"), n},
        {"EVAL", "return redis.call('RPUSH', KEYS[1], ARGV[1])", "1", Key("l"), n},
        {"EVAL", "return redis.call('SET', KEYS[1], math.random())", "1", Key("s")},
        {"LPUSH", Key("s"), "of the wrong type"},
        {"SELECT", std::to_string(Below(4))},
        {"SELECT", std::to_string(Below(4))},
        {"PING"},
        {"ECHO", n},
    };
    return all[Below(all.size())];
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

TEST_P(BlockFaults, CopiesEndEqual) {
  Cluster cluster(Options(GetParam(), 2));
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Crowd crowd;
  crowd.Start(12, [&](int i) {
    Blocks blocks(cluster.proxy().port(), seed + static_cast<unsigned>(i));
    while (!crowd.stopped()) {
      if (const std::string wrong = blocks.Round(); !wrong.empty()) crowd.Complain(wrong);
      crowd.Done();
      LetOthersRun();
    }
  });
  KillOneAfterTheOther(&cluster, GetParam() - 1, &crowd, 200);
  crowd.Stop();
  crowd.ExpectNoComplaints();
  cluster.ExpectCopiesEqual();
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

}  // namespace
}  // namespace gemel::e2e::transactions_faults_test
