// Writes to which the copies' replies differed, until their keys are equal: what the copies
// answered, and whose answer is the client's. That is the primary's, unless a key is made equal
// from another copy, because that one had removed it before the write and the primary had not.

#ifndef GEMEL_BACKEND_SHARD_DIFFERING_WRITES_H_
#define GEMEL_BACKEND_SHARD_DIFFERING_WRITES_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/copy_mask.h"
#include "backend/shard/op.h"

namespace gemel {

// Logic only, the shard's thread.
class DifferingWrites {
 public:
  bool empty() const { return writes_.empty(); }
  // Those copies' reply to it, which is not the one that the op keeps.
  void Keep(const Op* op, CopyMask copies, std::string_view reply);
  // That key of it is made equal; the client's answer waits for it.
  void Await(Op* op, std::string_view key);
  // The key is made equal from that copy: what it answered is what the op keeps from now on. (Of a
  // write of several keys the first word of another copy than the primary counts: the keys that are
  // made equal from the primary were mostly equal before.)
  void OnSource(std::string_view key, uint32_t copy);
  // Every copy has the key as its source has it: should it be made equal once more, for what a copy
  // had removed of it before, that one's answer counts no more.
  void OnEqual(std::string_view key);
  // The key is equal. Calls settled(op) for each write that waits for no other.
  template <typename Settled>
  void OnSettled(std::string_view key, Settled settled) {
    for (Write& write : writes_) {
      if (std::erase_if(write.keys, [key](const Key& one) { return one.name == key; }) > 0 &&
          write.keys.empty()) {
        settled(write.op);
      }
    }
  }
  // Some key of it is not equal yet.
  bool Waits(const Op* op) const;
  // What is to be said of one that begins; empty: nothing, for something was said a moment ago, and
  // where keys expire there may be many a second.
  std::string NoteOf(const std::string& command, size_t keys, uint64_t now_ms);
  // It is over.
  void Forget(const Op* op) {
    if (!writes_.empty()) [[unlikely]]
      Erase(op);
  }

 private:
  struct Other {
    CopyMask copies = 0;
    std::string reply;
  };
  struct Key {
    std::string name;
    bool decided = false;  // who has it right
  };
  struct Write {
    const Op* of = nullptr;
    Op* op = nullptr;  // once it waits
    std::vector<Other> others;
    std::vector<Key> keys;  // that it waits for
  };

  Write* Find(const Op* op);
  void Erase(const Op* op);

  std::vector<Write> writes_;
  uint64_t next_note_ms_ = 0;
  uint64_t unnoted_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_DIFFERING_WRITES_H_
