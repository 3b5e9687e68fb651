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
  std::vector<Request*> waiting_;  // for the next round
  uint64_t waiting_since_ms_ = 0;
  std::vector<Request*> served_;  // by this one
  uint64_t next_ms_ = 0;          // when the background's next round is due
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

  uint32_t scanned_ = 0;          // the copy being scanned
  CopyMask to_scan_ = 0;          // those still to come
  std::string cursor_;            // empty: nothing left
  std::string error_;             // of the last SCAN
  std::deque<std::string> keys_;  // that SCAN named

  Stage stage_ = Stage::kScan;
  std::vector<std::string> batch_;
  std::vector<std::string> suspects_;  // of the batch: to be compared again
  std::vector<std::string> repaired_;  // repairs begun
  std::vector<bool> everywhere_;       // kFilter: by place in the batch
  uint32_t tries_ = 0;
  uint64_t wait_until_ms_ = 0;

  Figure audits_{shard_.figures(), "audits", "Rounds of the audit that came to their end"};
  Figure audited_{shard_.figures(), "audited", "Keys that the audit compared"};
  Figure audit_differences_{shard_.figures(), "audit_differences", "Keys that differed"};
  Figure audit_repaired_{shard_.figures(), "audit_repaired", "Of those, made equal"};
  Figure audit_skipped_{shard_.figures(), "audit_skipped",
                        "Keys that the audit could not compare, or not wholly"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_AUDIT_AUDIT_H_
