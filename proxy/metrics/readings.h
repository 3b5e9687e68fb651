// What one worker tells of itself when somebody looks at the metrics: a copy, made on its thread.

#ifndef GEMEL_PROXY_METRICS_READINGS_H_
#define GEMEL_PROXY_METRICS_READINGS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/shard_readings.h"
#include "config/config.h"
#include "proxy/dispatch/pool.h"
#include "proxy/seen/shards_seen.h"
#include "proxy/seen/users_seen.h"

namespace gemel {

struct WorkerReadings {
  // What is in effect there.
  std::shared_ptr<const Config> config;
  std::shared_ptr<const Pool> pool;
  // Those that it owns, in no order.
  std::vector<ShardReadings> shards;
  // What its clients saw of all shards, by slot.
  std::vector<ShardSeen> seen;
  UserSeenMap users;
  uint64_t in_flight = 0;  // requests of its clients that shards have not answered
};

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_READINGS_H_
