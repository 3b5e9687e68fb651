// What each copy may have wrong: the keys of the writes that it missed, or that this is not known.
// Journals live in memory: after a restart of the proxy nothing is known.

#ifndef GEMEL_BACKEND_SHARD_JOURNALS_H_
#define GEMEL_BACKEND_SHARD_JOURNALS_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/shard/copies.h"
#include "backend/shard/dirty_keys.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class Journals {
 public:
  explicit Journals(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy);
  // From now on it is recorded what the copy misses, if its process can be known again.
  void Need(uint32_t copy);
  // The same with limits of its own, whatever it had before: for a copy key by key.
  void Begin(uint32_t copy, const std::string& run_id, size_t max_keys, size_t max_bytes);
  // It is not known any more what the copy has right.
  void Forget(uint32_t copy);
  // Copies in sync that are in no doubt any more have nothing to repair.
  void ForgetSettled();

  // The keys of a write that did not come to the same everywhere. Also for copies in sync: it is
  // not known yet who of them will be the truth.
  // `database`: what the frame is about.
  void RecordKeys(CopyMask copies, std::string_view frame, uint8_t database);
  // The same of a write that may have changed any key.
  void RecordAllKeys(CopyMask copies);
  // A write that is about to be sent to the targets, while others have journals.
  void RecordWrite(const Request& request);
  void Add(uint32_t copy, std::string_view key) {
    if (journals_[copy].keys != nullptr) journals_[copy].keys->Add(key);
  }
  // The copy may have the key wrong: as Add, and beyond the bounds all is forgotten.
  void Miss(uint32_t copy, std::string_view key);
  // The key is equal again.
  void Clean(uint32_t copy, std::string_view key) {
    if (journals_[copy].keys != nullptr) journals_[copy].keys->Remove(key);
  }

  bool Has(uint32_t copy, std::string_view key) const {
    return journals_[copy].keys != nullptr && journals_[copy].keys->Contains(key);
  }
  // Null: nothing is recorded of it.
  const DirtyKeys* of(uint32_t copy) const { return journals_[copy].keys.get(); }
  bool empty(uint32_t copy) const {
    return journals_[copy].keys != nullptr && journals_[copy].keys->empty();
  }
  bool forgotten(uint32_t copy) const { return journals_[copy].forgotten; }
  // What it has wrong is known, and is that of the process that answers there now.
  bool Holds(uint32_t copy) const;
  // Copies of which it is known what they miss, should they be stale now.
  CopyMask known() const { return known_; }
  // Stale, and with a journal: every write is recorded for these.
  CopyMask recording() const { return known_ & ~parts_->copies->in_sync(); }
  void Trim() { frame_.Trim(); }

 private:
  struct Journal {
    std::unique_ptr<DirtyKeys> keys;
    bool forgotten = false;
  };
  void RecordFor(uint32_t copy, const Request& request, bool found);
  void Keep(uint32_t copy, std::unique_ptr<DirtyKeys> keys);

  ShardParts* parts_;
  std::vector<Journal> journals_;
  CopyMask known_ = 0;
  FrameKeys frame_{parts_->table};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_JOURNALS_H_
