// The page of metrics: all that is declared of the process, its shards, their nodes and its
// clients' commands, in Prometheus' text format. Nothing is listed here that INFO or PROXY SHARDS
// list elsewhere: both are made from the same declarations.

#ifndef GEMEL_PROXY_METRICS_METRICS_PAGE_H_
#define GEMEL_PROXY_METRICS_METRICS_PAGE_H_

#include <span>

#include "proxy/local/local_commands.h"
#include "proxy/metrics/http_exchange.h"
#include "proxy/metrics/readings.h"

namespace gemel {

// Gives the page to the sink in pieces of whole lines. `workers` are the readings of all workers,
// at least one. Any thread.
void WriteMetricsPage(const ProcessInfo& process, std::span<const WorkerReadings> workers,
                      const PageSink& sink);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_METRICS_PAGE_H_
