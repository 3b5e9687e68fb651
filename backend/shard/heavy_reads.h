// Remembers which replies were large, and which commands ended the connection that they were asked
// on, so that the next time they are asked for where they are in nobody's way.
//
// A pure table with a bound: what was not seen for a while, or does not fit, is forgotten, and then
// costs what it cost the first time.

#ifndef GEMEL_BACKEND_SHARD_HEAVY_READS_H_
#define GEMEL_BACKEND_SHARD_HEAVY_READS_H_

#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace gemel {

class HeavyReads {
 public:
  // Replies (and values written) from this size on are large.
  static constexpr uint64_t kLarge = uint64_t{1} << 20;
  // Forgotten so long after it was last seen, in milliseconds.
  static constexpr uint64_t kKeepMs = 60 * 1000;
  static constexpr size_t kMost = 16384;

  bool empty() const { return seen_.empty(); }

  // `what` is asked for by its key, or as a whole command where it has none of its own.
  void NoteSize(std::string_view what, uint64_t bytes, uint64_t now_ms);
  // The connection ended because of it, as far as can be told.
  void NoteEnd(std::string_view what, uint64_t now_ms);

  struct Known {
    uint64_t bytes = 0;  // of its largest reply; 0: nothing is known
    bool ends = false;   // connections
  };
  Known Find(std::string_view what, uint64_t now_ms) const;

  // Forgets what is old. To be called now and then.
  void Forget(uint64_t now_ms);

 private:
  struct Entry {
    Known known;
    uint64_t seen_ms = 0;
  };
  Entry* At(std::string_view what, uint64_t now_ms);
  std::unordered_map<uint64_t, Entry> seen_;  // by hash
  uint64_t forgot_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HEAVY_READS_H_
