// What a fleet serves changes by the file of any member, while all serve.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/fleet_load.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::fleet_plan_test {
namespace {

// Clients that write a key over one member and read it over another, in turn. Of what was written
// the other reads that or, where the key has gone to another shard meanwhile, nothing; anything
// older would be another shard's.
class HandedKeys {
 public:
  explicit HandedKeys(const std::vector<uint16_t>& ports) {
    for (size_t i = 0; i < ports.size(); ++i) {
      threads_.emplace_back([this, ports, i] { Work(ports, i); });
    }
  }
  ~HandedKeys() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  bool WaitForRounds(uint64_t more) const {
    const uint64_t end = rounds_ + more;
    return Eventually([&] { return rounds_ >= end || failed_; }) && !failed_;
  }
  // After Stop. `changes`: how often keys may have gone to another shard.
  void Expect(int changes) {
    EXPECT_TRUE(told_.empty()) << told_;
    EXPECT_LE(most_lost_, changes);
  }

 private:
  static constexpr int kKeys = 40;

  void Fail(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (told_.empty()) told_ = text;
    failed_ = true;
  }
  void Work(const std::vector<uint16_t>& ports, size_t index) {
    Client here(ports[index]);
    Client there(ports[(index + 1) % ports.size()]);
    std::vector<int> lost(kKeys);
    for (int value = 1; !stop_ && !failed_; ++value) {
      for (int i = 0; i < kKeys && !stop_ && !failed_; ++i) {
        const std::string key = "handed:" + std::to_string(index) + ":" + std::to_string(i);
        const Reply wrote = here("SET", key, std::to_string(value));
        if (wrote != "OK") return Fail("SET " + key + ": " + wrote.Text());
        const Reply read = there("GET", key);
        if (read == std::to_string(value)) continue;
        if (read.Text() != "(nil)") {
          return Fail("GET " + key + " after SET " + std::to_string(value) + ": " + read.Text());
        }
        const std::lock_guard lock(mutex_);
        most_lost_ = std::max(most_lost_, ++lost[static_cast<size_t>(i)]);
      }
      ++rounds_;
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> rounds_{0};
  std::mutex mutex_;
  std::string told_;
  int most_lost_ = 0;
  std::vector<std::thread> threads_;
};

int64_t VersionAt(const FleetWorld& fleet, int member) {
  return fleet.Connect(member)("PROXY", "FLEET").Field("version").integer;
}

// All members go by the version that this one has.
bool WaitForAll(FleetWorld* fleet, int member) {
  return Eventually([&] {
    const int64_t version = VersionAt(*fleet, member);
    for (int i = 0; i < fleet->members(); ++i) {
      if (fleet->member(i).running() && VersionAt(*fleet, i) != version) return false;
    }
    return true;
  });
}

bool WaitForShards(const FleetWorld& fleet, int member, size_t shards) {
  return Eventually([&] { return ReadShards(fleet.Connect(member)).size() == shards; });
}

class FleetPlan : public ::testing::TestWithParam<int> {};

TEST_P(FleetPlan, AShardComesAndGoesAndNoKeyIsOfTwo) {
  FleetWorld fleet({.workers = GetParam(), .lease_ms = 2000});
  RedisNode primary;
  RedisNode replica;
  HandedKeys keys(fleet.Ports());
  EXPECT_TRUE(keys.WaitForRounds(5));
  const std::string more = ShardLines("c", primary, replica);
  Reply reply = Reload(&fleet, 0, fleet.Config(0, {}, more));
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_TRUE(WaitForAll(&fleet, 0));
  const int64_t second = VersionAt(fleet, 0);
  for (int i = 0; i < fleet.members(); ++i) EXPECT_TRUE(WaitForShards(fleet, i, 3)) << i;
  EXPECT_TRUE(keys.WaitForRounds(5));
  EXPECT_TRUE(Eventually([&] { return primary.Connect()("DBSIZE").integer > 0; }));
  // The others' files say the same a while later.
  for (int i = 1; i < fleet.members(); ++i) {
    reply = Reload(&fleet, i, fleet.Config(i, {}, more));
    EXPECT_FALSE(reply.IsError()) << reply;
  }
  EXPECT_EQ(VersionAt(fleet, 1), second);
  EXPECT_TRUE(keys.WaitForRounds(5));
  // And it goes again, by the word of another one.
  reply = Reload(&fleet, 1, fleet.Config(1));
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_TRUE(WaitForAll(&fleet, 1));
  for (int i = 0; i < fleet.members(); ++i) EXPECT_TRUE(WaitForShards(fleet, i, 2)) << i;
  EXPECT_TRUE(keys.WaitForRounds(5));
  keys.Stop();
  keys.Expect(/*changes=*/2);
  // A file that has said it all along is no word for it, unless that is meant. Nobody serves the
  // shard any more, so it may come back.
  reply = fleet.Connect(2)("PROXY", "RELOAD");
  EXPECT_TRUE(Has(reply.Text(), "bring the file up to date")) << reply;
  EXPECT_TRUE(Eventually([&] {
    reply = fleet.Connect(2)("PROXY", "RELOAD", "FORCE");
    return !reply.IsError();
  })) << reply;
  EXPECT_TRUE(WaitForAll(&fleet, 2));
  EXPECT_GT(VersionAt(fleet, 2), second + 1);
  for (int i = 0; i < fleet.members(); ++i) EXPECT_TRUE(fleet.WaitUntilServed(i));
  fleet.ExpectCopiesEqual();
}

TEST_P(FleetPlan, AReplicaIsReplacedUnderLoad) {
  FleetWorld fleet({.workers = GetParam(), .lease_ms = 2000});
  RedisNode fresh;
  FleetLoad load(fleet.Ports());
  for (int i = 0; i < fleet.members(); ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  const std::string old = fleet.node(0, 1).address();
  const std::string config = fleet.Config(1);
  std::string changed = config;
  changed.replace(changed.find(old), old.size(), fresh.address());
  const Reply reply = Reload(&fleet, 1, changed);
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_TRUE(WaitForAll(&fleet, 1));
  EXPECT_TRUE(Eventually([&] {
    const Reply shards = fleet.Connect(1)("PROXY", "SHARDS");
    return Has(shards.Text(), fresh.address()) && !Has(shards.Text(), old);
  }));
  EXPECT_TRUE(fleet.WaitUntilInSync());
  for (int i = 0; i < fleet.members(); ++i) ASSERT_TRUE(load.WaitForMore(i, 100));
  load.Stop();
  for (int i = 0; i < fleet.members(); ++i) load.ExpectNoErrors(i);
  load.Verify(fleet.member(0).port());
  EXPECT_EQ(fresh.Connect()("DBSIZE").integer, fleet.node(0, 0).Connect()("DBSIZE").integer);
}

INSTANTIATE_TEST_SUITE_P(Workers, FleetPlan, ::testing::Values(1, 2));

TEST(FleetPlans, AnOlderFileIsNoProposal) {
  FleetWorld fleet({.lease_ms = 2000});
  RedisNode primary;
  RedisNode replica;
  const std::string more = ShardLines("c", primary, replica);
  ASSERT_FALSE(Reload(&fleet, 0, fleet.Config(0, {}, more)).IsError());
  ASSERT_TRUE(WaitForAll(&fleet, 0));
  const int64_t second = VersionAt(fleet, 0);
  // Other options of a file that still says the first version.
  Reply reply = Reload(&fleet, 1, fleet.Config(1, {{"limits", "max_clients = 77"}}));
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_EQ(fleet.Connect(1)("CONFIG", "GET", "maxclients"), "[maxclients 77]");
  EXPECT_EQ(ReadShards(fleet.Connect(1)).size(), 3u);
  // And a start with it.
  EXPECT_EQ(fleet.member(2).Stop(), 0);
  fleet.member(2).Restart();
  EXPECT_TRUE(fleet.member(2).Logs("bring the file up to date"));
  EXPECT_TRUE(fleet.WaitUntilServed(2));
  EXPECT_EQ(ReadShards(fleet.Connect(2)).size(), 3u);
  EXPECT_EQ(VersionAt(fleet, 0), second);
  // A weight.
  std::string other = fleet.Config(2, {}, more);
  other.replace(other.find("name = \"c\""), 10, "name = \"c\"\nweight = 3");
  reply = Reload(&fleet, 2, other);
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_TRUE(WaitForAll(&fleet, 2));
  EXPECT_GT(VersionAt(fleet, 0), second);
  fleet.ExpectCopiesEqual();
}

TEST(FleetPlans, WhatIsWrongIsRefusedAndNothingChanges) {
  FleetWorld fleet({.lease_ms = 2000});
  RedisNode primary;
  std::string lines = "[[shard]]\nname = \"c\"\nprimary = \"" + fleet.node(0, 0).address() + "\"\n";
  Reply reply = Reload(&fleet, 0, fleet.Config(0, {}, lines));
  EXPECT_TRUE(reply.IsError()) << reply;
  // A shard that would lose its only copies.
  RedisNode one;
  RedisNode two;
  std::string config = fleet.Config(0);
  for (int copy : {0, 1}) {
    const std::string old = fleet.node(1, copy).address();
    config.replace(config.find(old), old.size(), (copy == 0 ? one : two).address());
  }
  reply = Reload(&fleet, 0, config);
  EXPECT_TRUE(Has(reply.Text(), "would lose its only cop")) << reply;
  EXPECT_EQ(VersionAt(fleet, 0), 1);
  EXPECT_EQ(ReadShards(fleet.Connect(1)).size(), 2u);
}

TEST(FleetPlans, AMemberThatWasStoppedMeanwhileGoesByItOnceItIsBack) {
  FleetWorld fleet({.lease_ms = 1000});
  RedisNode primary;
  RedisNode replica;
  const std::string more = ShardLines("c", primary, replica);
  fleet.member(2).Signal(SIGSTOP);
  const Reply reply = Reload(&fleet, 0, fleet.Config(0, {}, more));
  EXPECT_FALSE(reply.IsError()) << reply;
  // What it would find elsewhere by its own ring is not what it answers.
  std::vector<std::string> keys;
  Client client = fleet.Connect(1);
  for (int i = 0; i < 100; ++i) {
    keys.push_back("moved:" + std::to_string(i));
    EXPECT_EQ(client("SET", keys.back(), std::to_string(i)), "OK");
  }
  fleet.member(2).Signal(SIGCONT);
  Client back = fleet.Connect(2);
  for (int i = 0; i < 100; ++i) {
    const Reply read = back("GET", keys[static_cast<size_t>(i)]);
    EXPECT_TRUE(read == std::to_string(i) || Has(read.Text(), "TRYAGAIN")) << read;
  }
  EXPECT_TRUE(WaitForAll(&fleet, 0));
  EXPECT_TRUE(WaitForShards(fleet, 2, 3));
  EXPECT_TRUE(fleet.WaitUntilServed(2));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(back("GET", keys[static_cast<size_t>(i)]), std::to_string(i));
  }
}

TEST(FleetPlans, AnOwnerThatDiesMeanwhileHoldsUpNothingForLong) {
  FleetWorld fleet({.lease_ms = 1000});
  RedisNode primary;
  RedisNode replica;
  const int owner = fleet.WaitForOwner(0);
  const int other = (owner + 1) % 3;
  HandedKeys keys({fleet.member(other).port(), fleet.member((owner + 2) % 3).port()});
  EXPECT_TRUE(keys.WaitForRounds(5));
  fleet.member(owner).Kill();
  const Reply reply =
      Reload(&fleet, other, fleet.Config(other, {}, ShardLines("c", primary, replica)));
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_TRUE(WaitForAll(&fleet, other));
  keys.Stop();
  fleet.member(owner).Restart();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(fleet.WaitUntilServed(i)) << i;
  fleet.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::fleet_plan_test
