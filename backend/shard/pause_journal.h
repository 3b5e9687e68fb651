// What changes on the copies in sync while the shard's writes are paused, so that one is handed
// over to (backend/resync): keys that a copy removes by itself, that are deleted for it, or that
// are made equal. The copy that comes in sync at the end of the pause was not among those to which
// that was sent, and may have left the primary's stream before: these keys are in doubt then.

#ifndef GEMEL_BACKEND_SHARD_PAUSE_JOURNAL_H_
#define GEMEL_BACKEND_SHARD_PAUSE_JOURNAL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/copy_mask.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread. All but OnEntered is a no-op unless writes are paused.
class PauseJournal {
 public:
  explicit PauseJournal(ShardParts* parts) : parts_(parts) {}

  // The copy has removed the key by itself.
  void OnRemoved(uint32_t copy, std::string_view key) { Note(copy, key); }
  // The copies in sync have it equal now, or are told to delete it.
  void OnMadeEqual(std::string_view key) { Note(kAll, key); }
  // The copy has removed keys, and nobody was told which.
  void OnMissed(uint32_t copy);
  // An edit is in effect: these copies came in sync, those were so before.
  void OnEntered(CopyMask entered, CopyMask before);
  // To be called now and then.
  void Tick();

 private:
  static constexpr uint32_t kAll = ~uint32_t{0};
  struct Change {
    uint32_t copy = kAll;
    std::string key;
  };

  void Note(uint32_t copy, std::string_view key);

  ShardParts* parts_;
  std::vector<Change> changes_;
  CopyMask missed_ = 0;
  bool too_many_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_PAUSE_JOURNAL_H_
