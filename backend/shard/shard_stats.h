// What a shard counts.

#ifndef GEMEL_BACKEND_SHARD_SHARD_STATS_H_
#define GEMEL_BACKEND_SHARD_SHARD_STATS_H_

#include <cstdint>

namespace gemel {

struct ShardStats {
  uint64_t reads = 0;
  uint64_t writes = 0;
  uint64_t fallbacks = 0;   // reads sent to another copy after the first one failed
  uint64_t hedged = 0;      // reads sent to a second copy because the first was silent
  uint64_t hedge_wins = 0;  // of these, answered by the second
  uint64_t held = 0;        // requests that had to wait
  uint64_t errors = 0;      // requests that the shard itself answered with an error
  uint64_t diverged = 0;    // writes to which the copies' replies differed
  uint64_t repaired = 0;    // keys made equal after that, or after a copy missed writes
  uint64_t promotions = 0;
  uint64_t marked_stale = 0;
  uint64_t resyncs = 0;
  uint64_t rejoins = 0;              // copies that came back in sync by the repair of single keys
  uint64_t audits = 0;               // rounds of the audit that came to their end
  uint64_t audited = 0;              // keys compared by it
  uint64_t audit_differences = 0;    // keys that differed
  uint64_t audit_repaired = 0;       // of those, made equal
  uint64_t audit_skipped = 0;        // keys that could not be compared, or not wholly
  uint64_t sweeps = 0;               // after changes of the ring, that came to their end
  uint64_t sweep_scanned = 0;        // keys looked at by them
  uint64_t forgotten = 0;            // keys deleted after changes of the ring
  uint64_t forgotten_on_access = 0;  // of those, because they were asked for
  uint64_t side_reads = 0;           // sent over a connection of their own (see side_reads.h)
  uint64_t blamed_reads = 0;         // of those, refused: connections ended because of them
  uint64_t refused_large = 0;        // requests with an argument longer than the nodes take
  uint64_t ended_scripts = 0;        // on the nodes, for they took too long
  uint64_t edits_failed = 0;         // that could not be made durable, or were refused
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_STATS_H_
