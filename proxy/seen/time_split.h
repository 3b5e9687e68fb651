// Where the time went that a client waited for an answer.

#ifndef GEMEL_PROXY_SEEN_TIME_SPLIT_H_
#define GEMEL_PROXY_SEEN_TIME_SPLIT_H_

#include <algorithm>
#include <cstdint>

#include "backend/link/send_times.h"

namespace gemel {

// Its parts make the whole. Of a request that went to several nodes, the one that was last.
struct TimeSplit {
  uint64_t gemel_us = 0;  // from reading it to sending it, and from its answer to its turn
  uint64_t wire_us = 0;   // there and back: the quickest answer of that node of late
  uint64_t node_us = 0;   // the rest: in the node's line, and carried out
};

// `away` of a request that was sent to no node is nothing: all of it was in gemel.
inline TimeSplit SplitTime(uint64_t took_us, const AwayTime& away) {
  TimeSplit split;
  const uint64_t away_us = std::min<uint64_t>(away.away_us, took_us);
  split.gemel_us = took_us - away_us;
  split.wire_us = std::min<uint64_t>(away.wire_us, away_us);
  split.node_us = away_us - split.wire_us;
  return split;
}

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_TIME_SPLIT_H_
