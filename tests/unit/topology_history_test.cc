// Random histories of edits and restarts, which must keep the invariants.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "backend/topology/edit.h"
#include "tests/unit/rounds.h"

namespace gemel::topology_history_test {
namespace {

// The invariants as topology.h tells them, in other words than CheckTopology.
void ExpectInvariants(const Topology& topology) {
  std::string error;
  ASSERT_TRUE(CheckTopology(topology, &error)) << error;
  std::set<std::string> names;
  for (const ShardInfo& shard : topology.shards) {
    ASSERT_TRUE(names.insert(shard.name).second);
    ASSERT_LT(shard.primary, shard.copies.size());
    ASSERT_EQ(shard.copies[shard.primary].state, CopyState::kInSync);
    for (const CopyInfo& copy : shard.copies) {
      ASSERT_EQ(copy.state == CopyState::kStale, !copy.reason.empty());
      ASSERT_TRUE(!copy.drained() || copy.state == CopyState::kStale);
    }
  }
}

bool SameRolesAndStates(const ShardInfo& a, const ShardInfo& b) {
  return a.primary == b.primary && a.adopted == b.adopted &&
         std::equal(a.copies.begin(), a.copies.end(), b.copies.begin(), b.copies.end(),
                    [](const CopyInfo& x, const CopyInfo& y) {
                      return x.node == y.node && x.state == y.state && x.reason == y.reason &&
                             x.cause == y.cause && x.drained_by == y.drained_by;
                    });
}

class RandomHistory {
 public:
  explicit RandomHistory(uint64_t seed) : random_(seed) {}

  void Run(int steps) {
    std::string error;
    std::optional<Topology> first = InitialTopology(RandomMembers(), nullptr, &error);
    ASSERT_TRUE(first) << error;
    now_ = *first;
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(now_));
    for (int i = 0; i < steps; ++i) {
      if (Below(40) == 0) {
        ASSERT_NO_FATAL_FAILURE(Restart());
      } else {
        ASSERT_NO_FATAL_FAILURE(Step());
      }
    }
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  std::string Name(const char* prefix, uint64_t n) { return prefix + std::to_string(Below(n)); }

  std::vector<ShardMembers> RandomMembers() {
    std::vector<ShardMembers> members;
    for (int s = 0; s < 3; ++s) {
      if (s > 0 && Below(4) == 0) continue;
      std::vector<std::string> nodes = {"n0", "n1", "n2"};
      std::shuffle(nodes.begin(), nodes.end(), random_);
      nodes.resize(1 + Below(3));
      members.push_back({"s" + std::to_string(s), nodes});
    }
    return members;
  }

  RingSpec RandomRing() {
    RingSpec spec;
    spec.points = static_cast<uint32_t>(1 + Below(2));
    for (int s = 0; s < 3; ++s) {
      if (Below(3) > 0) spec.shards.push_back({"s" + std::to_string(s), 1});
    }
    return spec;
  }

  // What a shard needs to know which of its keys may be old is not dropped.
  static void ExpectRingsKept(const Topology& before, const Topology& now) {
    if (before.rings.empty()) return;
    ASSERT_FALSE(now.rings.empty());
    ASSERT_GE(now.rings.back().id, before.rings.back().id);
    for (const RingSpec& ring : before.rings) {
      const bool kept = std::count(now.rings.begin(), now.rings.end(), ring) == 1;
      for (const RingShard& shard : now.rings.back().shards) {
        const ShardInfo& info = now.shards[static_cast<size_t>(now.IndexOf(shard.name))];
        if (info.swept <= ring.id) {
          ASSERT_TRUE(kept);
        }
      }
    }
  }

  // Nobody but the shard or the copy that the edit names comes or goes.
  static void ExpectMembers(const Edit& edit, const Topology& before, const Topology& now) {
    ASSERT_EQ(now.epoch, before.epoch + (now.shards == before.shards ? 0 : 1));
    ASSERT_EQ(now.rings, before.rings);
    for (const Topology* side : {&before, &now}) {
      const Topology& other = side == &before ? now : before;
      for (const ShardInfo& shard : side->shards) {
        const int index = other.IndexOf(shard.name);
        if (index < 0) {
          ASSERT_EQ(shard.name, edit.shard);
          continue;
        }
        const ShardInfo& same = other.shards[static_cast<size_t>(index)];
        ASSERT_EQ(shard.copies[shard.primary].node, same.copies[same.primary].node);
        for (const CopyInfo& copy : shard.copies) {
          const int known = same.IndexOf(copy.node);
          if (known < 0) {
            ASSERT_EQ(copy.node, edit.node);
          } else {
            ASSERT_EQ(copy, same.copies[static_cast<size_t>(known)]);
          }
        }
      }
    }
  }

  void Step() {
    const Edit edit{static_cast<EditKind>(Below(static_cast<uint64_t>(EditKind::kSwept) + 1)),
                    Name("s", 4),
                    Name("n", 4),
                    Below(8) == 0 ? "" : Name("run", 3),
                    Below(4) == 0 ? "" : "why",
                    {Name("n", 4)},
                    RandomRing(),
                    Below(6),
                    static_cast<DrainedBy>(Below(3)),
                    Below(2) == 0 ? kAnyEpoch : Below(8)};
    const Topology before = now_;
    std::string error;
    std::optional<Topology> next = Apply(now_, edit, &error);
    ASSERT_EQ(now_, before);
    if (!next) {
      ASSERT_FALSE(error.empty());
      return;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*next));
    if (edit.expected != kAnyEpoch) {
      const int at = before.IndexOf(edit.shard);
      ASSERT_GE(at, 0);
      ASSERT_EQ(before.shards[static_cast<size_t>(at)].epoch, edit.expected);
    }
    if (edit.kind == EditKind::kAddShard || edit.kind == EditKind::kRemoveShard ||
        edit.kind == EditKind::kAddCopy || edit.kind == EditKind::kRemoveCopy) {
      ASSERT_NO_FATAL_FAILURE(ExpectMembers(edit, before, *next));
      now_ = *std::move(next);
      return;
    }
    ASSERT_EQ(next->shards.size(), before.shards.size());
    bool changed = next->clean != before.clean || next->rings != before.rings;
    ASSERT_NO_FATAL_FAILURE(ExpectRingsKept(before, *next));
    for (size_t i = 0; i < before.shards.size(); ++i) {
      const ShardInfo& a = before.shards[i];
      const ShardInfo& b = next->shards[i];
      ASSERT_EQ(b.epoch, a.epoch + (SameRolesAndStates(a, b) ? 0 : 1));
      if (a.name != edit.shard) {
        ASSERT_EQ(a, b) << "an edit of one shard changed another";
      }
      changed = changed || a != b;
    }
    ASSERT_EQ(next->epoch, before.epoch + (changed ? 1 : 0));
    now_ = *std::move(next);
  }

  // What was stale may have become in sync only by an edit, whatever the config says now.
  void Restart() {
    const std::vector<ShardMembers> members = RandomMembers();
    RingSpec ring;
    ring.points = 1;
    for (const ShardMembers& shard : members) ring.shards.push_back({shard.name, 1});
    std::string error;
    std::optional<Topology> next = InitialTopology(members, ring, &now_, &error);
    if (!next) {
      ASSERT_FALSE(error.empty());
      return;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*next));
    ASSERT_GE(next->epoch, now_.epoch);
    ASSERT_EQ(next->epoch == now_.epoch, *next == now_);
    ASSERT_TRUE(next->clean);
    for (const ShardInfo& shard : next->shards) {
      const int index = now_.IndexOf(shard.name);
      if (index < 0) continue;
      const ShardInfo& old = now_.shards[static_cast<size_t>(index)];
      ASSERT_GE(shard.epoch, old.epoch);
      for (const CopyInfo& copy : shard.copies) {
        if (copy.state != CopyState::kInSync) continue;
        const int known = old.IndexOf(copy.node);
        ASSERT_GE(known, 0);
        ASSERT_EQ(copy, old.copies[static_cast<size_t>(known)]);
        if (!now_.clean) {
          ASSERT_EQ(shard.copies[shard.primary].node, copy.node);
        }
      }
    }
    now_ = *std::move(next);
  }

  std::mt19937_64 random_;
  Topology now_;
};

TEST(Topology, RandomHistoriesKeepTheInvariants) {
  for (uint64_t seed = 1; seed <= Rounds(1000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(RandomHistory(seed).Run(100));
  }
}

}  // namespace
}  // namespace gemel::topology_history_test
