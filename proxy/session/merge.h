// Makes one reply of the replies of a split command's parts. Pure functions of bytes.

#ifndef GEMEL_PROXY_SESSION_MERGE_H_
#define GEMEL_PROXY_SESSION_MERGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

struct RequestCargo;

struct PartReply {
  std::string_view shard;               // its name, for errors
  std::string_view reply;               // one whole frame
  std::vector<uint32_t> places;         // kByKey: the places of its elements in the whole reply
  const RequestCargo* cargo = nullptr;  // of a part that asked a worker, with its answer
};

// Appends the merged reply to *out. A part that is an error: under kByKey it stands in the places
// of that part's keys; elsewhere it is the whole reply, with the shard's name in it. `random`
// chooses under kFirstFull.
void MergeReplies(Merge merge, const std::vector<PartReply>& parts, uint32_t random,
                  std::string* out);

// The error reply `reply`, as a frame that names the shard it came from, unless it does so already.
std::string NameShard(std::string_view shard, std::string_view reply);

// SCAN over shards: the shard's cursor (backend/keys/cursor.h: the node's own and whose it is) and
// the shard's slot in one number, in the same way whatever shards there are, so that a scan goes on
// when some come or go. Encode gives the text of the cursor to go on with, from `cursor` of that
// slot; nothing when both do not fit in 64 bits (Redis's own cursors are below the size of its
// table: 2^36 fits in 63 bits, and 2^26 in what a double holds exactly, as which some clients read
// it). Decode is false for a text that is no cursor. The text "0" is the first slot from its start;
// at the end of a scan it means the end.
std::string EncodeCursor(uint64_t cursor, uint32_t slot);
bool DecodeCursor(std::string_view text, uint64_t* cursor, uint32_t* slot);

// The reply of a slot's shard to SCAN, with the slot in its cursor; behind its end, `next_slot`,
// or nothing if it is the last one.
void AppendScanReply(const PartReply& part, uint32_t slot, std::optional<uint32_t> next_slot,
                     std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_MERGE_H_
