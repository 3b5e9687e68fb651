// The short way back for a copy that missed writes: only the keys of these writes are repaired, if
// its process did not restart and they are known.
//
// A copy that must leave has a journal of the keys that it may have wrong: of the writes that were
// in flight to it, and of every write since. When it is back it joins: it is sent all writes again,
// in the shard's one order. From then on the invariant is
//   every key that is not in its journal is equal on it and on the copies in sync, at each point of
//   the order
// which a write of one key keeps by itself, and a write of several keys does if none of them is in
// the journal; else all of them go there. Meanwhile the keys of the journal are repaired one by one
// (KeyRepair, in their place in the order). With an empty journal it is equal, and is marked in
// sync while writes go on.

#ifndef GEMEL_BACKEND_SHARD_WAY_BACK_H_
#define GEMEL_BACKEND_SHARD_WAY_BACK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/pace/token_bucket.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/hold.h"
#include "backend/shard/key_repair.h"
#include "backend/shard/removals.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Owns the repairs of single keys, whoever asks for them. Logic only, the shard's thread.
class WayBack : private KeyRepair::Host {
 public:
  explicit WayBack(ShardParts* parts);

  void AddCopy(uint32_t copy);
  void Tick(uint64_t now_ms);
  // Repairs what there is room for, unless something is in the way.
  void StartRepairs();
  // A copy in sync lost its connection and is back within its grace: what was in flight is repaired
  // from a copy that has it, and nobody leaves. No write is sent meanwhile.
  void MendInPlace();

  // It stays as it was before it joined: stale, with a journal.
  void Leave(uint32_t copy, const std::string& why);
  // It is in sync and in no doubt.
  void Settled(uint32_t copy) { returns_[copy].failures = 0; }

  // What it has wrong is known and can be repaired: it needs no whole copy.
  bool Mendable(uint32_t copy) const;
  // A stale copy that needs a whole copy (its dirty keys are not known), and whose node is up.
  bool WantsResync(uint32_t copy) const;
  // A stale copy that can be resynced now: its node and the primary's are up. -1 if none.
  int CopyToResync() const;
  // "being repaired, ..."; empty: nothing of the kind.
  std::string Note(uint32_t copy) const;

  // --- single keys ---
  // Copies the key from `source` to `targets`, see KeyRepair::Begin; at once, or, if it is being
  // repaired otherwise, behind that.
  bool Repair(std::string_view key, uint32_t source, CopyMask targets) {
    return repair_.Begin(key, source, targets) ||
           (repair_.IsLocked(key) && parts_->removals->doubts().RepairLater(key, source));
  }
  const KeyRepair& repairs() const { return repair_; }
  // No key is being repaired or waits for that.
  bool NothingLocked() const { return repair_.idle() && parts_->removals->doubts().empty(); }
  // A key of the request is locked. *lock, if asked for: by the repair of the first such key.
  bool TouchesLockedKey(const Request& request, uint32_t* lock = nullptr);
  // A request without keys waits until nothing is being repaired: no repair begins before it. A
  // round over what waits begins: it says so again.
  bool MustWaitForRepairs() { return !repair_.idle() && (barred_ = true); }
  bool IsBarred() const { return barred_ && !parts_->hold->empty(); }
  void BeginRound() { barred_ = false; }
  void OnReply(uint32_t copy, const Op& op, std::string_view reply) {
    repair_.OnReply(copy, op, reply);
  }
  void OnLost(uint32_t copy, const Op& op) { repair_.OnLost(copy, op); }

  // --- for a copy key by key ---
  // A key may be repaired, or asked for, now. What is done is to be told: so many keys' worth.
  bool HasBudget() const { return budget_.Has(1); }
  void Spend(double keys) { budget_.Take(keys); }
  bool stepping() const { return mending_; }
  void Trim() { frame_.Trim(); }

 private:
  struct Return {
    uint64_t join_at_ms = 0;  // not before
    uint32_t failures = 0;    // in a row
  };

  void Join(uint32_t copy);
  void RepairKeysOf(uint32_t copy);
  bool MayMendInPlace(uint32_t copy) const;
  bool IsRepaired(uint32_t copy) const;
  void KeyIsClean(const std::string& key, CopyMask copies);
  void CheckInPlace(uint32_t copy);

  // KeyRepair::Host
  bool CanSendRepair(uint32_t copy) override;
  void SendRepair(uint32_t copy, Op* op, std::string_view frame) override;
  Op* NewRepairOp() override;
  const NodeIdentity& IdentityOf(uint32_t copy) override;
  uint64_t ConnectionOf(uint32_t copy) const override;
  int64_t UnixMs() override { return parts_->env->UnixMs(); }
  void OnKeyRepaired(const std::string& key, CopyMask copies) override;
  void OnKeyNotRepaired(const std::string& key, CopyMask copies, const std::string& why,
                        bool too_big) override;

  ShardParts* parts_;
  KeyRepair repair_;
  std::vector<Return> returns_;  // by copy
  TokenBucket budget_;           // keys
  bool mending_ = false;
  bool barred_ = false;
  FrameKeys frame_{parts_->table};
  Figure repaired_{parts_->figures, "repaired",
                   "Keys made equal after the copies answered differently or one missed writes"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_WAY_BACK_H_
