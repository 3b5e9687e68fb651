// Many connections and two workers: the copies end equal. Run under ThreadSanitizer too.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::threaded_load_test {
namespace {

// A random command on keys that all connections share.
Words RandomCommand(std::mt19937& random) {
  auto pick = [&random](int below) {
    return std::to_string(random() % static_cast<unsigned>(below));
  };
  const std::string tag = "{" + pick(10) + "}";
  switch (random() % 34) {
    case 0:
      return {"SET", "s" + tag, pick(1000)};
    case 1:
      return {"APPEND", "s" + tag, pick(10)};
    case 2:
      return {"INCR", "n" + tag};
    case 3:
      return {"INCRBYFLOAT", "f" + tag, "0." + pick(10)};
    case 4:
      return {"LPUSH", "l" + tag, pick(100)};
    case 5:
      return {"RPOP", "l" + tag};
    case 6:
      return {"LMOVE", "l" + tag, "m" + tag, "LEFT", "RIGHT"};
    case 7:
      return {"LTRIM", "m" + tag, "0", "20"};
    case 8:
      return {"SADD", "set" + tag, pick(50), pick(50)};
    case 9:
      return {"SREM", "set" + tag, pick(50)};
    case 10:
      return {"SUNIONSTORE", "u" + tag, "set" + tag, "v" + tag};
    case 11:
      return {"SMOVE", "set" + tag, "v" + tag, pick(50)};
    case 12:
      return {"HSET", "h" + tag, pick(20), pick(1000)};
    case 13:
      return {"HINCRBY", "hn" + tag, pick(20), pick(10)};
    case 14:
      return {"HDEL", "h" + tag, pick(20)};
    case 15:
      return {"ZADD", "z" + tag, pick(100), pick(30)};
    case 16:
      return {"ZPOPMIN", "z" + tag};
    case 17:
      return {"ZINCRBY", "z" + tag, "1", pick(30)};
    case 18:
      return {"DEL", "s" + tag, "l{" + pick(10) + "}"};
    case 19:
      return {"MSET", "s{" + pick(10) + "}", pick(100), "s{" + pick(10) + "}", pick(100)};
    case 20:
      return {"RENAME", "s" + tag, "r" + tag};
    case 21:
      return {"COPY", "s" + tag, "r" + tag, "REPLACE"};
    case 22:
      return {"SETRANGE", "s" + tag, pick(20), "xyz"};
    case 23:
      return {"SETBIT", "b" + tag, pick(100), "1"};
    case 24:
      return {"PFADD", "p" + tag, pick(1000)};
    case 25:
      return {"XADD", "x" + tag, pick(1000) + "-" + pick(9), "f", pick(10)};
    case 26:
      return {"SETEX", "e" + tag, "10000", pick(10)};
    case 27:
      return {"GETDEL", "e" + tag};
    case 28:
      return {"SETNX", "nx" + tag, pick(1000)};
    case 29:
      return {"GEOADD", "g" + tag, pick(90), pick(80), pick(10)};
    case 30:
      return {"MGET", "s" + tag, "s{" + pick(10) + "}", "n{" + pick(10) + "}"};
    case 31:
      return {"GET", "s" + tag};
    case 32:
      return {"LRANGE", "l" + tag, "0", "5"};
    default:
      return {"EXISTS", "s" + tag, "h{" + pick(10) + "}"};
  }
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
