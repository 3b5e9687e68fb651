// Makes one reply of the replies of a split command's parts. Pure functions of bytes.

#ifndef GEMEL_PROXY_SESSION_MERGE_H_
#define GEMEL_PROXY_SESSION_MERGE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

struct PartReply {
  std::string_view shard;        // its name, for errors
  std::string_view reply;        // one whole frame
  std::vector<uint32_t> places;  // kByKey: the places of its elements in the whole reply
};

// Appends the merged reply to *out. A part that is an error: under kByKey it stands in the places
// of that part's keys; elsewhere it is the whole reply, with the shard's name in it. `random`
// chooses under kFirstFull.
void MergeReplies(Merge merge, const std::vector<PartReply>& parts, uint32_t random,
                  std::string* out);

// The error reply `reply`, as a frame that names the shard it came from, unless it does so already.
std::string NameShard(std::string_view shard, std::string_view reply);

// SCAN over shards: the node's cursor and the shard in one number. Encode gives the text of the
// cursor to go on with after a node answered `node_cursor` on `shard`; "0" when all shards are
// done, nothing when both do not fit in 64 bits (Redis's own cursors are below the size of its
// table). Decode is false for a text that is no cursor.
std::string EncodeCursor(uint64_t node_cursor, uint32_t shard, uint32_t shards);
bool DecodeCursor(std::string_view text, uint32_t shards, uint64_t* node_cursor, uint32_t* shard);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_MERGE_H_
