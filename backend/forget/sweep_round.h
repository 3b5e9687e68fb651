// What one round of a sweep knows, and how far the sweep has come in all its rounds.

#ifndef GEMEL_BACKEND_FORGET_SWEEP_ROUND_H_
#define GEMEL_BACKEND_FORGET_SWEEP_ROUND_H_

#include <cstdint>
#include <deque>
#include <string>

#include "backend/figures/figures.h"
#include "backend/keys/scan_walk.h"

namespace gemel {

struct SweepRound {
  uint64_t number = 0;   // grows whenever what was asked before is of no use any more
  bool waiting = false;  // for the answer to a SCAN or a deletion of this round
  bool failed = false;   // some deletion since the round began
  std::string error;
  std::string told;  // why a round began anew, as far as it was logged
  uint32_t primary = 0;
  uint64_t connection = 0;
  ScanWalk scan;
  std::deque<std::string> keys;
  uint64_t last_number = 0;  // deletions from here on do not matter to the round
  uint32_t proofs = 0;       // still to come, also those of a round before
  bool proven = false;

  // A SCAN of `primary_copy`, over that connection only.
  void Begin(uint32_t primary_copy, uint64_t its_connection, uint32_t databases);
  // What was asked is of no use any more.
  void Abandon();
};

// Counts what a sweep does, and the shard's figures with it.
class SweepProgress {
 public:
  // `figures` must outlive it.
  explicit SweepProgress(Figures* figures) : figures_(figures) {}

  void Begin(uint64_t now_ms);
  void LookedAt(uint64_t keys);
  // on_access: because they were asked for.
  void Deleted(uint64_t keys, bool on_access);
  void Complete() { ++sweeps_; }

  uint64_t looked_at() const { return looked_at_; }
  uint64_t deleted() const { return deleted_; }
  uint64_t on_access() const { return on_access_; }
  uint64_t began_ms() const { return began_ms_; }

 private:
  Figures* figures_;
  uint64_t began_ms_ = 0;
  uint64_t looked_at_ = 0;
  uint64_t deleted_ = 0;
  uint64_t on_access_ = 0;
  Figure sweeps_{figures_, "sweeps", "Sweeps after changes of the ring that came to their end"};
  Figure sweep_scanned_{figures_, "sweep_scanned", "Keys that sweeps looked at"};
  Figure forgotten_{figures_, "forgotten", "Keys deleted after changes of the ring"};
  Figure forgotten_on_access_{figures_, "forgotten_on_access",
                              "Of those, because they were asked for"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FORGET_SWEEP_ROUND_H_
