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
#include <string>
#include <string_view>
#include <vector>

#include "backend/audit/audit_round.h"
#include "backend/audit/key_comparison.h"
#include "backend/pace/token_bucket.h"
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
  // Ends what is under way, for good, and answers who waits for it with `why`.
  void Stop(const std::string& why = "gemel is being stopped");
  // In effect at once; the background's next round is due an interval from now.
  void set_config(const AuditConfig& config);
  // Keys may differ that nothing else will repair: a round over all of them begins as soon as it
  // can, at full speed, and again until one has come to its end; a few times more while there are
  // keys of which a copy does not say what it has.
  void Want() {
    wanted_ = true;
    repeats_ = 0;
  }
  // That has still to come.
  bool wanted() const { return wanted_ || (urgent_ && round_.running); }
  // A round is under way.
  bool active() const { return round_.running; }

 private:
  using Stage = AuditBatch::Stage;

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
  void TryAgain();
  void Repair(const std::string& key, const KeyVerdict& verdict);
  bool BatchIsLocked() const;
  std::string Obstacle() const;
  std::string OneCopyText() const;

  void OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) override;
  void OnCompareEnd(bool known) override;

  void NoteKey(NoteLevel level, const std::string& key, const std::string& text);
  void Note(NoteLevel level, const std::string& text);

  AuditPort shard_;
  ShardEnv* env_;
  AuditConfig config_;
  KeyComparison comparison_;
  bool stopped_ = false;
  bool wanted_ = false;
  bool urgent_ = false;          // the round under way was wanted
  uint32_t repeats_ = 0;         // of wanted rounds, for what the last one left open
  uint64_t wanted_from_ms_ = 0;  // not before
  AuditWaiters waiters_;
  uint64_t next_ms_ = 0;  // when the background's next round is due
  uint64_t ticked_ms_ = 0;
  TokenBucket tokens_;  // keys that the background may compare now
  bool advancing_ = false;
  AuditRound round_;
  AuditTally tally_{shard_.figures()};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_AUDIT_AUDIT_H_
