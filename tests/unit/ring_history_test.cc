// What the rings of a pool say of old keys: each rule, and a model that remembers every value.

#include "backend/ring/ring_history.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/unit/rounds.h"

namespace gemel::ring_history_test {
namespace {

RingSpec Spec(uint64_t id, std::vector<RingShard> shards, std::string tag = "{}") {
  return {id, 16, std::move(tag), std::move(shards)};
}

ShardRings Rings(const std::vector<RingSpec>& specs, std::string_view shard) {
  return {std::make_shared<const RingHistory>(specs), shard};
}

// A key that these shards own in turn.
std::string KeyOf(const std::vector<RingSpec>& specs, const std::vector<std::string>& owners) {
  for (int n = 0; n < 100000; ++n) {
    const std::string key = "key" + std::to_string(n);
    bool fits = true;
    for (size_t i = 0; i < specs.size() && fits; ++i) {
      const Ring ring = MakeRing(specs[i]);
      const uint32_t shard = ring.Locate(HashKey(HashedPart(key, specs[i].hash_tag)));
      fits = owners[i].empty() || specs[i].shards[shard].name == owners[i];
    }
    if (fits) return key;
  }
  ADD_FAILURE() << "no such key";
  return {};
}

TEST(RingHistory, OneRingIsBelieved) {
  const std::vector<RingSpec> specs = {Spec(4, {{"a", 1}, {"b", 1}})};
  const ShardRings a = Rings(specs, "a");
  EXPECT_EQ(a.history().last_id(), 4U);
  for (const uint64_t swept : {0, 4}) {
    EXPECT_FALSE(a.MayHoldForeign(swept));
    EXPECT_FALSE(a.MayHaveSuspects(HeldSince::Sweep(swept)));
    EXPECT_TRUE(a.Of(KeyOf(specs, {"a"}), HeldSince::Sweep(swept)).owned);
    EXPECT_FALSE(a.Of(KeyOf(specs, {"a"}), HeldSince::Sweep(swept)).suspect);
    EXPECT_FALSE(a.Of(KeyOf(specs, {"b"}), HeldSince::Sweep(swept)).owned);
  }
}

TEST(RingHistory, AReversalLeavesOldValues) {
  const std::vector<RingShard> both = {{"a", 1}, {"b", 1}};
  const std::vector<RingSpec> specs = {Spec(1, {{"a", 1}}), Spec(2, both), Spec(3, {{"a", 1}})};
  const ShardRings a = Rings(specs, "a");
  const std::string moved = KeyOf(specs, {"a", "b", "a"});
  const std::string stayed = KeyOf(specs, {"a", "a", "a"});
  EXPECT_TRUE(a.Owned(moved));
  for (const uint64_t swept : {0, 1}) {
    EXPECT_TRUE(a.Of(moved, HeldSince::Sweep(swept)).suspect) << swept;
    EXPECT_FALSE(a.Of(stayed, HeldSince::Sweep(swept)).suspect);
    EXPECT_TRUE(a.MayHaveSuspects(HeldSince::Sweep(swept)));
    EXPECT_TRUE(a.MayHoldForeign(swept));
  }
  // Swept while b had it: what it holds now came after.
  EXPECT_FALSE(a.Of(moved, HeldSince::Sweep(2)).suspect);
  EXPECT_FALSE(a.MayHaveSuspects(HeldSince::Sweep(2)));
  EXPECT_FALSE(a.MayHoldForeign(2));
  // b may hold what it had.
  const ShardRings b = Rings(specs, "b");
  EXPECT_FALSE(b.Owned(moved));
  EXPECT_TRUE(b.MayHoldForeign(2));
  EXPECT_FALSE(b.MayHoldForeign(3));
  EXPECT_FALSE(b.MayHaveSuspects(HeldSince::Sweep(2)));
}

TEST(RingHistory, WhoOnlyGainsHasNothingToDelete) {
  const std::vector<RingSpec> specs = {Spec(1, {{"a", 1}, {"b", 1}, {"c", 1}}),
                                       Spec(2, {{"c", 1}, {"a", 1}})};
  EXPECT_FALSE(Rings(specs, "a").MayHoldForeign(1));
  EXPECT_FALSE(Rings(specs, "c").MayHoldForeign(1));
  EXPECT_TRUE(Rings(specs, "b").MayHoldForeign(1));
  // It is not known what it held before there was a ring.
  EXPECT_TRUE(Rings(specs, "a").MayHoldForeign(0));
  EXPECT_TRUE(Rings(specs, "a").MayHaveSuspects(HeldSince::Sweep(0)));
  // Another weight of a takes from the others alone.
  const std::vector<RingSpec> heavier = {Spec(1, {{"a", 1}, {"b", 1}}),
                                         Spec(2, {{"a", 3}, {"b", 1}})};
  EXPECT_FALSE(Rings(heavier, "a").MayHoldForeign(1));
  EXPECT_TRUE(Rings(heavier, "b").MayHoldForeign(1));
}

TEST(RingHistory, WhatAJoiningShardHoldsIsOld) {
  const std::vector<RingShard> both = {{"a", 1}, {"b", 1}};
  const std::vector<RingSpec> specs = {Spec(7, {{"a", 1}}), Spec(8, both)};
  const ShardRings b = Rings(specs, "b");
  EXPECT_TRUE(b.Of(KeyOf(specs, {"a", "b"}), HeldSince::Sweep(0)).suspect);
  EXPECT_TRUE(b.MayHaveSuspects(HeldSince::Sweep(0)));
  EXPECT_TRUE(b.MayHoldForeign(0));
  EXPECT_FALSE(b.MayHoldForeign(8));
}

TEST(RingHistory, AnotherHashTagMovesAnything) {
  const std::vector<RingShard> both = {{"a", 1}, {"b", 1}};
  const std::vector<RingSpec> specs = {Spec(1, both), Spec(2, both, "")};
  EXPECT_TRUE(Rings(specs, "a").MayHoldForeign(1));
  int moved = 0;
  for (int n = 0; n < 200; ++n) {
    const std::string key = "x{" + std::to_string(n) + "}y";
    const bool before = Rings({specs[0]}, "a").Owned(key);
    const bool now = Rings({specs[1]}, "a").Owned(key);
    EXPECT_EQ(Rings(specs, "a").Owned(key), now);
    moved += before != now;
  }
  EXPECT_GT(moved, 0);
}

// A request that was routed by the ring before the last.
TEST(RingHistory, LateRequestsOfAKeyThatWasSuspect) {
  const std::vector<RingShard> both = {{"a", 1}, {"b", 1}};
  const std::vector<RingSpec> specs = {Spec(1, {{"a", 1}}), Spec(2, both), Spec(3, {{"a", 1}}),
                                       Spec(4, both)};
  const ShardRings a = Rings(specs, "a");
  const std::string key = KeyOf(specs, {"a", "b", "a", "b"});
  EXPECT_FALSE(a.Of(key, HeldSince::Sweep(1)).owned);
  EXPECT_TRUE(a.Of(key, HeldSince::Sweep(1)).suspect);
  EXPECT_FALSE(a.Of(key, {4, true}).suspect);  // deleted since
  EXPECT_FALSE(a.Of(KeyOf(specs, {"a", "a", "a", "a"}), HeldSince::Sweep(1)).suspect);
}

// It was in no ring for so long that nobody kept those it would need.
TEST(RingHistory, AShardThatComesBackAfterLong) {
  const std::vector<RingSpec> specs = {Spec(5, {{"a", 1}}), Spec(6, {{"a", 1}, {"b", 1}})};
  const ShardRings b = Rings(specs, "b");
  EXPECT_TRUE(b.Of(KeyOf(specs, {"a", "b"}), HeldSince::Sweep(3)).suspect);
  EXPECT_TRUE(b.MayHoldForeign(3));
  EXPECT_TRUE(b.MayHaveSuspects(HeldSince::Sweep(3)));
}

TEST(RingHistory, AnEarlierOneIsShared) {
  const std::vector<RingShard> both = {{"a", 1}, {"b", 1}};
  std::vector<RingSpec> specs = {Spec(1, both), Spec(2, {{"a", 1}}), Spec(3, both)};
  const auto first = std::make_shared<const RingHistory>(specs);
  specs.erase(specs.begin());
  specs.push_back(Spec(4, {{"b", 1}}));
  const ShardRings fresh = Rings(specs, "a");
  const ShardRings shared(std::make_shared<const RingHistory>(specs, first.get()), "a");
  // Where a ring in between is missing, its moves are not those of its neighbours.
  const std::vector<RingSpec> gap = {Spec(1, both), Spec(3, both)};
  EXPECT_FALSE(
      ShardRings(std::make_shared<const RingHistory>(gap, first.get()), "a").MayHoldForeign(1));
  for (uint64_t swept = 0; swept <= 4; ++swept) {
    EXPECT_EQ(fresh.MayHoldForeign(swept), shared.MayHoldForeign(swept));
    EXPECT_EQ(fresh.MayHaveSuspects(HeldSince::Sweep(swept)),
              shared.MayHaveSuspects(HeldSince::Sweep(swept)));
  }
}

// A pool whose every value knows the time at which it was written. After each change of the ring,
// shards delete some of what they may, at random; a value is old if its key was another shard's
// since.
class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {}

  void Run() {
    ChangeRing();
    for (const std::string& name : names_) {
      if (Below(2) == 0) Litter(name);
    }
    for (int step = 0; step < 60; ++step) {
      switch (Below(6)) {
        case 0:
          ChangeRing();
          break;
        case 1:
          Sweep(names_[Below(names_.size())]);
          break;
        default:
          Use("k" + std::to_string(Below(kKeys)));
      }
      ASSERT_NO_FATAL_FAILURE(Check());
    }
  }

 private:
  static constexpr uint64_t kKeys = 24;
  struct Shard {
    std::map<std::string, uint64_t> values;      // key to the time of writing
    std::map<std::string, uint64_t> deleted_in;  // the ring under which a suspect was deleted
    uint64_t swept = 0;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }

  void ChangeRing() {
    RingSpec spec;
    spec.points = 3;
    spec.hash_tag = Below(8) == 0 ? "" : "{}";
    while (spec.shards.empty()) {
      for (const std::string& name : names_) {
        if (Below(3) > 0) spec.shards.push_back({name, static_cast<uint32_t>(1 + Below(2))});
      }
    }
    if (!specs_.empty() && SameRing(specs_.back(), spec)) return;
    spec.id = ++last_id_;
    specs_.push_back(spec);
    // What nobody needs any more is dropped, as the topology does it.
    uint64_t needed = spec.id;
    for (const RingShard& shard : spec.shards) {
      needed = std::min(needed, shards_[shard.name].swept);
    }
    std::erase_if(specs_, [&](const RingSpec& ring) { return ring.id < needed; });
    history_ = std::make_shared<const RingHistory>(specs_, history_.get());
    for (const std::string& name : names_) {
      const ShardRings rings = Rings(name);
      for (uint64_t k = 0; k < kKeys; ++k) {
        const std::string key = "k" + std::to_string(k);
        if (!rings.Owned(key)) lost_at_[name][key] = ++clock_;
      }
    }
  }

  ShardRings Rings(const std::string& name) const { return {history_, name}; }

  // On `shard`, whose rings are `rings`.
  static ShardRings::Standing StandingOf(const ShardRings& rings, const Shard& shard,
                                         const std::string& key) {
    const auto it = shard.deleted_in.find(key);
    const HeldSince since = it != shard.deleted_in.end() && it->second >= shard.swept
                                ? HeldSince{it->second, true}
                                : HeldSince::Sweep(shard.swept);
    return rings.Of(key, since);
  }

  // Before there was a ring anything may have come to lie anywhere.
  void Litter(const std::string& name) {
    for (uint64_t k = 0; k < kKeys; ++k) {
      if (Below(2) == 0) shards_[name].values["k" + std::to_string(k)] = 0;
    }
  }

  void Use(const std::string& key) {
    for (const std::string& name : names_) {
      Shard& shard = shards_[name];
      const ShardRings::Standing standing = StandingOf(Rings(name), shard, key);
      if (!standing.owned) continue;
      if (standing.suspect) {
        shard.values.erase(key);
        shard.deleted_in[key] = last_id_;
      }
      if (Below(2) == 0) shard.values[key] = ++clock_;
    }
  }

  void Sweep(const std::string& name) {
    Shard& shard = shards_[name];
    if (specs_.size() == 1) return;  // nothing is known to be old
    const ShardRings rings = Rings(name);
    if (rings.MayHoldForeign(shard.swept)) {
      for (uint64_t k = 0; k < kKeys; ++k) {
        const std::string key = "k" + std::to_string(k);
        const ShardRings::Standing standing = StandingOf(rings, shard, key);
        if (!standing.owned || standing.suspect) shard.values.erase(key);
      }
    }
    shard.swept = last_id_;
    shard.deleted_in.clear();
  }

  void Check() {
    for (const std::string& name : names_) {
      const Shard& shard = shards_[name];
      const ShardRings rings = Rings(name);
      std::map<std::string, uint64_t>& lost_at = lost_at_[name];
      for (const auto& [key, written] : shard.values) {
        const ShardRings::Standing standing = StandingOf(rings, shard, key);
        const bool old = written < lost_at[key];
        if (standing.owned && old) {
          ASSERT_TRUE(standing.suspect) << name << " " << key;
        }
        if (standing.owned && standing.suspect) {
          ASSERT_TRUE(rings.MayHaveSuspects(HeldSince::Sweep(shard.swept))) << name << " " << key;
        }
        if (!standing.owned || standing.suspect) {
          ASSERT_TRUE(specs_.size() == 1 || rings.MayHoldForeign(shard.swept))
              << name << " " << key;
        }
      }
      // It is not all thrown away: what never left is believed.
      for (uint64_t k = 0; k < kKeys; ++k) {
        const std::string key = "k" + std::to_string(k);
        if (lost_at[key] == 0) {
          ASSERT_FALSE(StandingOf(rings, shard, key).suspect);
        }
      }
    }
  }

  std::mt19937_64 random_;
  const std::vector<std::string> names_ = {"a", "b", "c", "d"};
  std::vector<RingSpec> specs_;
  std::shared_ptr<const RingHistory> history_;
  std::map<std::string, Shard> shards_;
  std::map<std::string, std::map<std::string, uint64_t>> lost_at_;
  uint64_t last_id_ = 0;
  uint64_t clock_ = 0;
};

TEST(RingHistory, NoOldValueEscapes) {
  for (uint64_t seed = 1; seed <= Rounds(150); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(Model(seed).Run());
  }
}

}  // namespace
}  // namespace gemel::ring_history_test
