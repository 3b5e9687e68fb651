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
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/removals/recent_writes.h"
#include "backend/removals/removal_feed.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class Removals : private RemovalFeed::Host {
 public:
  explicit Removals(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy, const LinkOptions& node);
  void RemoveCopy(uint32_t copy) { feeds_[copy]->Stop(); }
  void SetOptions(uint32_t copy, const LinkOptions& node) { feeds_[copy]->SetOptions(node); }
  // The link of the copy's feed; without a transport it is never used.
  Link& link(uint32_t copy) { return feeds_[copy]->link(); }
  void Tick(uint64_t now_ms, uint32_t random);
  void Stop();
  // Runs when it cannot be known which keys are wrong: all are to be compared.
  void set_audit(std::function<void(const std::string& why)> audit) { audit_ = std::move(audit); }

  // --- the links that carry the requests ---
  void OnMainUp(uint32_t copy);
  void OnMainDown(uint32_t copy);
  // The primary is away, and what it told before is still to be read: nobody takes its place yet.
  bool AwaitsRest() const;

  // --- what is written ---
  // The write is to be told to OnWrite.
  bool Watches(const Request& request) const {
    const CommandRow* row = request.row;
    return recent_.recording() || (following_ != 0 && (row == nullptr || !row->HasOneKey() ||
                                                       row->expiry != ExpiryRule::kNone));
  }
  // It is being sent; or, of one that a copy executes first, its outcome to the others.
  void OnWrite(const Request& request);

  // A write sets that time, of each node's own clock, for the key to expire; see OnWrite.
  void OnExpiryTime(std::string_view key, int64_t unix_ms);

  // --- keys in doubt ---
  bool idle() const { return doubts_.empty(); }
  // Its requests wait.
  bool IsInDoubt(std::string_view key) const { return doubts_.contains(key); }
  // A repair of the key ended on these copies: on which of them, that are not in sync, it was
  // removed meanwhile.
  CopyMask TakeGoneAgain(const std::string& key, CopyMask copies);
  // A repair of whoever's ended: on those copies the key is what it is on the source.
  void OnRepaired(const std::string& key);
  // The copies answered a write of that key differently: mostly one has removed it, and that is on
  // its way to be told. Once all has been heard it is made equal from that copy, else from the
  // primary. False: nobody would tell.
  bool AskWhoRemoved(std::string_view key);
  // The key is being repaired for this: behind that it is made equal from `source`. False: it is
  // not.
  bool RepairLater(std::string_view key, uint32_t source);
  // True: it was one of these, and is tried again, from the primary if need be.
  // `why`: what the node said.
  bool OnNotRepaired(const std::string& key, std::string_view why);

  // --- what was sent for this, of kind kRemoval ---
  void OnReply(uint32_t copy, const Op& op, std::string_view reply, std::string_view frame);
  void OnLost(uint32_t copy, const Op& op, std::string_view frame);

  // An edit is in effect.
  void OnRoles();
  // Since when the node is known to tell of what it removes, as a number that is another one after
  // any time in which it may not have; 0: it is not known to.
  void SetNotifying(uint32_t copy, uint64_t since);
  // What the node removes is told.
  bool IsFollowed(uint32_t copy) const { return feeds_[copy]->following(); }
  // To be asked until it is true, with the same *ticket, which is 0 at first: what the nodes had
  // removed by then is heard of, and what follows from that was sent, and no key is in doubt.
  bool AllHeard(uint64_t* ticket);
  // Why what the node removes is not heard of; empty: it is, or there is no other copy.
  std::string Note(uint32_t copy) const;
  void Trim() { frame_.Trim(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  template <typename Value>
  using KeyMap = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
  // What was sent before it began is heard of once the marks are passed and the feeds have
  // answered.
  struct Barrier {
    bool under_way = false;
    uint64_t next_ms = 0;  // the next one begins
    CopyMask line = 0;     // copies whose line has not come to the mark
    CopyMask feed = 0;     // whose feed has not answered
    std::vector<uint64_t> marks;
  };

  // RemovalFeed::Host
  void OnRemoved(uint32_t copy, std::string_view key, bool evicted) override;
  void OnRemovedEnd(uint32_t copy) override;
  void OnPong(uint32_t copy) override;
  void OnFollowing(uint32_t copy, bool missed) override;
  void OnFeedEnd(uint32_t copy) override;

  bool IsSilent(uint32_t copy) override;

  // The clocks of the nodes and of this process are apart by less, all in all.
  static constexpr int64_t kClocksMs = 3000;
  // What a node that takes no writes refused is tried again so often.
  static constexpr uint64_t kRetryMs = 20;
  // repair_step of an op that asks how long a key lives; of one that deletes keys it is 0.
  static constexpr uint8_t kJudge = 1;

  // A key in doubt.
  struct DoubtfulKey {
    uint32_t source = 0;    // has it right
    bool evicted = false;   // or it expired
    bool judged = false;    // the primary has been asked how long it lives
    uint64_t until_ms = 0;  // so long a copy may refuse it; 0: none has
    uint64_t barrier = 0;   // that must end before it is clear who is the source; 0: it is
    bool told = true;       // the source removed it
  };

  bool IsLocked(std::string_view key) const;
  void Doubt(std::string_view key, uint32_t source, bool evicted);
  void Resolve();
  // *done: it is in doubt no more, or its repair has begun. False: no further one can begin now.
  bool ResolveOne(const std::string& key, DoubtfulKey* doubt, bool* done);
  void OnSourceLost(const std::string& key, DoubtfulKey* doubt, bool* done);
  void OnJudged(std::string_view reply, std::string_view frame);
  void OnLessInDoubt();
  void DoubtAll(uint32_t copy, std::string_view frame);
  void Flush();
  void Delete(CopyMask copies, const std::vector<std::string_view>& keys);
  void DeleteEverywhere(const std::string& key);
  void Miss(CopyMask copies, std::string_view key);
  void StepBarrier();
  void StartFeed(uint32_t copy, uint64_t now_ms);
  void Audit(const std::string& why);

  ShardParts* parts_;
  std::vector<std::unique_ptr<RemovalFeed>> feeds_;  // by copy
  std::vector<uint64_t> notifying_;                  // by copy: see SetNotifying
  CopyMask following_ = 0;
  RecentWrites recent_;
  Barrier barrier_;
  uint64_t heard_ms_ = 0;  // when something was removed last
  // Told since the last Flush, and on which copies it is gone.
  KeyMap<CopyMask> gone_;
  KeyMap<DoubtfulKey> doubts_;
  KeyMap<DoubtfulKey> repairing_;
  KeyMap<CopyMask> gone_again_;  // see TakeGoneAgain
  bool resolving_ = false;
  uint64_t retry_ms_ = 0;         // no doubt is resolved before
  uint64_t barriers_ = 0;         // that have ended
  uint64_t wanted_barriers_ = 0;  // that have to, though nothing is to be forgotten
  // What went while writes were paused: for a copy that comes in sync meanwhile.
  std::vector<std::pair<uint32_t, std::string>> while_paused_;
  CopyMask was_in_sync_ = 0;
  uint32_t was_primary_ = 0;
  uint32_t lost_primary_ = ~0u;  // whose place another took last
  uint64_t rest_until_ms_ = 0;
  std::function<void(const std::string&)> audit_;
  FrameKeys frame_;
  std::vector<std::string_view> keys_;  // scratch
  Figure removed_{parts_->figures,
                  "removed_by_nodes",
                  "Keys that a copy removed by itself (expired, evicted), as it told",
                  {"stats", "removed_by_nodes"}};
  Figure followed_{parts_->figures, "removals_followed",
                   "Keys deleted on other copies since they were gone on one"};
  Figure doubted_{parts_->figures, "removals_in_doubt",
                  "Keys made equal by state since they were written while one copy removed them"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REMOVALS_H_
