// A fleet whose registers are on the nodes of its own shards, while these die, come back empty, are
// copied over, come and go.

#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/fleet_load.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/kept_registers.h"
#include "tests/e2e/look.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::fleet_registers_faults_test {
namespace {

std::set<std::string> NodesOf(FleetWorld* fleet, int copies = 2) {
  std::set<std::string> nodes;
  for (int shard = 0; shard < fleet->shards(); ++shard) {
    for (int copy = 0; copy < copies; ++copy) nodes.insert(fleet->node(shard, copy).address());
  }
  return nodes;
}

// All members know these, and no other ones, to keep the registers.
bool WaitForKeepers(FleetWorld* fleet, const std::set<std::string>& nodes) {
  return Eventually([&] {
    for (int i = 0; i < fleet->members(); ++i) {
      if (fleet->member(i).running() && fleet->Keepers(i) != nodes) return false;
    }
    return true;
  });
}

TEST(FleetRegistersFaults, AnyNodeMayDieAndComesBackEmpty) {
  FleetWorld fleet({.lease_ms = 3000, .on_nodes = true});
  FleetLoad load(fleet.Ports());
  const std::set<std::string> all = NodesOf(&fleet);
  for (int i = 0; i < 4; ++i) {
    RedisNode& node = fleet.node(i / 2, i % 2);
    const std::string before = NonceOf(node);
    node.Kill();
    for (int j = 0; j < fleet.members(); ++j) EXPECT_TRUE(load.WaitForMore(j, 100)) << i;
    node.Start();
    EXPECT_TRUE(fleet.WaitUntilInSync());
    // It was resynced, and counts anew.
    EXPECT_TRUE(WaitForKeepers(&fleet, all)) << i;
    EXPECT_TRUE(Eventually([&] {
      const std::string nonce = NonceOf(node);
      return !nonce.empty() && nonce != before && nonce != NonceOf(fleet.node(i / 2, 1 - i % 2));
    })) << i;
    for (int j = 0; j < fleet.members(); ++j) EXPECT_TRUE(load.WaitForMore(j, 100)) << i;
  }
  load.Stop();
  for (int j = 0; j < fleet.members(); ++j) load.ExpectNoErrors(j);
  load.Verify(fleet.member(0).port());
  fleet.ExpectCopiesEqual();
}

// Copies of two shards that are to be overwritten at the same time: two of four at once would be
// the loss of the registers.
TEST(FleetRegistersFaults, NodesThatAreCopiedOverLetOthersGoFirst) {
  FleetWorld fleet({.started = 0, .on_nodes = true});
  for (int shard = 0; shard < 2; ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      Client client = fleet.node(shard, copy).Connect();
      for (int i = 0; i < 2000; ++i) {
        client.Append(
            {"SET", "old:" + std::to_string(i), std::string(200, 'a' + static_cast<char>(copy))});
      }
      for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.Read(), "OK");
    }
  }
  fleet.StartMembers({0, 1, 2});
  EXPECT_TRUE(fleet.WaitUntilInSync());
  EXPECT_TRUE(WaitForKeepers(&fleet, NodesOf(&fleet)));
  for (int i = 0; i < fleet.members(); ++i) {
    EXPECT_TRUE(fleet.WaitUntilServed(i));
    EXPECT_FALSE(Has(fleet.member(i).Log(), "cannot be reached")) << fleet.member(i).Log();
  }
  fleet.ExpectCopiesEqual();
}

TEST(FleetRegistersFaults, TheyGoWithTheShards) {
  // Longer than the members, which need them to end in order.
  RedisNode primary;
  RedisNode replica;
  FleetWorld fleet({.lease_ms = 2000, .on_nodes = true});
  const std::set<std::string> first = NodesOf(&fleet);
  std::set<std::string> more = first;
  more.insert({primary.address(), replica.address()});
  const std::string lines = ShardLines("c", primary, replica);
  Reply reply = Reload(&fleet, 0, fleet.Config(0, {}, lines));
  EXPECT_FALSE(reply.IsError()) << reply;
  EXPECT_TRUE(WaitForKeepers(&fleet, more));
  EXPECT_NE(NonceOf(primary), "");
  EXPECT_NE(NonceOf(replica), "");
  // Of six any two may be gone, and a member besides.
  fleet.node(0, 1).Kill();
  fleet.node(1, 0).Kill();
  fleet.member(2).Kill();
  EXPECT_TRUE(fleet.WaitUntilServed(0));
  fleet.node(0, 1).Start();
  fleet.node(1, 0).Start();
  fleet.member(2).Restart();
  EXPECT_TRUE(fleet.WaitUntilInSync());
  EXPECT_TRUE(WaitForKeepers(&fleet, more));
  // A shard goes, whose nodes may be switched off then.
  std::string without = fleet.Config(1, {}, lines);
  const size_t begin = without.find("[[shard]]\nname = \"a\"");
  without.erase(begin, without.find("[[shard]]\nname = \"b\"") - begin);
  reply = Reload(&fleet, 1, without);
  EXPECT_FALSE(reply.IsError()) << reply;
  std::set<std::string> rest = more;
  for (int copy : {0, 1}) rest.erase(fleet.node(0, copy).address());
  EXPECT_TRUE(WaitForKeepers(&fleet, rest));
  for (int copy : {0, 1}) fleet.node(0, copy).Kill();
  fleet.member(0).Kill();
  EXPECT_TRUE(Eventually([&] {
    Client client = fleet.Connect(1);
    for (int i = 0; i < 50; ++i) {
      if (!(client("SET", "after:" + std::to_string(i), "v") == "OK")) return false;
    }
    return true;
  }));
  EXPECT_TRUE(fleet.WaitUntilInSync());
  for (int i : {1, 2}) EXPECT_EQ(ReadShards(fleet.Connect(i)).size(), 2u);
}

TEST(FleetRegistersFaults, NodesThatEvictKeepThem) {
  FleetWorld fleet({.lease_ms = 3000,
                    .sections = {{"removals", "set_limits = false"}},
                    .on_nodes = true,
                    .redis_options = {"--maxmemory", "8mb", "--maxmemory-policy", "volatile-lru"}});
  std::vector<std::string> before;
  for (int i = 0; i < 4; ++i) before.push_back(NonceOf(fleet.node(i / 2, i % 2)));
  const auto evicted = [&](RedisNode& node) {
    const std::string info = node.Connect()("INFO", "stats").bytes;
    const size_t at = info.find("evicted_keys:");
    return std::stol(info.substr(at + 13));
  };
  const auto all_evict = [&] {
    bool all = true;
    for (int i = 0; i < 4; ++i) all = all && evicted(fleet.node(i / 2, i % 2)) > 1000;
    return all;
  };
  Client client = fleet.Connect(0);
  const std::string value(1000, 'v');
  for (int round = 0; round < 200 && !all_evict(); ++round) {
    for (int i = 0; i < 500; ++i) {
      client.Append({"SET", "key:" + std::to_string(round * 500 + i), value, "EX", "100000"});
    }
    for (int i = 0; i < 500; ++i) ASSERT_EQ(client.Read(), "OK");
  }
  EXPECT_TRUE(all_evict());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(NonceOf(fleet.node(i / 2, i % 2)), before[static_cast<size_t>(i)]) << i;
  }
  EXPECT_EQ(client("FLUSHALL"), "OK");
}

TEST(FleetRegistersFaults, NodesWithoutMemoryTakeThemStill) {
  FleetWorld fleet(
      {.lease_ms = 2000, .sections = {{"removals", "set_limits = false"}}, .on_nodes = true});
  for (int i = 0; i < 4; ++i) {
    Client client = fleet.node(i / 2, i % 2).Connect();
    client("CONFIG", "SET", "maxmemory-policy", "noeviction");
    client("CONFIG", "SET", "maxmemory", "100kb");
  }
  Client client = fleet.Connect(0);
  EXPECT_TRUE(client("SET", "k", "v").Text().starts_with("-OOM ")) << client("SET", "k", "v");
  // Members beat, and shards change their owners.
  const std::string life = LifeOn(fleet.node(0, 0), "m1");
  EXPECT_TRUE(Eventually([&] { return LifeOn(fleet.node(0, 0), "m1") != life; }));
  const int owner = fleet.WaitForOwner(0);
  EXPECT_EQ(fleet.Connect(owner)("PROXY", "FLEET", "DRAIN"), "OK");
  EXPECT_TRUE(Eventually([&] { return fleet.OwnerOf(0) != owner; }));
  EXPECT_TRUE(fleet.Connect(0)("FLUSHALL") == "OK");
}

TEST(FleetRegistersFaults, ANodeThatMayEvictThemDoesNotCount) {
  FleetWorld fleet({.lease_ms = 3000, .on_nodes = true});
  RedisNode& node = fleet.node(0, 0);
  node.Connect()("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  EXPECT_TRUE(Eventually([&] {
    return fleet.member(0).Logs("does not count among those that keep registers of the fleet");
  }));
  const std::string life = LifeOn(node, "m1");
  const std::string others = LifeOn(fleet.node(1, 0), "m1");
  EXPECT_TRUE(Eventually([&] { return LifeOn(fleet.node(1, 0), "m1") != others; }));
  EXPECT_EQ(LifeOn(node, "m1"), life);
  EXPECT_EQ(fleet.Connect(0)("SET", "k", "v"), "OK");
  node.Connect()("CONFIG", "SET", "maxmemory-policy", "noeviction");
  EXPECT_TRUE(Eventually([&] { return LifeOn(node, "m1") != life; }));
}

}  // namespace
}  // namespace gemel::e2e::fleet_registers_faults_test
