// What INFO says of the nodes, made of what the primary of each shard says. Pure functions of text.

#ifndef GEMEL_PROXY_LOCAL_NODE_INFO_H_
#define GEMEL_PROXY_LOCAL_NODE_INFO_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/local/node_baseline.h"

namespace gemel {

// The answer of a shard's primary to INFO.
struct ShardInfoText {
  std::string text;       // empty: there is none
  uint32_t database = 0;  // that the shard has of its nodes for itself; 0: none
  uint32_t hidden = 0;    // one that is not the clients' (PoolConfig::registers_database); 0: none
};

struct InfoLine {
  std::string_view section;  // in lower case
  std::string name;
  std::string text;
};

// The fields of the sections memory, persistence and stats, in order; of shards without an answer
// nothing is in them. `baseline` may be null.
std::vector<InfoLine> SumNodes(const std::vector<ShardInfoText>& shards,
                               const NodeBaseline* baseline);
// The same of keyspace: "db0", "keys=1,expires=0,avg_ttl=0".
std::vector<InfoLine> SumKeyspace(const std::vector<ShardInfoText>& shards);
// The counters that CONFIG RESETSTAT resets, by run_id.
std::map<std::string, NodeBaseline::Counters, std::less<>> CountersOf(
    const std::vector<ShardInfoText>& shards);

// "1.50M", as Redis writes sizes for people.
std::string HumanBytes(uint64_t bytes);
// "1.23"
std::string TwoDigits(double value);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_NODE_INFO_H_
