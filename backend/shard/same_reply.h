// Whether two replies that differ say the same.

#ifndef GEMEL_BACKEND_SHARD_SAME_REPLY_H_
#define GEMEL_BACKEND_SHARD_SAME_REPLY_H_

#include <string_view>

namespace gemel {

// Versions write the same score in two ways: as "0.10000000000000001" (17 digits, Redis) and as
// "0.1" (Redis 7.2, Valkey); and one node's link may speak RESP2, another's RESP3. True if that is
// all in which these replies, of two nodes to one command, differ.
bool DifferInFormatAlone(std::string_view a, std::string_view b);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SAME_REPLY_H_
