// Keys in doubt (removals.h): what the copies have of them may differ, so that their requests wait
// until they are made equal by state, from the copy that has them right.
//
// Which that is, is known behind a barrier of the feeds: all that was sent before the key was in
// doubt is executed by then, and what the copies removed until then is told. What they remove later
// nobody can have seen, since nobody reads the key.
//   No copy told:   the caller's word, mostly the primary.
//   One did:        that one. It has what was written since, and nothing of before.
//   The copies' replies to a write of it differed, and clients have been answered by the primary
//                   alone: the primary, whoever else told. They may have read behind that write
//                   what it had done there.
//   Several did:    the one that did so last has the least: where one has nothing, it is deleted
//                   on all; else that of the shortest DUMP counts.
//   One did whose state another's has replaced since, or is not to be had:
//                   what was gone may be in both. An evicted key is deleted on all. Of one that
//                   expired the primary's state counts if the primary removed it, too: it has what
//                   was written since. Else it is judged by how long it lives there.

#ifndef GEMEL_BACKEND_SHARD_KEY_DOUBTS_H_
#define GEMEL_BACKEND_SHARD_KEY_DOUBTS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class KeyDoubts {
 public:
  // repair_step of an op of kind kRemoval that asks how long a key lives, or what it is.
  static constexpr uint8_t kJudge = 1;
  static constexpr uint8_t kWeigh = 2;
  // The clocks of the nodes and of this process are apart by less, all in all.
  static constexpr int64_t kClocksMs = 3000;

  explicit KeyDoubts(ShardParts* parts) : parts_(parts) {}

  bool empty() const { return doubts_.empty(); }
  // Nor is one being repaired.
  bool settled() const { return doubts_.empty() && repairing_.empty(); }
  bool Has(std::string_view key) const { return doubts_.contains(key); }

  // Whichever copy is the primary once that is asked.
  static constexpr uint32_t kPrimary = ~uint32_t{0};
  // Why a key is in doubt.
  struct Cause {
    uint32_t source = 0;       // has it right, unless a copy tells that it removed it; or kPrimary
    CopyMask told = 0;         // copies that did, or that have what follows from such a one's
    bool evicted = false;      // it was removed to make room, or else it expired
    bool overwritten = false;  // the state of a copy that told has been replaced since
    bool differed = false;     // replies to a write of it did
  };
  // All of them for one cause. One that is in doubt already stays so for that one, too.
  void Add(std::vector<std::string> keys, const Cause& cause);
  // The copies answered a write of the key differently: mostly one has removed it, and that is on
  // its way to be told. Else the primary has it right.
  void Ask(std::string_view key);
  // Begins what can begin.
  void Resolve();
  // What a node refused is tried again, after a moment.
  void Wait();

  // A repair of whoever's ended: on those copies the key is what it is on the source.
  void OnRepaired(const std::string& key);
  bool IsRepairing(std::string_view key) const { return repairing_.contains(key); }
  // The key is being repaired for this: behind that it is made equal from `source`. False: it is
  // not.
  bool RepairLater(std::string_view key, uint32_t source);
  // True: it was one of these, and is tried again, from the primary if need be. `why`: what the
  // node said.
  bool OnNotRepaired(const std::string& key, std::string_view why);
  // The answer to a question of these kinds (repair_step); or it was lost.
  void OnReply(uint32_t copy, const Op& op, std::string_view reply, std::string_view frame);
  void OnLost(uint32_t copy, const Op& op, std::string_view frame);
  // An edit is in effect.
  void OnRoles();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  struct Doubt {
    Cause cause;
    uint64_t barrier = 0;   // that must end first
    bool judging = false;   // it is being asked how long it lives
    uint64_t until_ms = 0;  // so long a copy may refuse it; 0: none has
    // Of several copies that removed it:
    CopyMask weighing = 0;  // who is asked what it has
    bool unheard = false;   // the answer of one was lost
    uint32_t least_on = 0;
    std::string least;
    bool tie = false;
    bool gone = false;  // on one of them there is nothing
  };
  using Doubts = std::unordered_map<std::string, Doubt, Hash, std::equal_to<>>;

  // What is to be done about one now.
  enum class Verdict : uint8_t {
    kWait,
    kRepair,  // from its source
    kDelete,  // on every copy
    kJudge,   // depends on how long it lives
    kWeigh,   // depends on who has the least
  };
  Verdict Decide(Doubt* doubt) const;
  bool IsThePrimarys(const Cause& cause) const;
  uint32_t SourceOf(const Cause& cause) const;
  bool AllUp(CopyMask copies) const;
  // *done: it is in doubt no more, or its repair has begun. False: no further one can begin now.
  bool ResolveOne(const std::string& key, Doubt* doubt, bool* done);
  bool Repair(const std::string& key, Doubt* doubt, bool* done);
  void Judge(const std::string& key, Doubt* doubt);
  void Weigh(const std::string& key, Doubt* doubt);
  void OnJudged(Doubt* doubt, std::string_view reply);
  void OnWeighed(uint32_t copy, Doubt* doubt, std::string_view reply);
  void Question(uint32_t copy, uint8_t step, std::string_view command, const std::string& key);
  void OnNoneInDoubt();

  ShardParts* parts_;
  Doubts doubts_;
  Doubts repairing_;
  bool resolving_ = false;
  uint64_t retry_ms_ = 0;  // nothing is resolved before
  uint32_t was_primary_ = 0;
  uint32_t lost_primary_ = ~0u;  // whose place another took last
  FrameKeys frame_{parts_->table};
  Figure doubted_{parts_->figures, "removals_in_doubt",
                  "Keys made equal by state since they were written while one copy removed them"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KEY_DOUBTS_H_
