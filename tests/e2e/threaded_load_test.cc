// Many connections and two workers: the copies end equal. Run under ThreadSanitizer too.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <string_view>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::threaded_load_test {
namespace {

// On keys that all connections share: "@" is one tag of a command, "%9" a number below 9.
constexpr std::string_view kCommands[] = {
    "SET s@ %1000",
    "APPEND s@ %10",
    "INCR n@",
    "INCRBYFLOAT f@ 0.%10",
    "LPUSH l@ %100",
    "RPOP l@",
    "LMOVE l@ m@ LEFT RIGHT",
    "LTRIM m@ 0 20",
    "SADD set@ %50 %50",
    "SREM set@ %50",
    "SUNIONSTORE u@ set@ v@",
    "SMOVE set@ v@ %50",
    "HSET h@ %20 %1000",
    "HINCRBY hn@ %20 %10",
    "HDEL h@ %20",
    "ZADD z@ %100 %30",
    "ZPOPMIN z@",
    "ZINCRBY z@ 1 %30",
    "DEL s@ l{%10}",
    "MSET s{%10} %100 s{%10} %100",
    "RENAME s@ r@",
    "COPY s@ r@ REPLACE",
    "SETRANGE s@ %20 xyz",
    "SETBIT b@ %100 1",
    "PFADD p@ %1000",
    "XADD x@ %1000-%9 f %10",
    "SETEX e@ 10000 %10",
    "GETDEL e@",
    "SETNX nx@ %1000",
    "GEOADD g@ %90 %80 %10",
    "MGET s@ s{%10} n{%10}",
    "GET s@",
    "LRANGE l@ 0 5",
    "EXISTS s@ h{%10}",
};

// A random one of them.
Words RandomCommand(std::mt19937& random) {
  const auto pick = [&random](size_t below) { return std::to_string(random() % below); };
  const std::string tag = "{" + pick(10) + "}";
  const std::string_view line = kCommands[random() % std::size(kCommands)];
  Words words(1);
  for (size_t at = 0; at < line.size(); ++at) {
    if (line[at] == ' ') {
      words.emplace_back();
    } else if (line[at] == '@') {
      words.back() += tag;
    } else if (line[at] == '%') {
      size_t below = 0;
      for (; at + 1 < line.size() && line[at + 1] >= '0' && line[at + 1] <= '9'; ++at) {
        below = below * 10 + static_cast<size_t>(line[at + 1] - '0');
      }
      words.back() += pick(below);
    } else {
      words.back() += line[at];
    }
  }
  return words;
}

struct MixedLoad {
  int connections = 16;
  int rounds = 30;
  int pipeline = 20;
  Words (*command)(std::mt19937&) = &RandomCommand;
};

// Each connection on a thread of its own. Errors of the servers (WRONGTYPE, ...) are replies like
// others; errors of the proxy are not.
void RunMixed(uint16_t port, const MixedLoad& load) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mutex mutex;
  std::vector<std::string> failures;
  std::vector<std::thread> threads;
  for (int i = 0; i < load.connections; ++i) {
    threads.emplace_back([&, i] {
      try {
        std::mt19937 random(seed + static_cast<unsigned>(i));
        Client client(port);
        for (int round = 0; round < load.rounds; ++round) {
          for (int j = 0; j < load.pipeline; ++j) client.Append(load.command(random));
          for (int j = 0; j < load.pipeline; ++j) {
            const std::string text = client.Read().Text();
            for (const char* bad : {"-CLUSTERDOWN", "-TRYAGAIN", "not supported", "-CROSSSLOT"}) {
              if (text.find(bad) != std::string::npos) throw std::runtime_error(text);
            }
          }
        }
      } catch (const std::runtime_error& error) {
        std::lock_guard lock(mutex);
        failures.push_back(error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) ADD_FAILURE() << failure;
}

TEST(ThreadedLoad, MixedLoadLeavesCopiesEqual) {
  Cluster cluster({.shards = 2, .workers = 2});
  const int64_t epoch = cluster.Status(0).epoch;
  RunMixed(cluster.proxy().port(), {});
  cluster.ExpectCopiesEqual();
  EXPECT_GT(cluster.Connect()("DBSIZE").integer, 20);
  EXPECT_EQ(cluster.Status(0).epoch, epoch);  // equal without a resync
}

TEST(ThreadedLoad, MoreShardsThanWorkersAndThreeCopies) {
  Cluster cluster({.shards = 3, .copies = 3, .workers = 2});
  RunMixed(cluster.proxy().port(), {.connections = 8});
  cluster.ExpectCopiesEqual();
}

TEST(ThreadedLoad, EveryAckAndReadPolicy) {
  for (const char* ack : {"all", "primary", "any"}) {
    Cluster cluster({.shards = 1,
                     .workers = 2,
                     .sections = {{"write", "ack = \"" + std::string(ack) + "\""},
                                  {"read", "from = \"balanced\""}}});
    RunMixed(cluster.proxy().port(), {.connections = 6, .rounds = 10});
    Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
    EXPECT_TRUE(load.WaitForMore(500)) << ack;
    load.Stop();
    load.Verify(cluster.proxy().port());
    cluster.ExpectCopiesEqual();
  }
}

// Keys that expire while they are written: a copy may think a key gone a moment before the other
// does.
Words ExpiringCommand(std::mt19937& random) {
  const std::string key = "e" + std::to_string(random() % 20);
  switch (random() % 6) {
    case 0:
      return {"SET", key, "1", "PX", std::to_string(1 + random() % 10)};
    case 1:
      return {"INCR", key};
    case 2:
      return {"PEXPIRE", key, std::to_string(1 + random() % 10)};
    case 3:
      return {"APPEND", key, "1"};
    case 4:
      return {"SET", key, "5", "KEEPTTL"};
    default:
      return {"GET", key};
  }
}

TEST(ThreadedLoad, ExpiringKeysLeaveCopiesEqual) {
  Cluster cluster({.shards = 1, .workers = 2});
  RunMixed(cluster.proxy().port(),
           {.connections = 8, .rounds = 60, .pipeline = 10, .command = &ExpiringCommand});
  // What is gone is gone for good only after Redis's own sweep; and where a write came between the
  // two expiries and both copies answered alike (SET KEEPTTL), the audit finds the key.
  Client client = cluster.Connect();
  EXPECT_TRUE(Eventually([&] {
    client("PROXY", "AUDIT");
    return cluster.node(0, 0).Digest() == cluster.node(0, 1).Digest();
  }));
  cluster.ExpectCopiesEqual();
}

TEST(ThreadedLoad, AdministrationDuringLoad) {
  Cluster cluster({.shards = 3, .workers = 2});
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 8});
  Client client = cluster.Connect();
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(client("PROXY", "SHARDS").items.size(), 3u);
    EXPECT_EQ(client("PROXY", "EXPLAIN", "SET", "k", "v").items.size(), 1u);
    EXPECT_FALSE(client("INFO").IsError());
    EXPECT_FALSE(client("CLIENT", "LIST").IsError());
    EXPECT_EQ(client("DBSIZE").kind, Reply::Kind::kInteger);
    EXPECT_EQ(client("SCAN", "0", "COUNT", "100").items.size(), 2u);
    EXPECT_FALSE(client("RANDOMKEY").IsError());
    EXPECT_FALSE(client("CONFIG", "GET", "*").IsError());
  }
  EXPECT_TRUE(load.WaitForMore(200));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(ThreadedLoad, ConnectionsComeAndGo) {
  Cluster cluster({.shards = 2, .workers = 2});
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 60; ++j) {
        try {
          Client client(cluster.proxy().port());
          const std::string key = "k" + std::to_string(i) + ":" + std::to_string(j);
          client.Append({"SET", key, "v"});
          client.Append({"MGET", key, "other"});
          if (j % 3 == 0) continue;  // gone before the replies
          if (!(client.Read() == "OK")) ++failures;
          if (!(client.Read() == "[v (nil)]")) ++failures;
        } catch (const std::runtime_error&) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  cluster.ExpectCopiesEqual();
  // Nothing of them is left.
  EXPECT_TRUE(Eventually([&] {
    const std::string list = cluster.Connect()("CLIENT", "LIST").bytes;
    return std::count(list.begin(), list.end(), '\n') == 1;
  }));
}

TEST(ThreadedLoad, TermUnderLoadEndsInOrder) {
  Cluster cluster({.shards = 2, .workers = 2});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      try {
        Client client(cluster.proxy().port());
        for (int j = 0; j < 1000000; ++j) client("INCR", "n" + std::to_string(i));
      } catch (const std::runtime_error&) {
        // The proxy has stopped.
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return cluster.Connect()("DBSIZE") == ":4"; }));
  EXPECT_EQ(cluster.proxy().Stop(), 0);
  for (std::thread& thread : threads) thread.join();
  for (int shard = 0; shard < 2; ++shard) {
    EXPECT_EQ(cluster.node(shard, 0).Digest(), cluster.node(shard, 1).Digest());
  }
}

}  // namespace
}  // namespace gemel::e2e::threaded_load_test
