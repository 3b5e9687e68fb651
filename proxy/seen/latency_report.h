// What LATENCY DOCTOR and LATENCY GRAPH say, in Redis's words. Pure functions.

#ifndef GEMEL_PROXY_SEEN_LATENCY_REPORT_H_
#define GEMEL_PROXY_SEEN_LATENCY_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/seen/latency_events.h"

namespace gemel {

std::string LatencyReport(const std::vector<LatencySeries>& events, const PoolConfig& config,
                          int64_t now_s);

std::string LatencyGraph(const LatencySeries& series, int64_t now_s);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_LATENCY_REPORT_H_
