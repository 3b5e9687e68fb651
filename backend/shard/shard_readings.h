// The numbers of a shard and its nodes, for who shows them: PROXY SHARDS and the page of metrics
// both list what is declared here and what the shard's figures say.

#ifndef GEMEL_BACKEND_SHARD_SHARD_READINGS_H_
#define GEMEL_BACKEND_SHARD_SHARD_READINGS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/figures/latency_buckets.h"
#include "backend/shard/key_sample.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// A number that is asked for when somebody wants to know. All texts are literals.
struct ShardNumber {
  std::string_view name;
  std::string_view help;
  FigureType type;
  uint64_t (*value)(const ShardParts& parts);
};
struct NodeNumber {
  std::string_view name;
  std::string_view help;
  FigureType type;
  uint64_t (*value)(const ShardParts& parts, uint32_t copy);
  bool in_words = false;  // PROXY SHARDS says it in words
};
std::span<const ShardNumber> ShardNumbers();
std::span<const NodeNumber> NodeNumbers();

// A copy of all of it, which may go to another thread.
struct NodeReadings {
  std::string address;
  std::string role;  // as PROXY SHARDS says it, and the next four
  std::string state;
  std::string health;
  std::string reason;
  std::string resync;
  std::vector<FigureReading> numbers;
  LatencyBuckets answers;  // how long the node took
};
struct ShardReadings {
  std::string name;
  std::string members;  // as PROXY SHARDS says it, and the next
  std::string sweep;
  std::vector<FigureReading> numbers;  // the figures, too
  std::vector<NodeReadings> nodes;     // the members
  std::vector<HotKey> hot;             // most first
  std::vector<BigKey> big;             // largest first
};
// `for_people`: what is said in words, and the keys that are hot or big, too.
void ReadShard(const ShardParts& parts, bool for_people, ShardReadings* readings);

// What PROXY SHARDS says of a node in words.
std::string_view RoleWord(const ShardParts& parts, uint32_t copy);
std::string_view StateWord(const ShardParts& parts, uint32_t copy);
std::string ReasonText(const ShardParts& parts, uint32_t copy);
std::string ResyncText(const ShardParts& parts, uint32_t copy);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_READINGS_H_
