// What the config says of a shard.

#ifndef GEMEL_BACKEND_SHARD_SHARD_OPTIONS_H_
#define GEMEL_BACKEND_SHARD_SHARD_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/health/hang_detector.h"
#include "backend/link/link.h"
#include "config/config.h"

namespace gemel {

struct ShardOptions {
  std::string name;
  std::vector<LinkOptions> nodes;  // in the order of the config
  Ack ack = Ack::kAll;
  ReadFrom read_from = ReadFrom::kPrimary;
  uint32_t probe_failures = 3;
  HangLimits hang;
  uint32_t hedge_ms = 50;  // 0: reads are not hedged
  uint32_t held_limit = 64 * 1024;
  uint32_t wait_ms = 5000;    // the longest a request is held, or waits for an edit
  uint32_t start_ms = 1000;   // after Start, how long writes wait for all nodes to be heard from
  uint32_t pause_ms = 1000;   // the longest pause of writes for what an operator asks
  bool has_all_keys = false;  // the pool has no other shard
  std::string hash_tag;       // of the ring
  std::string home;           // the node that the config lists first
  bool failback = false;      // to it, once it is in sync and up for so long:
  uint32_t failback_after_ms = 5000;
  size_t lag_bytes = 64u << 20;  // of unanswered writes on one copy: above it even ack = "primary"
                                 // and "any" wait for every copy
  OnDataLoss on_data_loss = OnDataLoss::kRefuse;
  uint32_t grace_ms = 150;  // a copy whose connection was lost may come back so long: its keys in
                            // flight are repaired, and nobody leaves
  size_t journal_keys = 1000000;       // dirty keys of one copy, above which it is copied whole
  size_t journal_bytes = 64u << 20;    // the same in bytes
  uint32_t repair_keys_per_s = 20000;  // of a copy that joins again
  uint64_t tracking_table_max_keys = 1000000;  // that clients track, of all shards together
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_OPTIONS_H_
