// What of the config file is about looking on: [slowlog], [latency], [metrics]. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_SEEN_H_
#define GEMEL_CONFIG_CONFIG_SEEN_H_

#include "config/config.h"
#include "config/config_table.h"

namespace gemel {

// Each reads its section, and checks what its values must be together.
void ReadSlowlog(TableReader table, SlowlogConfig* slowlog);
void ReadLatency(TableReader table, LatencyConfig* latency);
// `has_users`: there are clients' passwords, too.
void ReadMetrics(TableReader table, bool has_users, MetricsConfig* metrics);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_SEEN_H_
