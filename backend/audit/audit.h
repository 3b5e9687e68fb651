// Finds keys that differ between the copies of a shard although they should not, makes them equal
// to the primary's, and counts them: in the background at a low rate, or at full speed when asked
// (PROXY AUDIT).
//
// Logic only, on the shard's thread. A round SCANs the primary and compares every key that it
// names; then it SCANs the others for keys that the primary does not have. What differs is compared
// again, value by value, before it counts and is repaired, and once more after that.

#ifndef GEMEL_BACKEND_AUDIT_AUDIT_H_
#define GEMEL_BACKEND_AUDIT_AUDIT_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "backend/audit/key_comparison.h"
#include "backend/shard/shard_ports.h"
#include "config/config.h"

namespace gemel {

// What the audit of a shard counts over all its rounds.
struct AuditFigures {
  explicit AuditFigures(Figures* figures)
      : audits(figures, "audits", "Rounds of the audit that came to their end"),
        audited(figures, "audited", "Keys that the audit compared"),
        differences(figures, "audit_differences", "Keys that differed"),
        repaired(figures, "audit_repaired", "Of those, made equal"),
        skipped(figures, "audit_skipped", "Keys that could not be compared, or not wholly") {}

  Figure audits;
  Figure audited;
  Figure differences;
  Figure repaired;
  Figure skipped;
};

class Audit : private CompareSink {
 public:
  // Takes the shard's requests of kind kAudit. Both must outlive it.
  Audit(AuditPort shard, ShardEnv* env, AuditConfig config);
  ~Audit() override;
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // Time passes; to be called every 10 to 100 ms.
  void Tick(uint64_t now_ms);
  // Ends what is under way, for good, and answers who waits for it.
  void Stop();
  // In effect at once; the background's next round is due an interval from now.
  void set_config(const AuditConfig& config);
  // A round is under way.
  bool active() const { return running_; }

 private:
  enum class Stage : uint8_t {
    kScan,     // gets keys
    kFilter,   // of another copy's keys: which the primary, or another, does not have
    kCompare,  // the batch
    kConfirm,  // what differed, again
    kRecheck,  // what was repaired, again
  };
  struct Round {
    uint64_t began_ms = 0;
    uint64_t compared = 0;
    uint64_t differences = 0;
    uint64_t repaired = 0;
    uint64_t skipped = 0;
  };

  // Who waits for a round.
  struct Asking {
    std::vector<Request*> waiting;  // for the next one
    uint64_t since_ms = 0;
    std::vector<Request*> served;  // by this one
  };
  // How far the keys of one copy after the other are fetched.
  struct Scanning {
    uint32_t copy = 0;
    CopyMask to_come = 0;
    std::string cursor;            // empty: nothing left
    std::string error;             // of the last SCAN
    std::deque<std::string> keys;  // that SCAN named
  };
  // The keys that are being compared.
  struct Batch {
    Stage stage = Stage::kScan;
    std::vector<std::string> keys;
    std::vector<std::string> suspects;  // to be compared again
    std::vector<std::string> repaired;  // repairs begun
    std::vector<bool> everywhere;       // kFilter: by place in the batch
    uint32_t tries = 0;
    uint64_t wait_until_ms = 0;
  };

  void OnRequest(Request* request);
  void TryBegin(uint64_t now_ms);
  void Begin(std::vector<Request*> requests);
  void End(const std::string& early);
  // Takes steps until something is under way or has to be waited for.
  void Advance();
  bool Step();
  bool NextBatch();
  bool Scan();
  bool Filter();
  bool CompareBatch(bool thorough);
  void OnCompared(bool known);
  void OnKeyCompared(const std::string& key, const KeyVerdict& verdict);
  void NextStage();
  void TryAgain();
  void Repair(const std::string& key, const KeyVerdict& verdict);
  bool BatchIsLocked() const;
  std::string Obstacle() const;
  std::string OneCopyText() const;

  void OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) override;
  void OnCompareEnd(bool known) override;

  void NoteKey(NoteLevel level, const std::string& key, const std::string& text);
  void Note(NoteLevel level, const std::string& text);
  std::string RoundText(const Round& round, uint64_t now_ms) const;
  std::string RoundReply(const Round& round, uint64_t now_ms, const std::string& early) const;
  void Answer(std::vector<Request*>* requests, std::string_view reply);
  void AnswerError(std::vector<Request*>* requests, const std::string& text);

  AuditPort shard_;
  ShardEnv* env_;
  AuditConfig config_;
  KeyComparison comparison_;
  bool stopped_ = false;
  Asking asking_;
  uint64_t next_ms_ = 0;  // when the background's next round is due
  uint64_t ticked_ms_ = 0;
  double tokens_ = 0;  // keys that the background may compare now

  bool running_ = false;
  bool advancing_ = false;
  bool busy_ = false;  // a comparison of this round is under way
  Round round_;
  uint64_t epoch_ = 0;
  CopyMask copies_ = 0;
  uint64_t progress_ms_ = 0;
  uint32_t notes_ = 0;
  Scanning scanning_;
  Batch batch_;
  AuditFigures figures_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_AUDIT_AUDIT_H_
