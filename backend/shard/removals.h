// Keys that a copy removed by itself, because they expired or its memory was full: gone on one copy
// is gone on every copy, at one place in the shard's order.
//
// The copies' feeds tell what is gone (backend/removals). On the other copies such a key is
// deleted, behind all that was sent. But what was written since the node removed it, and before
// that was heard, may have made the key anew there, while the others added to the old one. Which
// writes these may be is recorded, and then the key is *in doubt*: its requests wait, and it is
// made equal by state, from the copy that removed it, which has all that was written since and
// nothing of before. So are the keys to which that may have spread (RENAME, SUNIONSTORE).
//
// A write to which the copies answer differently mostly means that one has removed its key, and
// that is on its way to be told: its keys are in doubt until that is known (KeyDoubts::Ask), and
// the answer of the copy that has it right is the client's.
//
// The invariant: at each point of the order a key is equal on the copies in sync, or a copy removed
// it and that is on its way to be told, or it is in doubt.
//
// If the primary removed it and is lost, the copies that are left have what was gone and what was
// written since in one. A key that was evicted is deleted there, so that nothing old comes back.
// One that expired is looked at: as it was before, it is about to expire there as well, and is
// deleted; if it lives on, that was written since. If another copy is lost, the primary has it
// right.

#ifndef GEMEL_BACKEND_SHARD_REMOVALS_H_
#define GEMEL_BACKEND_SHARD_REMOVALS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/removals/recent_writes.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/key_doubts.h"
#include "backend/shard/pause_journal.h"
#include "backend/shard/removal_feeds.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class Removals {
 public:
  explicit Removals(ShardParts* parts)
      : parts_(parts), feeds_(parts), doubts_(parts), paused_(parts) {}

  RemovalFeeds& feeds() { return feeds_; }
  KeyDoubts& doubts() { return doubts_; }
  const KeyDoubts& doubts() const { return doubts_; }
  void Tick(uint64_t now_ms, uint32_t random);
  // `audit` runs when it cannot be known which keys are wrong: all are to be compared. `due` says
  // whether that has still to come to its end.
  void set_audit(std::function<void(const std::string& why)> audit,
                 std::function<bool()> due = {}) {
    audit_ = std::move(audit);
    audit_due_ = std::move(due);
  }
  // An edit is in effect.
  void OnRoles();
  void OnMainUp(uint32_t copy);
  // To be asked until it is true, with the same *ticket, which is 0 at first: what the nodes that
  // are in reach had removed by then is heard of, and what follows from that was sent, and no key
  // is in doubt.
  bool AllHeard(uint64_t* ticket);
  // Deletions that the copies have not answered: who waits for all that is in flight
  // (WriteGenerations) waits for them, too.
  uint64_t deletions_in_flight() const { return deletions_; }
  void Trim() { frame_.Trim(); }

  // --- what is written ---
  // The write is to be told to OnWrite.
  bool Watches(const Request& request) const {
    const CommandRow* row = request.row;
    return recent_.recording() ||
           (!feeds_.none() && (row == nullptr || request.block || !row->HasOneKey() ||
                               row->expiry != ExpiryRule::kNone));
  }
  // It is being sent; or, of one that a copy executes first, its outcome to the others.
  void OnWrite(const Request& request);
  // A write, or the state of a key, sets that time, of each node's own clock, for the key to
  // expire. `source`: see KeyDoubts::Cause.
  void OnExpiryTime(std::string_view key, int64_t unix_ms, uint32_t source);
  // The key was made equal by state, which counts as a write. `unseen`: what copies removed since
  // was asked before, and nobody can have seen it; else what one is about to tell that it removed
  // may be there again.
  void OnMadeEqual(std::string_view key, bool unseen) {
    recent_.Add(key);
    if (!unseen && !feeds_.none()) recent_.AddOverwritten(key);
  }
  // Whatever a copy tells of it that it has removed before it is made equal now, this one has
  // nothing of that.
  void NoteRight(uint32_t copy, std::string_view key) { recent_.NoteTold(key, Bit(copy)); }
  // The state of these keys on the first copy that executed a write is sent to the others.
  void OnStateSent(const FrameKeys& keys);

  // --- what the feeds tell ---
  void OnRemoved(uint32_t copy, std::string_view key, bool evicted);
  // All that came together has been told.
  void OnRemovedEnd();
  // The copy has evicted keys, and nobody was told which.
  void OnMissed(uint32_t copy);
  // There is something that a barrier would forget; one begins; it ended, or was given up.
  bool WantsBarrier() const { return !recent_.empty(); }
  void OnBarrier() { recent_.Close(); }
  void OnBarrierEnd() {
    recent_.Drop([this](std::string_view key) { return IsLocked(key); });
  }
  void OnBarrierGivenUp() { recent_.Reopen(); }

  // --- what was sent for this, of kind kRemoval ---
  void OnReply(uint32_t copy, const Op& op, std::string_view reply, std::string_view frame);
  void OnLost(uint32_t copy, const Op& op, std::string_view frame);

  // --- for the keys in doubt ---
  // A repair, or a write that one copy executes first, has locked it.
  bool IsLocked(std::string_view key) const;
  // On every copy that can be reached; the others have it in their journals.
  void DeleteEverywhere(const std::string& key);
  // A copy in sync was written to for a repair of the key, which it may have otherwise now than one
  // that is not in sync yet.
  void OnWritten(const std::string& key) { paused_.OnMadeEqual(key); }
  // Those of these copies that have a journal may have the key wrong.
  void Miss(CopyMask copies, std::string_view key);
  // It cannot be known which keys are wrong: all are to be compared.
  void Audit(const std::string& why);
  // For what that copy, which is in sync, has evicted while nobody was told.
  void AuditMissed(uint32_t copy);
  // The key is in doubt, and so is what that may have spread to.
  void Doubt(std::string_view key, const KeyDoubts::Cause& cause);
  // A repair of the key ended on these copies: on which of them, that are not in sync, it was
  // removed meanwhile.
  CopyMask TakeGoneAgain(const std::string& key, CopyMask copies);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };

  void OnWrite(const FrameKeys::Command& command);
  bool IsOverwritten(std::string_view key, uint32_t copy) const;
  bool IsKnownToBeGone(uint32_t copy, std::string_view key) const;
  void DoubtAll(uint32_t copy, uint8_t database, std::string_view frame);
  void Flush();
  void Delete(CopyMask copies, const std::vector<std::string_view>& keys);
  void OnDeleted(uint32_t copy, const Op& op, std::string_view reply, std::string_view frame);
  void EndOf(const Op& deletion);
  void CopyWhole(CopyMask copies);

  ShardParts* parts_;
  RemovalFeeds feeds_;
  KeyDoubts doubts_;
  RecentWrites recent_;
  PauseJournal paused_;
  uint64_t deletions_ = 0;  // in flight
  uint64_t heard_ms_ = 0;   // when something was removed last
  // Told since the last Flush, and on which copies it is gone.
  std::unordered_map<std::string, CopyMask, Hash, std::equal_to<>> gone_;
  std::unordered_map<std::string, CopyMask, Hash, std::equal_to<>> gone_again_;  // TakeGoneAgain
  CopyMask was_in_sync_ = 0;
  std::function<void(const std::string&)> audit_;
  std::function<bool()> audit_due_;
  FrameKeys frame_{parts_->table};
  std::vector<std::string_view> keys_;  // scratch
  Figure removed_{parts_->figures,
                  "removed_by_nodes",
                  "Keys that a copy removed by itself (expired, evicted), as it told",
                  {"stats", "removed_by_nodes"}};
  Figure followed_{parts_->figures, "removals_followed",
                   "Keys deleted on other copies since they were gone on one"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REMOVALS_H_
