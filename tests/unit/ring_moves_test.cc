// Which keys a change of the ring moves: against what the two rings say of many hashes.

#include "backend/ring/ring_moves.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gemel::ring_moves_test {
namespace {

std::vector<std::string> Names(const std::vector<RingShard>& shards) {
  std::vector<std::string> names;
  for (const RingShard& shard : shards) names.push_back(shard.name);
  return names;
}

RingMoves Compare(const std::vector<RingShard>& from, uint32_t from_points,
                  const std::vector<RingShard>& to, uint32_t to_points) {
  return CompareRings(Ring(from, from_points), Names(from), Ring(to, to_points), Names(to));
}

void ExpectAsHashesSay(const std::vector<RingShard>& from, uint32_t from_points,
                       const std::vector<RingShard>& to, uint32_t to_points) {
  const RingMoves moves = Compare(from, from_points, to, to_points);
  std::map<std::pair<std::string, std::string>, double> said;
  double sum = 0;
  for (size_t i = 0; i < moves.moves.size(); ++i) {
    const RingMove& move = moves.moves[i];
    EXPECT_NE(move.from, move.to);
    EXPECT_GT(move.share, 0);
    EXPECT_TRUE(said.emplace(std::pair(move.from, move.to), move.share).second) << "twice";
    if (i > 0) {
      EXPECT_GE(moves.moves[i - 1].share, move.share);
    }
    sum += move.share;
  }
  EXPECT_NEAR(moves.share, sum, 1e-9);
  EXPECT_LE(moves.share, 1 + 1e-9);

  const Ring old_ring(from, from_points);
  const Ring new_ring(to, to_points);
  constexpr int kHashes = 100000;
  std::map<std::pair<std::string, std::string>, double> seen;
  std::mt19937_64 random(7);
  for (int i = 0; i < kHashes; ++i) {
    const uint64_t hash = random();
    std::pair<std::string, std::string> pair(from[old_ring.Locate(hash)].name,
                                             to[new_ring.Locate(hash)].name);
    if (pair.first != pair.second) seen[std::move(pair)] += 1.0 / kHashes;
  }
  for (const auto& [pair, share] : seen) EXPECT_TRUE(said.contains(pair));
  for (const auto& [pair, share] : said) EXPECT_NEAR(seen[pair], share, 0.01);
}

TEST(RingMoves, NothingMovesInTheSameRing) {
  const std::vector<RingShard> shards = {{"a", 1}, {"b", 2}, {"c", 3}};
  EXPECT_EQ(Compare(shards, 100, shards, 100).share, 0);
  EXPECT_TRUE(Compare(shards, 100, shards, 100).moves.empty());
  // The order in which shards are listed does not count.
  EXPECT_TRUE(Compare(shards, 100, {{"c", 3}, {"a", 1}, {"b", 2}}, 100).moves.empty());
}

TEST(RingMoves, AnotherNameTakesTheWholeCircle) {
  const RingMoves moves = Compare({{"a", 1}}, 1, {{"b", 1}}, 1);
  ASSERT_EQ(moves.moves.size(), 1u);
  EXPECT_EQ(moves.moves[0], (RingMove{"a", "b", 1.0}));
  EXPECT_EQ(moves.share, 1.0);
}

TEST(RingMoves, ANewShardTakesItsShareOfEachAndGivesNone) {
  const std::vector<RingShard> from = {{"a", 1}, {"b", 1}, {"c", 1}};
  std::vector<RingShard> to = from;
  to.push_back({"d", 1});
  const RingMoves moves = Compare(from, 1024, to, 1024);
  ASSERT_EQ(moves.moves.size(), 3u);
  for (const RingMove& move : moves.moves) EXPECT_EQ(move.to, "d");
  EXPECT_NEAR(moves.share, Ring(to, 1024).Share(3), 1e-9);
  // And back.
  const RingMoves back = Compare(to, 1024, from, 1024);
  ASSERT_EQ(back.moves.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.moves[i], (RingMove{"d", moves.moves[i].from, moves.moves[i].share}));
  }
}

TEST(RingMoves, AsHashesSay) {
  ExpectAsHashesSay({{"a", 1}, {"b", 1}}, 1024, {{"a", 1}, {"b", 2}}, 1024);
  ExpectAsHashesSay({{"a", 1}, {"b", 1}}, 1024, {{"a", 1}, {"b", 1}}, 512);
  ExpectAsHashesSay({{"a", 1}, {"b", 5}, {"c", 2}}, 3, {{"c", 2}, {"x", 1}, {"a", 4}}, 5);
  ExpectAsHashesSay({{"a", 1}}, 1, {{"a", 1}, {"b", 1}}, 1);
}

}  // namespace
}  // namespace gemel::ring_moves_test
