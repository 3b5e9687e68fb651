// What one round of the audit knows: where its SCAN is, the batch in hand, and what it counted.

#ifndef GEMEL_BACKEND_AUDIT_AUDIT_ROUND_H_
#define GEMEL_BACKEND_AUDIT_AUDIT_ROUND_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/keys/scan_walk.h"
#include "backend/shard/shard_ports.h"

namespace gemel {

// The SCAN of one copy after the other.
struct AuditScan {
  uint32_t copy = 0;     // being scanned
  CopyMask to_come = 0;  // those after it
  uint32_t databases = 1;
  ScanWalk walk;
  std::string error;             // of the last SCAN
  std::deque<std::string> keys;  // that SCAN named

  // Of the primary, then of the others of `copies`. The last error stays known.
  void Begin(uint32_t primary, CopyMask copies, uint32_t all_databases);
  // Turns to the next copy; false if there is none.
  bool NextCopy();
  // The reply to a SCAN: its keys, or the error.
  void Take(std::string_view reply);
};

// The keys that are being compared, and how far they are.
struct AuditBatch {
  enum class Stage : uint8_t {
    kScan,     // gets keys
    kFilter,   // of another copy's keys: which the primary, or another, does not have
    kCompare,  // the batch
    kConfirm,  // what differed, again
    kRecheck,  // what was repaired, again
  };
  Stage stage = Stage::kScan;
  std::vector<std::string> keys;
  std::vector<std::string> suspects;  // of the batch: to be compared again
  std::vector<std::string> repaired;  // repairs begun
  std::vector<bool> everywhere;       // kFilter: by place in the batch
  uint32_t tries = 0;
  uint64_t wait_until_ms = 0;

  void Begin();
  // After kFilter: only those stay that are not everywhere.
  void KeepOdd();
  // After a comparison whose outcome is known. What is suspect waits until then.
  void NextStage(uint64_t suspects_wait_until_ms);
};

struct AuditRound {
  bool running = false;
  bool busy = false;  // a comparison of this round is under way
  uint64_t epoch = 0;
  CopyMask copies = 0;
  uint64_t progress_ms = 0;
  uint32_t notes = 0;
  // Keys that may differ still, of which more may be known later.
  uint32_t open = 0;
  AuditScan scan;
  AuditBatch batch;
};

// What a round counts, and the shard's figures with it.
class AuditTally {
 public:
  // `figures` must outlive it.
  explicit AuditTally(Figures* figures) : figures_(figures) {}

  void Begin(uint64_t now_ms);
  void Complete() { ++audits_; }
  void Compared();
  void Differs();
  void Repaired();
  void Skipped();

  uint64_t differences() const { return differences_; }
  // For the log.
  std::string Text(uint64_t now_ms) const;
  // For who asked; `early`: why the round did not come to its end, or empty.
  std::string Reply(std::string_view shard, uint64_t now_ms, const std::string& early) const;

 private:
  Figures* figures_;
  uint64_t began_ms_ = 0;
  uint64_t compared_ = 0;
  uint64_t differences_ = 0;
  uint64_t repaired_ = 0;
  uint64_t skipped_ = 0;
  Figure audits_{figures_, "audits", "Rounds of the audit that came to their end"};
  Figure audited_{figures_, "audited", "Keys that the audit compared"};
  Figure audit_differences_{figures_, "audit_differences", "Keys that differed"};
  Figure audit_repaired_{figures_, "audit_repaired", "Of those, made equal"};
  Figure audit_skipped_{figures_, "audit_skipped",
                        "Keys that the audit could not compare, or not wholly"};
};

// Who asked for an audit: who waits for the next round, and whom this one serves.
struct AuditWaiters {
  std::vector<Request*> waiting;
  uint64_t waiting_since_ms = 0;
  std::vector<Request*> served;

  static void Answer(std::vector<Request*>* requests, std::string_view reply);
  static void AnswerError(std::vector<Request*>* requests, const std::string& text);
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_AUDIT_AUDIT_ROUND_H_
