// Clients that wait until so many copies have what they wrote (WAIT). What they wrote has been
// answered, and so is on all copies in sync, or on its way there (ack other than "all"): a copy
// that has failed to apply it is in sync no more. So the number is known once the writes have ended
// that were in flight, and grows as copies come back.

#ifndef GEMEL_BACKEND_SHARD_SYNC_WAITS_H_
#define GEMEL_BACKEND_SHARD_SYNC_WAITS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Between a session that waits and the owners of its shards.
struct SyncTicket {
  std::atomic<bool> ended = false;  // it is to be answered soon, with what is known
  bool with_error = false;          // the session's own: with an error instead
};

// Of a request of kind kSync: answered with the number of copies beside the primary that have all
// that was sent before, as an integer.
struct SyncCargo : RequestCargo {
  int64_t wanted = 0;       // answered at once when there are so many,
  uint64_t timeout_ms = 0;  // and after that time in any case (0: never)
  std::shared_ptr<const SyncTicket> ticket;
};

// Logic only, the shard's thread.
class SyncWaits {
 public:
  explicit SyncWaits(ShardParts* parts) : parts_(parts) {}

  bool idle() const { return waits_.empty(); }
  void Submit(Request* request);
  void Tick(uint64_t now_ms);
  // All, unanswered, with the time that each has left.
  std::vector<Request*> TakeAll();
  // Answers all, with what is known.
  void Stop();

 private:
  struct Wait {
    Request* request;
    uint64_t generation;  // of the last of the writes that it asks about
    uint64_t end_ms;      // 0: none
  };

  // How many have it all; -1: not known yet.
  int64_t Known(const Wait& wait) const;
  // False: it goes on waiting.
  bool AnswerIfDue(const Wait& wait, uint64_t now_ms);
  void Answer(const Wait& wait);
  void WantTick(const Wait& wait, uint64_t now_ms);

  ShardParts* parts_;
  std::vector<Wait> waits_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SYNC_WAITS_H_
