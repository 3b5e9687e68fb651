// The ring: its lookup against a plain reference, and how evenly and how steadily it spreads keys.

#include "backend/ring/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

// Of the whole test program. All forms but the aligned ones, or a sanitizer's would be mixed with
// these.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t& nothrow) noexcept {
  return operator new(size, nothrow);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

namespace gemel::ring_test {
namespace {

std::vector<RingShard> EqualShards(size_t n) {
  std::vector<RingShard> shards;
  for (size_t i = 0; i < n; ++i) shards.push_back({"shard" + std::to_string(i), 1});
  return shards;
}

std::vector<uint64_t> KeyHashes(size_t n) {
  std::vector<uint64_t> hashes;
  hashes.reserve(n);
  for (size_t i = 0; i < n; ++i) hashes.push_back(HashKey("key:" + std::to_string(i)));
  return hashes;
}

std::vector<size_t> Counts(const Ring& ring, size_t shards, const std::vector<uint64_t>& hashes) {
  std::vector<size_t> counts(shards);
  for (uint64_t hash : hashes) ++counts[ring.Locate(hash)];
  return counts;
}

// The definition, by std::map: the first point at or after the hash, else the first of all.
class Reference {
 public:
  Reference(std::vector<RingShard> shards, uint32_t points) {
    for (uint32_t s = 0; s < shards.size(); ++s) {
      for (uint32_t i = 0; i < shards[s].weight * points; ++i) {
        const uint64_t position = HashKey(shards[s].name + "-" + std::to_string(i));
        const auto [it, fresh] = points_.emplace(position, s);
        if (!fresh && shards[s].name < shards[it->second].name) it->second = s;
      }
    }
  }

  std::pair<uint64_t, uint32_t> Find(uint64_t hash) const {
    auto it = points_.lower_bound(hash);
    if (it == points_.end()) it = points_.begin();
    return *it;
  }

  const std::map<uint64_t, uint32_t>& points() const { return points_; }

 private:
  std::map<uint64_t, uint32_t> points_;
};

void ExpectSame(const Ring& ring, const Reference& reference, uint64_t hash) {
  const auto [position, shard] = reference.Find(hash);
  ASSERT_EQ(ring.Locate(hash), shard) << hash;
  ASSERT_EQ(ring.FindPoint(hash).shard, shard) << hash;
  ASSERT_EQ(ring.FindPoint(hash).position, position) << hash;
}

void CompareWithReference(const std::vector<RingShard>& shards, uint32_t points, uint64_t seed) {
  SCOPED_TRACE("shards " + std::to_string(shards.size()) + " points " + std::to_string(points) +
               " seed " + std::to_string(seed));
  const Ring ring(shards, points);
  const Reference reference(shards, points);
  ASSERT_EQ(ring.point_count(), reference.points().size());
  ExpectSame(ring, reference, 0);
  ExpectSame(ring, reference, 1);
  ExpectSame(ring, reference, UINT64_MAX);
  ExpectSame(ring, reference, UINT64_MAX - 1);
  for (int bit = 0; bit < 64; ++bit) {  // the edges of buckets, whatever their number
    ExpectSame(ring, reference, uint64_t{1} << bit);
    ExpectSame(ring, reference, (uint64_t{1} << bit) - 1);
    ExpectSame(ring, reference, ~((uint64_t{1} << bit) - 1));
  }
  for (const auto& [position, shard] : reference.points()) {
    ExpectSame(ring, reference, position);
    ExpectSame(ring, reference, position - 1);  // these may wrap, as the circle does
    ExpectSame(ring, reference, position + 1);
  }
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20000; ++i) ExpectSame(ring, reference, random());
}

TEST(Ring, LocateEqualsLowerBound) {
  uint64_t seed = 20240501;
  for (size_t n : {1U, 2U, 3U, 5U, 16U}) {
    for (uint32_t points : {1U, 2U, 3U, 7U, 64U, 1024U}) {
      CompareWithReference(EqualShards(n), points, ++seed);
    }
  }
  CompareWithReference({{"a", 1}, {"b", 2}, {"c", 3}, {"", 4}}, 100, ++seed);
}

TEST(Ring, OneShardOwnsAll) {
  for (uint32_t points : {1U, 1024U}) {
    const Ring ring(EqualShards(1), points);
    for (uint64_t hash : KeyHashes(1000)) EXPECT_EQ(ring.Locate(hash), 0U);
    EXPECT_NEAR(ring.Share(0), 1.0, 1e-9);
    EXPECT_EQ(ring.Share(1), 0.0);
  }
}

// The owners of the keys of every running cache: if this fails, the code is wrong, not the test.
TEST(Ring, GoldenOwners) {
  const Ring ring({{"a", 1}, {"b", 1}, {"c", 1}, {"d", 2}, {"e", 1}}, 1024);
  const uint32_t owners[] = {3, 1, 3, 4, 1, 0, 2, 1, 1, 3, 2, 1, 3, 2, 2, 1, 3, 3, 3, 0};
  for (size_t i = 0; i < std::size(owners); ++i) {
    EXPECT_EQ(ring.Locate(HashKey("key:" + std::to_string(i))), owners[i]) << i;
  }
  EXPECT_EQ(ring.point_count(), 6144U);
  EXPECT_EQ(ring.FindPoint(0).position, 0x0011aa898787c9a4ULL);
  EXPECT_EQ(ring.FindPoint(0).shard, 3U);
  EXPECT_EQ(HashKey("a-0"), 0xbab6f4cd4b99e0f3ULL);
  EXPECT_EQ(ring.FindPoint(HashKey("a-0")).shard, 0U);
}

TEST(Ring, FullestOf16IsAtMost10PercentOverTheMean) {
  const std::vector<uint64_t> hashes = KeyHashes(1'000'000);
  const char* const kinds[] = {"shard", "node-", "", "cache.eu-west-1."};
  for (const char* kind : kinds) {  // by luck of one naming is not enough
    std::vector<RingShard> shards;
    for (int i = 0; i < 16; ++i) shards.push_back({kind + std::to_string(i), 1});
    const std::vector<size_t> counts = Counts(Ring(shards, 1024), 16, hashes);
    const double fullest = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
    const double mean = static_cast<double>(hashes.size()) / 16;
    EXPECT_LE(fullest, 1.10 * mean) << kind;
  }
}

TEST(Ring, FollowsWeights) {
  const std::vector<uint64_t> hashes = KeyHashes(1'000'000);
  const Ring ring({{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}}, 1024);
  const std::vector<size_t> counts = Counts(ring, 4, hashes);
  for (size_t i = 0; i < 4; ++i) {
    const double due = static_cast<double>(hashes.size()) * static_cast<double>(i + 1) / 10;
    EXPECT_NEAR(static_cast<double>(counts[i]), due, 0.10 * due) << i;
  }
}

TEST(Ring, SharesSumToOneAndForetellTheKeys) {
  const std::vector<uint64_t> hashes = KeyHashes(1'000'000);
  for (size_t n : {1U, 2U, 5U, 16U}) {
    for (uint32_t points : {1U, 16U, 1024U}) {
      const Ring ring(EqualShards(n), points);
      const std::vector<size_t> counts = Counts(ring, n, hashes);
      double sum = 0;
      for (uint32_t i = 0; i < n; ++i) {
        const double share = ring.Share(i);
        sum += share;
        const double found = static_cast<double>(counts[i]) / static_cast<double>(hashes.size());
        EXPECT_NEAR(found, share, 0.005) << n << ' ' << points << ' ' << i;
      }
      EXPECT_NEAR(sum, 1.0, 1e-9);
    }
  }
}

// Adding the last of n shards moves about 1/n of the keys, all of them to it; read backwards,
// removing it moves its keys and no others.
TEST(Ring, AddingOrRemovingOneOfNMovesOneNth) {
  const std::vector<uint64_t> hashes = KeyHashes(200'000);
  for (uint32_t n : {2U, 3U, 5U, 8U, 16U, 40U}) {
    std::vector<RingShard> shards = EqualShards(n);
    const Ring with(shards, 1024);
    shards.pop_back();
    const Ring without(shards, 1024);
    size_t moved = 0;
    for (uint64_t hash : hashes) {
      const uint32_t owner = with.Locate(hash);
      if (owner == without.Locate(hash)) continue;
      ++moved;
      ASSERT_EQ(owner, n - 1) << "a key moved between two shards that stayed";
    }
    const double due = static_cast<double>(hashes.size()) / n;
    EXPECT_NEAR(static_cast<double>(moved), due, 0.25 * due) << n;
  }
}

TEST(Ring, RemovingOneFromTheMiddleMovesOnlyItsKeys) {
  const std::vector<uint64_t> hashes = KeyHashes(200'000);
  const std::vector<RingShard> all = EqualShards(7);
  const Ring before(all, 1024);
  for (uint32_t gone = 0; gone < all.size(); ++gone) {
    std::vector<RingShard> left = all;
    left.erase(left.begin() + gone);
    const Ring after(left, 1024);
    for (uint64_t hash : hashes) {
      const std::string& owner = all[before.Locate(hash)].name;
      if (owner != all[gone].name) {
        ASSERT_EQ(left[after.Locate(hash)].name, owner);
      }
    }
  }
}

TEST(Ring, MoreWeightOnlyTakesKeys) {
  const std::vector<uint64_t> hashes = KeyHashes(200'000);
  std::vector<RingShard> shards = EqualShards(5);
  const Ring before(shards, 256);
  shards[2].weight = 2;
  const Ring after(shards, 256);
  for (uint64_t hash : hashes) {
    const uint32_t owner = after.Locate(hash);
    if (owner != before.Locate(hash)) {
      ASSERT_EQ(owner, 2U);
    }
  }
}

TEST(Ring, OrderOfListingDoesNotMatter) {
  std::vector<RingShard> shards = EqualShards(9);
  for (size_t i = 0; i < shards.size(); ++i) shards[i].weight = 1 + i % 3;
  const Ring ring(shards, 200);
  const std::vector<uint64_t> hashes = KeyHashes(20'000);
  std::vector<RingShard> other = shards;
  std::mt19937_64 random(7);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(other.begin(), other.end(), random);
    const Ring shuffled(other, 200);
    for (uint64_t hash : hashes) {
      ASSERT_EQ(other[shuffled.Locate(hash)].name, shards[ring.Locate(hash)].name);
    }
  }
}

TEST(Ring, ALookupAllocatesNothing) {
  const Ring ring(EqualShards(16), 1024);
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back("a key that is longer than a short string:{tag" + std::to_string(i) + "}");
  }
  const uint64_t before = allocations.load();
  uint64_t sum = 0;
  for (const std::string& key : keys) {
    const uint64_t hash = HashKey(HashedPart(key, "{}"));
    sum += ring.Locate(hash) + ring.FindPoint(hash).shard;
  }
  EXPECT_EQ(allocations.load(), before);
  EXPECT_GT(sum, 0u);
  // And they are counted.
  const auto one = std::make_unique<uint64_t>(sum);
  EXPECT_EQ(allocations.load(), before + 1) << *one;
}

// Names collide only by the same name twice, which the config refuses; here it makes every point of
// two shards collide, to see that collisions are settled and that none is lost from the circle.
TEST(Ring, CollidingPointsCountOnce) {
  const Ring ring({{"same", 1}, {"same", 2}}, 64);
  EXPECT_EQ(ring.point_count(), 128U);
  EXPECT_NEAR(ring.Share(0) + ring.Share(1), 1.0, 1e-9);
}

}  // namespace
}  // namespace gemel::ring_test
