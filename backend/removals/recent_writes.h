// Which keys may have been written since a removal that is heard of only now, and what was told of
// keys that are gone.
//
// What is added belongs to the open part; Close puts that behind a barrier, and once the caller
// knows that whatever the nodes removed before is heard of, Drop forgets it.

#ifndef GEMEL_BACKEND_REMOVALS_RECENT_WRITES_H_
#define GEMEL_BACKEND_REMOVALS_RECENT_WRITES_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gemel {

// Logic only, one thread. Masks of copies are a bit a copy.
class RecentWrites {
 public:
  // From now on single keys are recorded. What was sent before is not known: until it is behind a
  // barrier that ended, every key may have been written.
  void Begin();
  // Single keys are not recorded any more.
  void End();
  bool recording() const { return recording_; }

  // Something that may have changed any key.
  void AddAll() { open_.all |= recording_; }
  // A write of that key, or what makes it equal by state.
  void Add(std::string_view key);
  // A write whose effect on keys [first, last) of these may depend on all of them. Recorded always,
  // and bounded.
  void AddTogether(std::span<const std::string_view> keys, size_t first, size_t last);
  // The key's state was sent from one copy to others. Recorded always, and bounded.
  void AddOverwritten(std::string_view key);
  // True of one of which that is forgotten, too, since there were too many.
  bool IsOverwritten(std::string_view key) const;
  // May be true of a key that was not written, and never false of one that was.
  bool MayHave(std::string_view key) const;
  // What is wrong with one of these keys may have spread by writes of several: adds all that this
  // may concern, each once. False: that is not known, since there were too many such writes.
  bool Spread(std::vector<std::string>* keys) const;

  // The key is gone on those copies, or was deleted there since.
  void NoteGone(std::string_view key, uint32_t copies);
  // Copies of which that is known, unless it was forgotten. Of use only for a key that was not
  // written since.
  uint32_t GoneOn(std::string_view key) const;

  // A copy told that it removed the key, which may have been written since. A barrier does not
  // forget it while the key's state is on its way to others, or was sent since the barrier began.
  void NoteTold(std::string_view key, uint32_t copies);
  // Copies that did, unless it was forgotten.
  uint32_t ToldBy(std::string_view key) const;

  // There is something that a barrier would forget.
  bool empty() const { return open_.empty() && closed_.empty(); }
  // A barrier begins: what is there is older than it. Only one at a time.
  void Close();
  // It ended. `on_its_way`: of that key.
  void Drop(const std::function<bool(std::string_view)>& on_its_way = {});
  // It is given up: what was behind it is not older than the next one.
  void Reopen();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  // A filter of two bits a key.
  static constexpr size_t kBits = size_t{1} << 17;
  static constexpr size_t kMaxTogetherBytes = size_t{4} << 20;
  static constexpr size_t kMaxGone = size_t{1} << 18;
  static constexpr size_t kMaxOverwritten = size_t{1} << 16;

  using CopiesOfKeys = std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>>;
  struct Together {
    std::vector<std::string> keys;
    size_t first = 0;  // those that it writes
    size_t last = 0;
  };
  struct Part {
    bool all = false;   // any key
    bool some = false;  // bits are set
    bool too_many = false;
    std::vector<uint64_t> bits;
    std::vector<Together> together;  // in the order of the writes
    size_t together_bytes = 0;
    CopiesOfKeys gone;
    CopiesOfKeys told;
    std::unordered_set<std::string, Hash, std::equal_to<>> overwritten;

    bool empty() const {
      return !all && !some && !too_many && together.empty() && gone.empty() && told.empty() &&
             overwritten.empty();
    }
    bool Has(size_t hash) const;
    void Set(size_t hash);
    void Clear();
  };
  static void NoteCopies(CopiesOfKeys* keys, std::string_view key, uint32_t copies);
  uint32_t CopiesIn(CopiesOfKeys Part::*keys, std::string_view key) const;
  static size_t HashOf(std::string_view key) { return Hash()(key); }

  bool recording_ = false;
  Part open_;
  Part closed_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_REMOVALS_RECENT_WRITES_H_
