// Keys in doubt (removals.h): what the copies have of them may differ, so that their requests wait
// until they are made equal by state, from the copy that has them right.

#ifndef GEMEL_BACKEND_SHARD_KEY_DOUBTS_H_
#define GEMEL_BACKEND_SHARD_KEY_DOUBTS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend/figures/figures.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class KeyDoubts {
 public:
  // repair_step of an op of kind kRemoval that asks how long a key lives.
  static constexpr uint8_t kJudge = 1;
  // The clocks of the nodes and of this process are apart by less, all in all.
  static constexpr int64_t kClocksMs = 3000;

  explicit KeyDoubts(ShardParts* parts) : parts_(parts) {}

  bool empty() const { return doubts_.empty(); }
  // Nor is one being repaired.
  bool settled() const { return doubts_.empty() && repairing_.empty(); }
  bool Has(std::string_view key) const { return doubts_.contains(key); }

  // `source` has it right. `evicted`: it was removed to make room, or else it expired. No-op if it
  // is in doubt already.
  void Add(std::string key, uint32_t source, bool evicted);
  // A copy tells that it has removed the key. False: it is not in doubt.
  bool OnTold(std::string_view key, uint32_t copy, bool evicted);
  // Begins what can begin.
  void Resolve();
  // What a node refused is tried again, after a moment.
  void Wait();

  // A repair of whoever's ended: on those copies the key is what it is on the source.
  void OnRepaired(const std::string& key);
  // The key is being repaired for this: behind that it is made equal from `source`. False: it is
  // not.
  bool RepairLater(std::string_view key, uint32_t source);
  // True: it was one of these, and is tried again, from the primary if need be. `why`: what the
  // node said.
  bool OnNotRepaired(const std::string& key, std::string_view why);
  // The answer to a question of kind kJudge; or it was lost.
  void OnJudged(std::string_view reply, std::string_view frame);
  void OnJudgeLost(std::string_view frame);
  // An edit is in effect.
  void OnRoles();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  struct Doubt {
    uint32_t source = 0;    // has it right
    bool evicted = false;   // or it expired
    bool judged = false;    // the primary has been asked how long it lives
    uint64_t until_ms = 0;  // so long a copy may refuse it; 0: none has
  };
  using Doubts = std::unordered_map<std::string, Doubt, Hash, std::equal_to<>>;

  // *done: it is in doubt no more, or its repair has begun. False: no further one can begin now.
  bool ResolveOne(const std::string& key, Doubt* doubt, bool* done);
  void OnSourceLost(const std::string& key, Doubt* doubt, bool* done);
  void OnLessInDoubt();

  ShardParts* parts_;
  Doubts doubts_;
  Doubts repairing_;
  bool resolving_ = false;
  uint64_t retry_ms_ = 0;  // nothing is resolved before
  uint32_t was_primary_ = 0;
  uint32_t lost_primary_ = ~0u;  // whose place another took last
  FrameKeys frame_;
  Figure doubted_{parts_->figures, "removals_in_doubt",
                  "Keys made equal by state since they were written while one copy removed them"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KEY_DOUBTS_H_
