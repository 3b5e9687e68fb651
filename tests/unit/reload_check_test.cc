// What of a good config cannot take effect yet, by two files and the topology of the moment.

#include "proxy/reload/reload_check.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "config/config_load.h"
#include "proxy/dispatch/pool.h"

namespace gemel::reload_check_test {
namespace {

// Shards as "NAME: PRIMARY REPLICA ...", nodes as ports; `weight` is that of the first.
struct ShardText {
  std::string name;
  std::vector<int> ports;
};

std::string Node(int port) { return "127.0.0.1:" + std::to_string(port); }

PoolConfig PoolOf(const std::vector<ShardText>& shards, uint32_t weight = 1) {
  std::string text;
  for (const ShardText& shard : shards) {
    text += "[[shard]]\nname = \"" + shard.name + "\"\nprimary = \"" + Node(shard.ports[0]) +
            "\"\nweight = " + std::to_string(&shard == &shards[0] ? weight : 1) + "\nreplicas = [";
    for (size_t i = 1; i < shard.ports.size(); ++i) {
      text += (i > 1 ? ", \"" : "\"") + Node(shard.ports[i]) + "\"";
    }
    text += "]\n";
  }
  ConfigError error;
  std::optional<Config> config = LoadConfigText(text, "/etc/gemel.toml", &error);
  EXPECT_TRUE(config) << error.ToString();
  return config->pools.at(0);
}

// Each with all of its nodes, of which the first so many are in sync.
Topology Served(const std::vector<ShardText>& shards, size_t in_sync = 9) {
  Topology topology;
  for (const ShardText& shard : shards) {
    ShardInfo& info = topology.shards.emplace_back();
    info.name = shard.name;
    for (size_t i = 0; i < shard.ports.size(); ++i) {
      const bool good = i < in_sync;
      info.copies.push_back({Node(shard.ports[i]), good ? CopyState::kInSync : CopyState::kStale,
                             "r", good ? "" : "it is new"});
    }
  }
  return topology;
}

const std::vector<ShardText> kTwo = {{"a", {1, 2}}, {"b", {3}}};

TEST(ReloadCheckTest, WhatIsServedIsNotRefused) {
  EXPECT_EQ(WhyRefused(PoolOf(kTwo), PoolOf(kTwo), Served(kTwo), {}, false), "");
  EXPECT_EQ(
      WhyRefused(PoolOf(kTwo), PoolOf({{"a", {2, 9}}, {"b", {3, 4}}}), Served(kTwo), {}, false),
      "");
}

TEST(ReloadCheckTest, TheOnlyCopyInSync) {
  const PoolConfig next = PoolOf({{"a", {1, 2}}, {"b", {4}}});
  const std::string why = WhyRefused(PoolOf(kTwo), next, Served(kTwo), {}, false);
  EXPECT_TRUE(why.starts_with("shard 'b' would lose its only copy in sync, 127.0.0.1:3")) << why;
  EXPECT_EQ(WhyRefused(PoolOf(kTwo), next, Served(kTwo), {}, true), "");
}

// What was forced before it, or has come to be so by a fault, is no reason against something else.
TEST(ReloadCheckTest, AShardWhoseNodesStayIsNotAskedAgain) {
  const std::vector<ShardText> forced = {{"a", {1, 2}}, {"b", {4, 5}}};
  const Topology topology = Served({{"a", {1, 2}}, {"b", {3, 4, 5}}}, 1);
  EXPECT_EQ(WhyRefused(PoolOf(forced), PoolOf(forced), topology, {}, false), "");
  EXPECT_EQ(WhyRefused(PoolOf(forced), PoolOf({{"a", {1}}, {"b", {5, 4}}}), topology, {}, false),
            "");
  EXPECT_NE(WhyRefused(PoolOf(forced), PoolOf({{"a", {1}}, {"b", {4}}}), topology, {}, false), "");
  EXPECT_NE(WhyRefused(PoolOf(forced), PoolOf({{"a", {1}}, {"b", {4, 6}}}), topology, {}, false),
            "");
}

TEST(ReloadCheckTest, NodesAndNamesThatAreStillInUse) {
  const std::vector<ShardText> one = {{"a", {1, 2}}};
  std::string why = WhyRefused(PoolOf(one), PoolOf(kTwo), Served(one), {"b"}, false);
  EXPECT_TRUE(why.starts_with("shard 'b' was removed a moment ago")) << why;
  why = WhyRefused(PoolOf(one), PoolOf({{"a", {1}}, {"c", {2}}}), Served(one), {}, false);
  EXPECT_TRUE(why.starts_with("node 127.0.0.1:2 of the new shard 'c' still belongs to shard 'a'"))
      << why;
}

// What shards may exchange, and what would make them wait for each other.
TEST(ReloadCheckTest, NodesThatShardsExchange) {
  const std::vector<ShardText> now = {{"a", {1, 2}}, {"b", {3, 4}}, {"c", {5}}};
  const auto why = [&](const std::vector<ShardText>& next, bool force = false) {
    return WhyRefused(PoolOf(now), PoolOf(next), Served(now), {}, force);
  };
  EXPECT_EQ(why({{"a", {3, 2}}, {"b", {1, 4}}, {"c", {5}}}), "");
  EXPECT_EQ(why({{"a", {4, 1}}, {"b", {2, 3}}, {"c", {5}}}), "");
  EXPECT_EQ(why({{"a", {1, 3}}, {"b", {4, 2}}, {"c", {5}}}), "");
  EXPECT_EQ(why({{"a", {1}}, {"b", {4, 2}}, {"c", {5, 3}}}), "");
  // A shard that goes lets its node go.
  EXPECT_EQ(why({{"a", {1, 5}}, {"b", {3, 4}}}), "");
  EXPECT_NE(why({{"a", {3, 4}}, {"b", {1, 2}}, {"c", {5}}}), "");
  // By force, those that have nothing that stays must get a node first.
  EXPECT_EQ(why({{"a", {3, 4}}, {"b", {1, 2}}, {"c", {5}}}, true).substr(0, 51),
            "shard 'a' would wait for node 127.0.0.1:3 of shard ");
  EXPECT_EQ(why({{"a", {3, 4}}, {"b", {9}}, {"c", {5}}}, true), "");
  EXPECT_EQ(
      why({{"a", {5}}, {"b", {3, 4}}, {"c", {1}}}, true).substr(0, 101),
      "shard 'a' would wait for node 127.0.0.1:5 of shard 'c', and shard 'c' would wait for node "
      "127.0.0.1:1");
  // One that stays is enough to break the ring.
  EXPECT_EQ(why({{"a", {5, 2}}, {"b", {3, 4}}, {"c", {1}}}, true), "");
  EXPECT_NE(why({{"a", {3, 4}}, {"b", {5}}, {"c", {1}}}, true), "");
}

TEST(ReloadCheckTest, NoMoreRingsThanMayBeKept) {
  Topology topology = Served(kTwo);
  for (uint32_t weight = 1; weight <= kMaxRings; ++weight) {
    EXPECT_EQ(WhyRefused(PoolOf(kTwo), PoolOf(kTwo, weight), topology, {}, false), "") << weight;
    RingSpec spec = RingOf(PoolOf(kTwo, weight));
    spec.id = weight;
    topology.rings.push_back(spec);
  }
  // The ring in effect is no change.
  EXPECT_EQ(WhyRefused(PoolOf(kTwo), PoolOf(kTwo, kMaxRings), topology, {}, false), "");
  const std::string why =
      WhyRefused(PoolOf(kTwo, kMaxRings), PoolOf(kTwo, kMaxRings + 1), topology, {}, true);
  EXPECT_TRUE(why.starts_with("the ring cannot change: 32 rings wait")) << why;
  EXPECT_NE(
      WhyRefused(PoolOf(kTwo, kMaxRings),
                 PoolOf({{"a", {1, 2}}, {"b", {3}}, {"c", {9}}}, kMaxRings), topology, {}, false),
      "");
}

TEST(ReloadCheckTest, OutstandingMembers) {
  EXPECT_EQ(OutstandingMembers(PoolOf(kTwo), Served(kTwo)), "");
  EXPECT_EQ(OutstandingMembers(PoolOf({{"a", {2, 7}}, {"b", {3}}}), Served(kTwo)),
            "shard a: node 127.0.0.1:7 comes\nshard a: node 127.0.0.1:1 leaves\n");
}

}  // namespace
}  // namespace gemel::reload_check_test
