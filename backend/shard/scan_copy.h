// How far a stale copy is that is made equal key by key, because its node refuses REPLICAOF: see
// scan_copies.h. State alone; that acts on it.

#ifndef GEMEL_BACKEND_SHARD_SCAN_COPY_H_
#define GEMEL_BACKEND_SHARD_SCAN_COPY_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "backend/keys/scan_walk.h"

namespace gemel {

struct ScanCopy {
  enum class Phase : uint8_t {
    kExtra,     // the copy is scanned: what the primary does not have is deleted, which makes room
    kAll,       // the primary is scanned: every key is copied
    kLeftOver,  // the copy again: what the primary had by then, and lost by itself (it expired)
    kDone,      // what may be wrong is in the copy's journal, as for any copy that joins
  };
  enum Ask : uint8_t { kSize, kScan, kExists };  // repair_step of its ops

  Phase phase = Phase::kExtra;
  uint32_t number = 0;  // of the attempt: replies to an earlier one are not heard
  // Whose cursors these are.
  uint32_t primary = 0;
  uint64_t connection = 0;

  ScanWalk walk;           // of this phase
  uint32_t in_flight = 0;  // ops not answered yet
  // The copy's keys of which it is to be asked, or has been, whether the primary has them.
  std::vector<std::string> found;
  bool asked = false;
  // In the journal, too: to be repaired next.
  std::deque<std::string> batch;

  uint64_t keys = 0;   // of the primary, copied or about to be
  int64_t total = -1;  // how many it had at the beginning; -1: not known
  // Keys of the journal that cannot be copied, and why; tried again later.
  std::map<std::string, std::string> too_big;
  uint64_t retry_too_big_ms = 0;
};

// What is to be told of it.
struct ScanStatus {
  bool running = false;
  bool done = false;  // all has been scanned, and the journal is worked off
  uint64_t keys = 0;
  int64_t total = -1;
  size_t left = 0;    // keys in the journal
  std::string stuck;  // why it waits with all others copied; empty: it goes on
  std::string end;    // why the last one ended before it was equal
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SCAN_COPY_H_
