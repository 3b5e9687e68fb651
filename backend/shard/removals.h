// Keys that a copy removed by itself, because they expired or its memory was full: gone on one copy
// is gone on every copy, at one place in the shard's order.
//
// The copies' feeds tell what is gone (backend/removals). On the other copies such a key is
// deleted, behind all that was sent. But what was written since the node removed it, and before
// that was heard, may have made the key anew there, while the others added to the old one. Which
// writes these may be is recorded, and then the key is *in doubt*: its requests wait, and it is
// made equal by state, from the primary. So are the keys to which that may have spread (RENAME,
// SUNIONSTORE).
//
// The invariant: at each point of the order a key is equal on the copies in sync, or a copy removed
// it and that is on its way to be told, or it is in doubt.
//
// If the source of a key in doubt is lost, the copies that are left have nothing right of it: it is
// deleted. So it is gone, as it was for whoever read it there, and nothing old comes back.

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
  bool IsInDoubt(std::string_view key) const { return doubts_.contains(key); }
  // A repair of whoever's ended: on those copies the key is what it is on the source.
  void OnRepaired(const std::string& key);
  // True: it was one of these, the source is to blame, and it is seen to.
  bool OnNotRepaired(const std::string& key);

  // --- deletions ---
  void OnReply(uint32_t copy, std::string_view reply, std::string_view frame);
  void OnLost(uint32_t copy, std::string_view frame);

  // An edit is in effect.
  void OnRoles();
  // What the node removes is told.
  bool IsFollowed(uint32_t copy) const { return feeds_[copy]->following(); }
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
    CopyMask line = 0;  // copies whose line has not come to the mark
    CopyMask feed = 0;  // whose feed has not answered
    std::vector<uint64_t> marks;
  };

  // RemovalFeed::Host
  void OnRemoved(uint32_t copy, std::string_view key) override;
  void OnRemovedEnd(uint32_t copy) override;
  void OnPong(uint32_t copy) override;
  void OnFollowing(uint32_t copy, bool missed) override;
  void OnFeedEnd(uint32_t copy) override;

  bool IsLocked(std::string_view key) const;
  void Doubt(std::string_view key);
  void Resolve();
  // False: no further repair can begin now.
  bool ResolveOne(const std::string& key, uint32_t source, bool* done);
  void Flush();
  void Delete(CopyMask copies, const std::vector<std::string_view>& keys);
  void DeleteEverywhere(const std::string& key);
  void Miss(CopyMask copies, std::string_view key);
  void StepBarrier();
  void StartFeed(uint32_t copy, uint64_t now_ms);
  void Audit(const std::string& why);

  ShardParts* parts_;
  std::vector<std::unique_ptr<RemovalFeed>> feeds_;  // by copy
  CopyMask following_ = 0;
  RecentWrites recent_;
  Barrier barrier_;
  uint64_t heard_ms_ = 0;  // when something was removed last
  // Told since the last Flush, and on which copies it is gone.
  KeyMap<CopyMask> gone_;
  // In doubt, and the copy that has it right; those that are being repaired.
  KeyMap<uint32_t> doubts_;
  KeyMap<uint32_t> repairing_;
  bool resolving_ = false;
  // What went while writes were paused: for a copy that comes in sync meanwhile.
  std::vector<std::pair<uint32_t, std::string>> while_paused_;
  CopyMask was_in_sync_ = 0;
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
