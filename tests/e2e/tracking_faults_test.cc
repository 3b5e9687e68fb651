// A cached value is never old for longer than it takes to be told, whatever becomes of the nodes.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/e2e/caching_client.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::tracking_faults_test {
namespace {

constexpr int kKeys = 24;

std::string KeyName(int i) { return "key" + std::to_string(i); }
std::string ValueOf(int64_t number) {
  const std::string text = std::to_string(number);
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
int64_t NumberOf(const std::string& value) {
  return value[0] == '$' ? std::stoll(value.substr(value.find('\n') + 1)) : 0;
}

// Writers of growing numbers, each of keys of its own; readers with caches.
class Traffic {
 public:
  explicit Traffic(uint16_t port) : port_(port) {
    for (auto& number : acknowledged_) number = 0;
    const std::vector<Words> modes = {{}, {"NOLOOP"}, {"OPTOUT"}, {"BCAST", "PREFIX", "key"}};
    for (const Words& mode : modes) {
      readers_.push_back(std::make_unique<CachingClient>(port, mode));
    }
  }

  // All of them go on until `during` has ended.
  template <typename During>
  void Run(During during) {
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (int writer = 0; writer < 2; ++writer) {
      threads.emplace_back([this, &stop, writer] {
        try {
          Write(writer, &stop);
        } catch (const std::exception& error) {
          ADD_FAILURE() << "writer: " << error.what();
        }
      });
    }
    for (size_t reader = 0; reader < readers_.size(); ++reader) {
      threads.emplace_back([this, &stop, reader] {
        try {
          Read(reader, &stop);
        } catch (const std::exception& error) {
          ADD_FAILURE() << "reader " << reader << ": " << error.what();
        }
      });
    }
    during();
    stop = true;
    for (std::thread& thread : threads) thread.join();
  }

  // Nobody writes now: what is cached becomes what is there, or is forgotten. `what`: of this.
  void ExpectNothingOld(const std::string& what) {
    Client client(port_);
    for (size_t reader = 0; reader < readers_.size(); ++reader) {
      CachingClient& cache = *readers_[reader];
      for (int i = 0; i < kKeys; ++i) {
        const std::string key = KeyName(i);
        const Reply now = client("GET", key);
        ASSERT_FALSE(now.IsError()) << now;
        const std::string value =
            now.kind == Reply::Kind::kNil ? "_\r\n" : ValueOf(std::stoll(now.bytes));
        const auto current = [&] {
          const auto found = cache.cache().find(key);
          return found == cache.cache().end() || found->second == value;
        };
        // What was on its way is here with an answer; else it has to come.
        cache.Ask({"ECHO", "x"});
        try {
          while (!current()) cache.Await();
        } catch (const std::exception& error) {
          FAIL() << what << ": reader " << reader << " has " << key << " as "
                 << cache.cache().at(key) << ", which is " << value << ": " << error.what();
        }
      }
    }
  }
  size_t keys_told() const {
    size_t told = 0;
    for (const auto& reader : readers_) told += reader->keys_told();
    return told;
  }

 private:
  void Write(int writer, const std::atomic<bool>* stop) {
    Client client(port_);
    std::mt19937 random(static_cast<unsigned>(writer + 1));
    while (!*stop) {
      const int key = static_cast<int>(random() % (kKeys / 2)) * 2 + writer;
      const int64_t number = ++written_[key];
      const Reply said = random() % 4 == 0
                             ? client("SET", KeyName(key), std::to_string(number), "EX", "1000")
                             : client("SET", KeyName(key), std::to_string(number));
      if (!said.IsError()) acknowledged_[key] = number;
      LetOthersRun();
    }
  }

  void Read(size_t reader, const std::atomic<bool>* stop) {
    CachingClient& cache = *readers_[reader];
    std::mt19937 random(static_cast<unsigned>(100 + reader));
    while (!*stop) {
      const int key = static_cast<int>(random() % kKeys);
      const std::string name = KeyName(key);
      if (random() % 8 == 0) {
        cache.Ask({"MGET", name, KeyName(0)});
      } else if (cache.Has(name)) {
        cache.Ask({"ECHO", "x"});
      } else {
        const int64_t before = acknowledged_[key];
        const std::string value = cache.Get(name);
        if (value[0] != '-' && check_reads) {
          EXPECT_GE(NumberOf(value), before) << name;
        }
      }
      LetOthersRun();
    }
  }

 public:
  bool check_reads = true;  // what was acknowledged is read

 private:
  const uint16_t port_;
  std::vector<std::unique_ptr<CachingClient>> readers_;
  int64_t written_[kKeys] = {};
  std::atomic<int64_t> acknowledged_[kKeys];
};

// What is written, what is read.
class TrackingFaults : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(TrackingFaults, NothingCachedIsOldThreaded) {
  const auto [ack, from] = GetParam();
  Cluster cluster({.shards = 2,
                   .copies = 2,
                   .workers = 2,
                   .sections = {{"write", "ack = \"" + std::string(ack) + "\""},
                                {"read", "from = \"" + std::string(from) + "\""},
                                {"health", kImpatientProbes}}});
  Traffic traffic(cluster.proxy().port());
  // With less than "all" a node takes with it what only it has.
  traffic.check_reads = ack == std::string("all");
  for (int round = 0; round < 4; ++round) {
    RedisNode& node = cluster.node(round % 2, (round / 2) % 2);
    const bool hang = round == 3;
    traffic.Run([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      if (hang) {
        node.Pause();
        EXPECT_TRUE(Eventually([&] { return !cluster.Status(round % 2).AllInSync(); }));
        node.Resume();
      } else {
        node.Kill();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        node.Start();
      }
      EXPECT_TRUE(cluster.WaitUntilInSync());
    });
    traffic.ExpectNothingOld("round " + std::to_string(round));
  }
  EXPECT_GT(traffic.keys_told(), 100u);
  cluster.ExpectCopiesEqual();
}

// Both copies of a shard at once: all that was cached of it is gone.
TEST_P(TrackingFaults, NothingIsLeftOfALostShardThreaded) {
  const auto [ack, from] = GetParam();
  Cluster cluster({.shards = 2,
                   .copies = 2,
                   .workers = 2,
                   .sections = {{"write", "ack = \"" + std::string(ack) + "\""},
                                {"read", "from = \"" + std::string(from) + "\""},
                                {"health", kImpatientProbes}}});
  Traffic traffic(cluster.proxy().port());
  traffic.check_reads = false;
  traffic.Run([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    for (int copy = 0; copy < 2; ++copy) cluster.node(0, copy).Kill();
    for (int copy = 0; copy < 2; ++copy) cluster.node(0, copy).Start();
    EXPECT_TRUE(cluster.WaitUntilInSync());
  });
  traffic.ExpectNothingOld("a lost shard");
}

INSTANTIATE_TEST_SUITE_P(Ways, TrackingFaults,
                         ::testing::Values(std::tuple("all", "primary"),
                                           std::tuple("all", "balanced"),
                                           std::tuple("any", "balanced")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param);
                         });

// Shards come and go: whoever has the keys now, nobody keeps what is old.
TEST(TrackingReloads, NothingCachedIsOldThreaded) {
  ReloadWorld world({.shards = 2, .copies = 1, .workers = 2});
  Traffic traffic(world.port());
  traffic.check_reads = false;  // a key that comes to another shard is missed
  const std::string added = world.NewNode();
  for (int round = 0; round < 2; ++round) {
    traffic.Run([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (round == 0) {
        world.file().shards.push_back({"z", {added}});
      } else {
        world.file().RemoveShard("z");
      }
      world.ReloadAndSettle();
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    });
    traffic.ExpectNothingOld("round " + std::to_string(round));
  }
}

}  // namespace
}  // namespace gemel::e2e::tracking_faults_test
