// The edits of a shard's roles on their way to the disk, and what they change once they are in
// effect. One at a time, but for saving a run_id, which nothing waits for.

#ifndef GEMEL_BACKEND_SHARD_ROLE_EDITS_H_
#define GEMEL_BACKEND_SHARD_ROLE_EDITS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "backend/life/alive.h"
#include "backend/shard/role_step.h"
#include "backend/shard/shard_parts.h"
#include "backend/topology/coordinator.h"

namespace gemel {

// Logic only, the shard's thread.
class RoleEdits {
 public:
  explicit RoleEdits(ShardParts* parts) : parts_(parts) {}

  // An edit of this shard is being made durable: no other is to be proposed.
  bool editing() const { return editing_; }
  // That, or one failed a moment ago.
  bool MayPropose() const { return !editing_ && parts_->env->NowMs() >= retry_ms_; }
  void WaitFor(uint64_t ms) { retry_ms_ = parts_->env->NowMs() + ms; }
  // Being marked stale: not read from the moment that it may be stale on disk.
  CopyMask leaving() const { return leaving_; }
  // Being marked in sync while writes go on: it may count already.
  CopyMask entering() const { return entering_; }
  // Not while one that is entering gets no writes any more: it may be in sync already, and would
  // lack what is acknowledged without it.
  bool AllowWrites() const;
  // Why an edit could not be made durable; empty: nothing of the kind.
  const std::string& error() const { return error_; }
  void ForgetError() { SetError({}); }
  // Nothing is proposed any more, and of what was nothing is heard.
  void Stop();

  // --- to be called only while none is under way ---
  // What a step of the roles asks for.
  void Propose(RoleEdit edit);
  // Equal at this point of the order, and from here on. Writes go on while that becomes durable;
  // what they lose on it is answered only when it is durably stale again.
  void Enter(uint32_t copy, bool was_scanned);
  // A stale copy is equal, while the shard is paused. `done(true)` once it is in effect.
  void MarkResynced(uint32_t copy, std::function<void(bool)> done);
  // An edit of a copy that the shard itself has no need of. `done` gets the result once the shard
  // goes by it. A refused one changes nothing.
  void ProposeOrder(Edit edit, EditDone done);
  // kAddCopy for a node. Writes go on meanwhile.
  void AddNode(const std::string& node, EditDone done);

  // Saves a run_id that was learnt, beside all others. `failed` is asked what to do then: true, it
  // will be tried again.
  void SaveRunId(uint32_t copy, std::function<bool(bool ok)> ended);
  // The shard as an edit left it.
  void Take(const ShardInfo& info);
  // The same of an edit that somebody else made (another member of a fleet): unless it is known, or
  // one of our own is under way, which ends with what then is in effect.
  void OnTopology(const ShardInfo& info);

 private:
  CopyMask LeftBehind(EditKind kind, uint32_t copy) const;
  void Send(Edit edit, EditDone done);
  void SendNow(Edit edit, EditDone done);
  void OnDone(EditKind kind, uint32_t copy, const EditResult& result);
  void OnEntered(uint32_t copy, bool was_scanned, const EditResult& result);
  void OnOrderDone(EditKind kind, uint32_t copy, const EditResult& result, const EditDone& done);
  void Tell(EditKind kind, uint32_t copy, uint32_t old_primary);
  void ForgetAllJournals();
  void SetError(const std::string& error) {
    error_ = error;
    unsaved_.Set(error.empty() ? 0 : 1);
  }

  ShardParts* parts_;
  bool editing_ = false;
  bool adding_ = false;  // that edit changes nothing for those that are here
  CopyMask leaving_ = 0;
  CopyMask entering_ = 0;
  bool stopped_ = false;
  uint64_t retry_ms_ = 0;
  std::string error_;
  Alive alive_;
  Figure promotions_{parts_->figures, "promotions", "Copies that became the primary"};
  Figure marked_stale_{parts_->figures, "marked_stale", "Copies that were marked stale"};
  Figure resyncs_{parts_->figures, "resyncs", "Copies that were made equal as a whole"};
  Figure rejoins_{parts_->figures, "rejoins",
                  "Copies that came back in sync by the repair of single keys"};
  Figure edits_failed_{parts_->figures,
                       "edits_failed",
                       "Edits that could not be made durable, or were refused",
                       {"persistence", "state_edits_failed"}};
  Figure unsaved_{parts_->figures,
                  "unsaved",
                  "1 while a copy cannot be marked stale because the state cannot be saved",
                  {"persistence", "state_unsaved_shards"},
                  FigureType::kGauge};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_ROLE_EDITS_H_
