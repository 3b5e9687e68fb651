// What a shard says of itself: its parts of PROXY SHARDS and PROXY EXPLAIN, as fragments of RESP2
// that the asker joins. Nothing is sent to any node.

#ifndef GEMEL_BACKEND_SHARD_SHARD_REPORT_H_
#define GEMEL_BACKEND_SHARD_SHARD_REPORT_H_

#include <string>
#include <vector>

#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Answers a request of kind kReport.
void ReportShard(const ShardParts& parts, Request* request);
// Where a request would go now: of kind kExplain, with its frame and `primary_only`.
struct ShardExplanation {
  std::vector<std::string> write_to;  // the one whose reply is the client's first
  std::string read_from;              // empty: none can be read
  std::string why;
};
ShardExplanation ExplanationOf(const ShardParts& parts, const Request& request);
// Answers a request of kind kExplain with it.
void ExplainShard(const ShardParts& parts, Request* request);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_REPORT_H_
