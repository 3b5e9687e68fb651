// Makes one reply of what the nodes of several shards say of themselves.

#ifndef GEMEL_PROXY_SESSION_MERGE_STATS_H_
#define GEMEL_PROXY_SESSION_MERGE_STATS_H_

#include <string>
#include <vector>

#include "proxy/session/merge.h"

namespace gemel {

// All append the whole reply; none of the parts is an error.

// Texts (MEMORY DOCTOR): each under its shard's name, if there are several.
void MergeTexts(const std::vector<PartReply>& parts, std::string* out);
// Maps of the same names to numbers, and to maps of such (MEMORY STATS): numbers are added, but
// for those that are shares ("...percentage", "...ratio", "...bytes-per-key"), of which the largest
// counts.
void MergeStats(const std::vector<PartReply>& parts, std::string* out);
// Digests of 40 hex digits that are combined by XOR (DEBUG DIGEST), as that of one server that had
// all keys would be.
void MergeXor(const std::vector<PartReply>& parts, std::string* out);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_MERGE_STATS_H_
