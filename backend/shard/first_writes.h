// Writes that one copy executes before the others get what came of it (StateCopy): what follows
// from that for the shard. The first is the primary, unless it applies no writes just now.
//
// If the first is lost before it has answered, it may have executed the write, and nobody else has.
// The write is held, in front of all, with that copy's bit in `tried`. As soon as what it did is
// undone, because it left or was repaired from another copy, the bit is cleared and the write is
// executed anew. If it serves again without that, it is the truth, and the client is told that the
// write may or may not have been applied.
//
// A script that changes keys which it did not declare runs alone: all requests wait from the moment
// at which it is sent until what it says that it changed is sent to the others, so that it has one
// place in the order of each copy, whatever its keys are. That it does so is known of a script that
// was stopped before, and taken for granted where no other copy could undo what a stopped one did.
// If its copy is lost, any key may be wrong there.

#ifndef GEMEL_BACKEND_SHARD_FIRST_WRITES_H_
#define GEMEL_BACKEND_SHARD_FIRST_WRITES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/shard/first_scripts.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/state_copy.h"

namespace gemel {

// Logic only, the shard's thread.
class FirstWrites : private StateCopy::Host {
 public:
  explicit FirstWrites(ShardParts* parts);

  // Begins a request of kind kFirstWrite, or refuses it. The caller has seen to it that a write can
  // be sent now, that it need not wait (MustWait), and that there are several copies.
  void Send(Request* request);
  void OnReply(const Link& link, Op* op, const Reply& reply);
  void OnLost(const Link& link, Op* op);

  // No key is locked here.
  bool idle() const { return jobs_.idle(); }
  bool IsLocked(std::string_view key) const { return jobs_.LockOn(key) != StateCopy::kNoJob; }
  bool IsLocking(uint32_t lock) const { return jobs_.IsLocking(lock); }
  // It touches keys that such a write has locked (*lock, if asked for: which one), or it is one and
  // too many are under way, or it has no keys and must be before or behind all of them.
  bool MustWait(const Request& request, uint32_t* lock = nullptr);
  // A round over what waits begins: writes without keys that wait say so again.
  void BeginRound() { barrier_ = false; }

  // What these copies did and did not answer is undone: they are not in sync any more, or have been
  // repaired from a copy that has not done it.
  void OnUndone(CopyMask copies);
  // Of one that waits: a copy that serves may have executed it. Then it must not be sent.
  bool MayHaveBeenExecuted(const Request& request) const;
  // What its client is told then.
  std::string UnknownText(const Request& request) const;

  // What an op of this kind asks of its node: see StateCopy.
  std::string_view WorkOf(const Op& op) const { return jobs_.WorkOf(op); }
  bool IsLarge(const Op& op) const { return jobs_.IsLarge(op); }
  void Trim() { frame_.Trim(); }

 private:
  // It has a script that may change keys which it did not declare, and so must run alone.
  bool MustBeAlone(const Request& request);
  // The keys of what was split, those that it writes before the others; returns how many those are.
  size_t CollectKeys(const CommandRow& row);
  // Of those that were collected.
  size_t DifferentKeys() const;
  void BeginOn(uint32_t copy, Op* write, std::string_view frame);
  void HoldInFront(Op* write, CopyMask executed_by, std::string_view frame);
  void OnTold(const Request& request);
  CopyMask ShareOut(Op* write, uint32_t first, bool by_state, bool known);

  // StateCopy::Host
  bool MayExecute(uint32_t copy) override;
  Op* NewStateOp() override;
  void SendState(uint32_t copy, Op* op, std::string_view frame) override;
  void FailState(uint32_t copy, const std::string& why) override;
  void OnNotExecuted(Op* write, uint32_t copy, std::string_view frame,
                     std::string_view error) override;
  void OnFirstLost(Op* write, uint32_t copy, std::string_view frame, bool sent) override;
  CopyMask OnExecuted(Op* write, uint32_t copy, std::string_view frame, std::string_view told,
                      std::string_view reply, bool known) override;
  uint32_t OnStopped(uint32_t copy, std::string_view frame) override;
  void OnUndone(Op* write, std::string_view frame) override;
  void OnFollowed(Op* write, uint32_t copy, std::string_view frame) override;
  void OnNotFollowed(Op* write, uint32_t copy, std::string_view frame,
                     std::string_view error) override;
  void OnFollowerLost(Op* write, uint32_t copy, std::string_view frame) override;
  void OnExpiryTime(std::string_view key, int64_t unix_ms) override;
  void OnStateUnlocked() override;

  ShardParts* parts_;
  FirstScripts scripts_;
  StateCopy jobs_;
  // A write without keys waits until nothing is under way here, and those that come wait for it.
  bool barrier_ = false;
  FrameKeys frame_{parts_->table};
  std::vector<std::string_view> keys_;  // scratch
  Figure begun_{parts_->figures, "first_writes",
                "Writes that one copy executed before the others got what came of it"};
  Figure again_{parts_->figures, "first_writes_again",
                "Of these, executed again as the copy was lost before it answered"};
  Figure alone_{parts_->figures, "first_writes_alone",
                "Of these, executed while all others waited, as a script may change keys that it "
                "did not declare"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_FIRST_WRITES_H_
