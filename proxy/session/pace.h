// How fast one client may be served beside the others: whether the shard that it last wrote to has
// too much waiting, whether the proxy has made enough for it in this turn, and whether it waits
// for others' large requests.

#ifndef GEMEL_PROXY_SESSION_PACE_H_
#define GEMEL_PROXY_SESSION_PACE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "proxy/dispatch/dispatcher.h"

namespace gemel {

class Pace {
 public:
  // A request went to that shard.
  void Sent(uint32_t shard) {
    last_shard_ = shard;
    NoteAsked(shard);
  }
  // One went to several, this among them: a congested one counts. `pending`: of this client.
  void SentToo(const Dispatcher& dispatcher, uint32_t shard, uint32_t pending) {
    NoteAsked(shard);
    if (last_shard_ == kNoShard || !dispatcher.Congested(last_shard_, pending)) {
      last_shard_ = shard;
    }
  }
  // That shard has so much waiting that its clients are to be read from no further.
  bool Congested(const Dispatcher& dispatcher, uint32_t pending, bool expects_large) const {
    return last_shard_ != kNoShard && (dispatcher.Congested(last_shard_, pending) ||
                                       (expects_large && dispatcher.Crowded(last_shard_)));
  }

  // False: nothing was ever sent there, though something was elsewhere.
  bool MayHaveAsked(uint32_t shard) const {
    return asked_ == 0 || (asked_ >> (shard % kMarks) & 1) != 0;
  }

  // A reply of that size was made here.
  void Made(size_t bytes) {
    made_ = static_cast<uint32_t>(std::min<uint64_t>(made_ + bytes, UINT32_MAX));
  }
  // Others have their turn now.
  bool MadeEnough() const { return made_ > kMadeATurn; }
  void NewTurn() { made_ = 0; }

  // False if it is so already.
  bool SetWaiting(bool waiting) {
    const bool changes = waiting_ != waiting;
    waiting_ = waiting;
    return changes;
  }
  bool waiting() const { return waiting_; }

 private:
  static constexpr uint32_t kNoShard = ~uint32_t{0};
  static constexpr uint32_t kMarks = 64;
  // Bytes of replies that are made here for one client before others have their turn.
  static constexpr uint64_t kMadeATurn = 64 * 1024;

  void NoteAsked(uint32_t shard) { asked_ |= uint64_t{1} << (shard % kMarks); }

  uint64_t asked_ = 0;  // shards, several to a mark
  uint32_t last_shard_ = kNoShard;
  uint32_t made_ = 0;
  bool waiting_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PACE_H_
