// The feeds of a shard's copies (backend/removals), and the barriers behind which nothing is
// unheard: see removals.h, to which it tells what it hears.

#ifndef GEMEL_BACKEND_SHARD_REMOVAL_FEEDS_H_
#define GEMEL_BACKEND_SHARD_REMOVAL_FEEDS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/removals/removal_feed.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class RemovalFeeds : private RemovalFeed::Host {
 public:
  explicit RemovalFeeds(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy, const LinkOptions& node);
  void RemoveCopy(uint32_t copy) {
    feeds_[copy]->Stop();
    asked_ &= ~Bit(copy);
  }
  void SetOptions(uint32_t copy, const LinkOptions& node) { feeds_[copy]->SetOptions(node); }
  // The link of the copy's feed; without a transport it is never used.
  Link& link(uint32_t copy) { return feeds_[copy]->link(); }
  void Tick(uint64_t now_ms, uint32_t random);
  void Stop();

  // --- the links that carry the requests ---
  void OnMainUp(uint32_t copy);
  void OnMainDown(uint32_t copy);
  // One that was asked to tell so has been read.
  void OnMainHeard();
  // The primary is away, and what it told before is still to be read: nobody takes its place yet.
  bool AwaitsRest() const;

  // Since when the node is known to tell of what it removes, as a number that is another one after
  // any time in which it may not have; 0: it is not known to.
  void SetNotifying(uint32_t copy, uint64_t since);
  // What the node removes is told.
  bool IsFollowed(uint32_t copy) const { return feeds_[copy]->following(); }
  // What the node removes is told, all of it. (Where there is no transport nobody asks.)
  bool Hears(uint32_t copy);
  // No node is asked to tell, for the sake of the others. Else what copies remove counts, also
  // while no feed happens to be up.
  bool none() const { return asked_ == 0; }
  // Why what the node removes is not heard of; empty: it is, or there is no other copy.
  std::string Note(uint32_t copy) const;

  // --- barriers: Removals::OnBarrier, OnBarrierEnd ---
  // One goes on, or begins if there is reason to.
  void StepBarrier();
  // What waits for a barrier may go on once that is over.
  void GoOn();
  // The number of one that begins from now on; whether that one has ended, or a later one if it was
  // given up; and whether it is over, also if it was.
  uint64_t AskBarrier();
  bool HasEnded(uint64_t barrier) const { return ended_ >= barrier; }
  bool IsOver(uint64_t barrier) const {
    return begun_ > barrier || (begun_ == barrier && !barrier_.under_way);
  }

 private:
  // What was sent before it began is heard of once the marks are passed and the feeds have
  // answered.
  struct Barrier {
    bool under_way = false;
    bool given_up = false;  // one that counts was out of reach
    uint64_t next_ms = 0;   // the next one begins
    CopyMask line = 0;      // copies whose line has not come to the mark
    CopyMask feed = 0;      // whose feed has not answered
    std::vector<uint64_t> marks;
  };

  // RemovalFeed::Host
  void OnRemoved(uint32_t copy, std::string_view key, bool evicted) override;
  void OnRemovedEnd(uint32_t copy) override;
  void OnPong(uint32_t copy) override;
  void OnFollowing(uint32_t copy, bool missed) override;
  void OnFeedEnd(uint32_t copy) override;
  bool IsSilent(uint32_t copy) override;

  void StartFeed(uint32_t copy, uint64_t now_ms);

  ShardParts* parts_;
  std::vector<std::unique_ptr<RemovalFeed>> feeds_;  // by copy
  std::vector<uint64_t> notifying_;                  // by copy: see SetNotifying
  CopyMask asked_ = 0;
  Barrier barrier_;
  // Numbers of barriers, from 1.
  uint64_t begun_ = 0;   // the last one
  uint64_t ended_ = 0;   // the last one that was not given up
  uint64_t wanted_ = 0;  // that has to end, though nothing is to be forgotten
  uint64_t rest_until_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REMOVAL_FEEDS_H_
