// The rings that a pool had, and what they say of the keys that a shard's nodes may hold: which of
// them are not its own, and which are its own again but may be older than what another shard held
// meanwhile.
//
// No ring is ever forgotten on the way: what matters is not the last change, but whether there was
// a time since which the shard may hold a key and in which the key was not its own.

#ifndef GEMEL_BACKEND_RING_RING_HISTORY_H_
#define GEMEL_BACKEND_RING_RING_HISTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/ring/ring.h"
#include "backend/ring/ring_spec.h"

namespace gemel {

// Immutable once made; any thread may look things up.
class RingHistory {
 public:
  // At least one ring, oldest first, ids ascending (Topology::rings). Takes a fraction of a second
  // for a million points, and some 20 bytes a point: not to be made on a thread that serves
  // clients. Rings that `earlier` has, too, are shared with it.
  explicit RingHistory(const std::vector<RingSpec>& rings, const RingHistory* earlier = nullptr);

  size_t size() const { return rings_.size(); }
  uint64_t last_id() const { return rings_.back().spec.id; }

 private:
  friend class ShardRings;
  struct Made {
    explicit Made(const RingSpec& spec);
    Ring ring;
    std::unordered_map<std::string, uint32_t> shards;  // name to index
  };
  // From one ring to the next: by index in the one who lost a part of the circle, and by index in
  // the other who gained one.
  struct Moves {
    Moves(const RingSpec& from, const Made& from_made, const RingSpec& to, const Made& to_made);
    std::vector<bool> lost;
    std::vector<bool> gained;
  };
  struct Era {
    RingSpec spec;
    std::shared_ptr<const Made> made;
    std::shared_ptr<const Moves> moves;  // from the ring before; null for the first
  };
  std::vector<Era> rings_;
};

// From when on it is known what a shard holds of a key: since ring `ring` was in effect, when it
// may have held it or did not.
struct HeldSince {
  uint64_t ring = 0;
  bool held = true;

  // By ShardInfo::swept.
  static HeldSince Sweep(uint64_t swept) { return {swept, swept == 0}; }
};

// What the history says of one shard, whose name need not be in any ring. Cheap to make, and to be
// used by one thread; lookups allocate nothing and cost about one hash a ring.
class ShardRings {
 public:
  ShardRings(std::shared_ptr<const RingHistory> history, std::string_view shard);

  const RingHistory& history() const { return *history_; }

  // The last ring gives the key to the shard.
  bool Owned(std::string_view key) const;

  struct Standing {
    bool owned = false;
    // What the shard holds may be from before a time in which the key was not its own. Of a key
    // that is not owned: so it was when it was owned last, which matters to requests that were
    // routed by an earlier ring and come late.
    bool suspect = false;
  };
  Standing Of(std::string_view key, HeldSince since) const;

  // Whether the shard may hold keys that are not its own, or are suspect; if not, there is nothing
  // to delete. With one ring: false.
  bool MayHoldForeign(uint64_t swept) const;
  // Whether a key may be suspect.
  bool MayHaveSuspects(HeldSince since) const;

 private:
  static constexpr uint32_t kNone = ~0u;
  // What was before it is not known, so the shard may hold anything from then.
  uint64_t first_id() const { return history_->rings_.front().spec.id; }

  std::shared_ptr<const RingHistory> history_;
  std::vector<uint32_t> index_;  // of the shard in each ring
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RING_RING_HISTORY_H_
