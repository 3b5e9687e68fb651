// What a ring is made of.

#include "backend/ring/ring_spec.h"

#include <gtest/gtest.h>

namespace gemel::ring_spec_test {
namespace {

RingSpec Sample() { return {1, 64, "{}", {{"a", 1}, {"b", 2}}}; }

TEST(RingSpec, SameRing) {
  RingSpec other = Sample();
  other.id = 9;
  std::swap(other.shards[0], other.shards[1]);
  EXPECT_TRUE(SameRing(Sample(), other));
  const Ring one = MakeRing(Sample());
  const Ring two = MakeRing(other);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = HashKey(std::to_string(i));
    EXPECT_EQ(Sample().shards[one.Locate(hash)].name, other.shards[two.Locate(hash)].name);
  }
  const auto differs = [](auto change) {
    RingSpec changed = Sample();
    change(&changed);
    return !SameRing(Sample(), changed);
  };
  EXPECT_TRUE(differs([](RingSpec* s) { s->points = 65; }));
  EXPECT_TRUE(differs([](RingSpec* s) { s->hash_tag = ""; }));
  EXPECT_TRUE(differs([](RingSpec* s) { s->shards[0].weight = 2; }));
  EXPECT_TRUE(differs([](RingSpec* s) { s->shards[0].name = "c"; }));
  EXPECT_TRUE(differs([](RingSpec* s) { s->shards.pop_back(); }));
}

TEST(RingSpec, IndexOf) {
  EXPECT_EQ(Sample().IndexOf("b"), 1);
  EXPECT_EQ(Sample().IndexOf("c"), -1);
}

TEST(RingSpec, PointsAscendAndDecide) {
  const Ring ring = MakeRing(Sample());
  ASSERT_EQ(ring.points().size(), ring.point_count());
  uint64_t last = 0;
  for (const Ring::Point& point : ring.points()) {
    EXPECT_TRUE(point.position > last || &point == ring.points().data());
    EXPECT_EQ(ring.Locate(point.position), point.shard);
    last = point.position;
  }
}

}  // namespace
}  // namespace gemel::ring_spec_test
