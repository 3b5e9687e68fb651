// What a shard says of itself: its parts of PROXY SHARDS and PROXY EXPLAIN, as fragments of RESP2
// that the asker joins. Nothing is sent to any node.

#ifndef GEMEL_BACKEND_SHARD_SHARD_REPORT_H_
#define GEMEL_BACKEND_SHARD_SHARD_REPORT_H_

#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Answers a request of kind kReport.
void ReportShard(const ShardParts& parts, Request* request);
// The same of kind kExplain.
void ExplainShard(const ShardParts& parts, Request* request);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_REPORT_H_
