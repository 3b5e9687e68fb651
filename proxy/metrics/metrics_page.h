// The page of metrics: all that is declared of the process, its shards, their nodes and its
// clients' commands, in Prometheus' text format. Nothing is listed here that INFO or PROXY SHARDS
// list elsewhere: both are made from the same declarations.

#ifndef GEMEL_PROXY_METRICS_METRICS_PAGE_H_
#define GEMEL_PROXY_METRICS_METRICS_PAGE_H_

#include <span>
#include <string>

#include "proxy/local/local_commands.h"
#include "proxy/metrics/readings.h"

namespace gemel {

// `workers` are the readings of all workers, at least one. Any thread.
std::string MetricsPage(const ProcessInfo& process, std::span<const WorkerReadings> workers);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_METRICS_PAGE_H_
