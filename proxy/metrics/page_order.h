// What an operator orders on the status page.

#ifndef GEMEL_PROXY_METRICS_PAGE_ORDER_H_
#define GEMEL_PROXY_METRICS_PAGE_ORDER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/shard_order.h"
#include "proxy/dispatch/pool.h"

namespace gemel {

struct PageOrder {
  std::vector<uint32_t> slots;  // of the shards that are to carry it out
  ShardOrder order;
  std::string text;                  // for the log
  std::vector<std::string> command;  // that would do the same for a client
};

// "promote SHARD [NODE]", "resync NODE", "drain NODE", "undrain NODE". Nothing: it is none, or
// there is no such shard or node.
std::optional<PageOrder> ReadPageOrder(const Pool& pool, std::string_view text);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_PAGE_ORDER_H_
