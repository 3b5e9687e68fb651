// Rings in a topology: their ids, until when they are needed, and what is no ring.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/topology/edit.h"

namespace gemel::topology_rings_test {
namespace {

RingSpec RingSample(std::vector<RingShard> shards, uint32_t points = 8) {
  RingSpec spec;
  spec.points = points;
  spec.hash_tag = "{}";
  spec.shards = std::move(shards);
  return spec;
}

// Shards a and b, whose ring is `id` 1.
Topology TwoShards() {
  std::string error;
  return *InitialTopology({{"a", {"n1"}}, {"b", {"n2"}}}, RingSample({{"a", 1}, {"b", 1}}), nullptr,
                          &error);
}

Edit SetRing(RingSpec spec) {
  Edit edit{EditKind::kSetRing, "", "", "", ""};
  edit.spec = std::move(spec);
  return edit;
}

Edit Swept(const std::string& shard, uint64_t ring) {
  Edit edit{EditKind::kSwept, shard, "", "", ""};
  edit.ring = ring;
  return edit;
}

TEST(Apply, SetRingGivesTheNextId) {
  std::string error;
  const Topology first = TwoShards();
  ASSERT_EQ(first.rings.size(), 1U);
  EXPECT_EQ(first.rings[0].id, 1U);
  // The same ring, in another order and whatever its id.
  RingSpec same = RingSample({{"b", 1}, {"a", 1}});
  same.id = 7;
  EXPECT_EQ(*Apply(first, SetRing(same), &error), first);
  const auto next = Apply(first, SetRing(RingSample({{"a", 2}, {"b", 1}})), &error);
  ASSERT_TRUE(next) << error;
  EXPECT_EQ(next->epoch, first.epoch + 1);
  EXPECT_EQ(next->shards, first.shards);
  ASSERT_EQ(next->rings.size(), 2U);
  EXPECT_EQ(next->rings[1].id, 2U);
  // Back again: that is a third one.
  const auto back = Apply(*next, SetRing(first.rings[0]), &error);
  ASSERT_TRUE(back) << error;
  EXPECT_EQ(back->rings.size(), 3U);
  EXPECT_EQ(back->rings[2].id, 3U);
  EXPECT_TRUE(SameRing(back->rings[2], back->rings[0]));
}

TEST(Apply, SetRingRefusesWhatIsNoRing) {
  std::string error;
  const Topology first = TwoShards();
  const auto refusal = [&](const RingSpec& spec) {
    error.clear();
    EXPECT_FALSE(Apply(first, SetRing(spec), &error));
    return error;
  };
  EXPECT_EQ(refusal(RingSample({{"a", 1}, {"c", 1}})),
            "the ring has a shard \"c\", which is not there");
  EXPECT_EQ(refusal(RingSample({})), "a ring has no shards");
  EXPECT_EQ(refusal(RingSample({{"a", 1}}, 0)), "a ring has no points");
  EXPECT_EQ(refusal(RingSample({{"a", 0}})), "shard \"a\" has no weight in a ring");
  EXPECT_EQ(refusal(RingSample({{"a", 1}, {"a", 1}})), "a ring has shard \"a\" twice");
  EXPECT_EQ(refusal(RingSample({{"a", 1u << 31}}, 1)), "a ring has too many points");
  RingSpec odd = RingSample({{"a", 1}});
  odd.hash_tag = "{";
  EXPECT_NE(refusal(odd), "");
}

TEST(Apply, SweptDropsTheRingsThatNobodyNeeds) {
  std::string error;
  Topology topology = TwoShards();
  for (uint32_t weight = 2; weight <= 4; ++weight) {
    topology = *Apply(topology, SetRing(RingSample({{"a", weight}, {"b", 1}})), &error);
  }
  ASSERT_EQ(topology.rings.size(), 4U);
  const uint64_t epoch = topology.epoch;
  topology = *Apply(topology, Swept("a", 4), &error);
  EXPECT_EQ(topology.rings.size(), 4U) << "b may hold anything";
  EXPECT_EQ(topology.shards[0].swept, 4U);
  EXPECT_EQ(topology.shards[0].epoch, 1U);
  EXPECT_EQ(topology.epoch, epoch + 1);
  topology = *Apply(topology, Swept("b", 2), &error);
  ASSERT_EQ(topology.rings.size(), 3U);
  EXPECT_EQ(topology.rings[0].id, 2U);
  // It never goes back, and the ring must be there.
  EXPECT_EQ(*Apply(topology, Swept("a", 3), &error), topology);
  EXPECT_FALSE(Apply(topology, Swept("b", 1), &error));
  EXPECT_EQ(error, "shard \"b\" cannot be swept for ring 1, which is not kept");
  EXPECT_FALSE(Apply(topology, Swept("b", 5), &error));
  EXPECT_FALSE(Apply(topology, Swept("c", 4), &error));
  topology = *Apply(topology, Swept("b", 4), &error);
  ASSERT_EQ(topology.rings.size(), 1U);
  EXPECT_EQ(topology.rings[0].id, 4U);
  EXPECT_EQ(Apply(topology, SetRing(RingSample({{"a", 1}})), &error)->rings.back().id, 5U);
}

TEST(Apply, AShardThatIsGoneNeedsNoRings) {
  std::string error;
  Topology topology = TwoShards();
  topology = *Apply(topology, SetRing(RingSample({{"a", 1}})), &error);
  topology = *Apply(topology, Swept("a", 2), &error);
  ASSERT_EQ(topology.rings.size(), 1U);
  EXPECT_EQ(topology.rings[0].id, 2U);
}

TEST(Apply, TooManyRingsAreRefused) {
  std::string error;
  Topology topology = TwoShards();
  for (uint32_t weight = 2; topology.rings.size() < kMaxRings; ++weight) {
    topology = *Apply(topology, SetRing(RingSample({{"a", weight}, {"b", 1}})), &error);
  }
  EXPECT_FALSE(Apply(topology, SetRing(RingSample({{"a", 1}, {"b", 99}})), &error));
  EXPECT_NE(error.find("32 rings wait until"), std::string::npos) << error;
  EXPECT_TRUE(Apply(topology, SetRing(topology.rings.back()), &error));
  EXPECT_FALSE(InitialTopology({{"a", {"n1"}}, {"b", {"n2"}}}, RingSample({{"a", 1}, {"b", 99}}),
                               &topology, &error));
}

TEST(InitialTopology, ARingThatChangedWhileStoppedIsANewOne) {
  std::string error;
  const std::vector<ShardMembers> members = {{"a", {"n1"}}, {"b", {"n2"}}};
  // An older state knows no rings.
  Topology old = TwoShards();
  old.rings.clear();
  const RingSpec ring = RingSample({{"b", 1}, {"a", 1}});
  Topology topology = *InitialTopology(members, ring, &old, &error);
  ASSERT_EQ(topology.rings.size(), 1U);
  EXPECT_EQ(topology.rings[0].id, 1U);
  EXPECT_EQ(topology.epoch, old.epoch + 1);
  topology.shards[0].swept = 1;
  EXPECT_EQ(*InitialTopology(members, RingSample({{"a", 1}, {"b", 1}}), &topology, &error),
            topology);
  // b goes: what it had is a's from ring 2 on. It comes back with whatever it holds.
  topology = *InitialTopology({{"a", {"n1"}}}, RingSample({{"a", 1}}), &topology, &error);
  ASSERT_EQ(topology.rings.size(), 2U);
  EXPECT_EQ(topology.shards[0].swept, 1U);
  topology = *InitialTopology(members, ring, &topology, &error);
  ASSERT_EQ(topology.rings.size(), 3U);
  EXPECT_EQ(topology.rings[2].id, 3U);
  EXPECT_EQ(topology.shards[0].swept, 1U);
  EXPECT_EQ(topology.shards[1].swept, 0U);
  EXPECT_FALSE(InitialTopology({{"a", {"n1"}}}, ring, &topology, &error));
}

TEST(CheckTopology, FindsEachBreachOfTheRings) {
  const auto breach = [](auto change) {
    Topology topology = TwoShards();
    topology.rings.push_back(topology.rings[0]);
    topology.rings[1].id = 2;
    change(&topology);
    std::string error;
    return !CheckTopology(topology, &error) && !error.empty();
  };
  EXPECT_FALSE(breach([](Topology*) {}));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[1].id = 1; }));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[0].id = 0; }));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[0].shards.clear(); }));
  EXPECT_TRUE(breach([](Topology* t) { t->rings[1].shards.push_back({"c", 1}); }));
  EXPECT_FALSE(breach([](Topology* t) { t->rings[0].shards.push_back({"c", 1}); }));
  EXPECT_FALSE(breach([](Topology* t) { t->shards[0].swept = 2; }));
  EXPECT_TRUE(breach([](Topology* t) { t->shards[0].swept = 3; }));
  EXPECT_TRUE(breach([](Topology* t) {
    for (uint64_t id = 3; id < kMaxRings + 2; ++id) {
      t->rings.push_back(t->rings[0]);
      t->rings.back().id = id;
    }
  }));
}

}  // namespace
}  // namespace gemel::topology_rings_test
