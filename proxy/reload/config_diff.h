// What a reload would change: the difference of two configs, and how it is told.

#ifndef GEMEL_PROXY_RELOAD_CONFIG_DIFF_H_
#define GEMEL_PROXY_RELOAD_CONFIG_DIFF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/ring/ring_moves.h"
#include "config/config.h"

namespace gemel {

struct OptionChange {
  std::string name;  // dotted, as in the file
  std::string from;  // as CONFIG GET shows it; of a password empty
  std::string to;    // the same; of a password "(changed)"

  bool operator==(const OptionChange&) const = default;
};

// A shard that both configs have, by its name.
struct ShardChange {
  std::string name;
  std::vector<Address> nodes_added;
  std::vector<Address> nodes_removed;
  // Whom the file lists first. Whether the one or the other is primary at the time, the topology
  // says.
  Address primary_from;
  Address primary_to;
  uint32_t weight_from = 1;
  uint32_t weight_to = 1;
  bool credentials_changed = false;  // the user or the password for its nodes
  bool keeps_none = false;           // of the nodes that it has

  bool primary_changed() const { return !(primary_from == primary_to); }
  bool reweighted() const { return weight_from != weight_to; }
  bool empty() const {
    return nodes_added.empty() && nodes_removed.empty() && !primary_changed() && !reweighted() &&
           !credentials_changed;
  }
};

// Of two configs that mean the same it is empty, also where they list shards, replicas or commands
// in another order. (The configs themselves then are not equal.)
struct ConfigDiff {
  // In the order of CONFIG GET. Not what has a place of its own below: listeners, unless only their
  // order changed, shards, and what needs a restart.
  std::vector<OptionChange> options;
  std::vector<Address> listeners_added;
  std::vector<Address> listeners_removed;
  std::vector<ShardConfig> shards_added;  // with their passwords: not to be shown as they are
  std::vector<ShardConfig> shards_removed;
  std::vector<ShardChange> shards_changed;
  bool ring_changed = false;      // keys have another owner: points, hash_tag, shards or weights
  bool hash_tag_changed = false;  // part of ring_changed
  // A full sentence for each change that a reload refuses.
  std::vector<std::string> needs_restart;

  bool empty() const;
};

// What would change if `to` took the place of `from`. Pure.
ConfigDiff DiffConfigs(const Config& from, const Config& to);

// The same of the keys: all of them, if ring_changed; costs what both rings cost to be made.
RingMoves DiffRings(const PoolConfig& from, const PoolConfig& to);

// Lines for people, each ending in '\n': one for each change, and what the ring's change moves if
// `moves` is not null. "nothing would change\n" if there is none. Shows no password.
std::string DescribeDiff(const ConfigDiff& diff, const RingMoves* moves);

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_CONFIG_DIFF_H_
