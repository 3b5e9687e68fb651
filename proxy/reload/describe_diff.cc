// The lines of a ConfigDiff.

#include <cstdio>

#include "proxy/reload/config_diff.h"

namespace gemel {

namespace {

constexpr size_t kMostMoves = 20;

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, share < 0.001 ? "%.4f%%" : "%.2f%%", share * 100);
  return text;
}

std::string Shown(const std::string& value) { return value.empty() ? "\"\"" : value; }

std::string Nodes(const ShardConfig& shard) {
  std::string text = "primary " + shard.primary.ToString();
  if (!shard.replicas.empty()) {
    text += shard.replicas.size() == 1 ? ", replica" : ", replicas";
    for (const Address& node : shard.replicas) text += " " + node.ToString();
  }
  return text + ", weight " + std::to_string(shard.weight);
}

void DescribeShard(const ShardChange& shard, std::string* lines) {
  const auto add = [&](const std::string& what) {
    *lines += "shard " + shard.name + ": " + what + "\n";
  };
  for (const Address& node : shard.nodes_added) add("node " + node.ToString() + " added");
  for (const Address& node : shard.nodes_removed) add("node " + node.ToString() + " removed");
  if (shard.primary_changed()) {
    add("the file's primary " + shard.primary_from.ToString() + " -> " +
        shard.primary_to.ToString());
  }
  if (shard.reweighted()) {
    add("weight " + std::to_string(shard.weight_from) + " -> " + std::to_string(shard.weight_to));
  }
  if (shard.keeps_none) {
    add("warning: it keeps none of its nodes, so it would lose its only copy in sync: refused "
        "unless forced (PROXY RELOAD FORCE)");
  }
  if (shard.credentials_changed) add("user or password for its nodes (changed)");
}

void DescribeMoves(const RingMoves& moves, bool hash_tag_changed, std::string* lines) {
  *lines += "ring: " + Percent(moves.share) + " of the keys change their owner";
  if (hash_tag_changed) *lines += ", and besides those in which hash_tag marks another part";
  *lines += "\n";
  for (size_t i = 0; i < moves.moves.size() && i < kMostMoves; ++i) {
    const RingMove& move = moves.moves[i];
    *lines += "ring: " + Percent(move.share) + " from " + move.from + " to " + move.to + "\n";
  }
  if (moves.moves.size() > kMostMoves) {
    *lines += "ring: and " + std::to_string(moves.moves.size() - kMostMoves) +
              " more pairs of shards, with less each\n";
  }
}

}  // namespace

std::string DescribeDiff(const ConfigDiff& diff, const RingMoves* moves) {
  if (diff.empty()) return "nothing would change\n";
  std::string lines;
  for (const OptionChange& option : diff.options) {
    lines += option.name + ": ";
    const bool secret = option.name == "proxy.password" || option.name.starts_with("user ");
    lines += secret ? option.to : Shown(option.from) + " -> " + Shown(option.to);
    lines += "\n";
  }
  for (const Address& address : diff.listeners_added) {
    lines += "listener " + address.ToString() + " added\n";
  }
  for (const Address& address : diff.listeners_removed) {
    lines += "listener " + address.ToString() + " removed; its clients stay until they leave\n";
  }
  for (const ShardConfig& shard : diff.shards_added) {
    lines += "shard " + shard.name + " added: " + Nodes(shard) + "\n";
  }
  for (const ShardConfig& shard : diff.shards_removed) {
    lines += "shard " + shard.name + " removed: " + Nodes(shard) + "\n";
  }
  for (const ShardChange& shard : diff.shards_changed) DescribeShard(shard, &lines);
  if (diff.ring_changed && moves != nullptr) {
    DescribeMoves(*moves, diff.hash_tag_changed, &lines);
  }
  for (const std::string& sentence : diff.needs_restart) lines += "refused: " + sentence + "\n";
  return lines;
}

}  // namespace gemel
