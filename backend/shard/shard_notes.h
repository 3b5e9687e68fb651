// What those beside a shard say of it in PROXY SHARDS: asked when somebody wants to know. Each may
// be empty, or give an empty text for nothing.

#ifndef GEMEL_BACKEND_SHARD_SHARD_NOTES_H_
#define GEMEL_BACKEND_SHARD_SHARD_NOTES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace gemel {

struct ShardNotes {
  std::function<std::string()> members;               // nodes that come and leave
  std::function<std::string()> sweep;                 // deletions after a change of the ring
  std::function<std::string(uint32_t copy)> resync;   // how far it is made equal
  std::function<std::string(uint32_t copy)> warning;  // what its node lacks, a right or a version
  // What its node is set to: names and values.
  std::function<std::vector<std::pair<std::string, std::string>>(uint32_t copy)> settings;
  // Which member of a fleet owns it, and its turn; no name: there is no fleet.
  std::string owner = {};
  uint64_t turn = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_NOTES_H_
