// Clients beyond those that are just asked something: who watches keys, tracks them, waits for them
// or for copies, and what the nodes publish.

#ifndef GEMEL_BACKEND_SHARD_AUDIENCE_H_
#define GEMEL_BACKEND_SHARD_AUDIENCE_H_

#include <cstdint>

#include "backend/shard/blocked_clients.h"
#include "backend/shard/channels.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/sync_waits.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/watches.h"

namespace gemel {

// Logic only, the shard's thread.
class Audience {
 public:
  // Makes itself, and who of it is asked at each write, known in `parts`, which outlives it.
  explicit Audience(ShardParts* parts);
  Audience(const Audience&) = delete;
  Audience& operator=(const Audience&) = delete;

  Watches& watches() { return watches_; }
  TrackedKeys& tracked() { return tracked_; }
  BlockedClients& blocked() { return blocked_; }
  SyncWaits& syncs() { return syncs_; }
  Channels& channels() { return channels_; }

  void Tick(uint64_t now_ms, uint32_t random);
  // Of who waits for so long and no longer.
  void TickBlocked(uint64_t now_ms);
  void Stop();
  // Nobody waits.
  bool NoneWaits() const { return blocked_.idle() && syncs_.idle(); }

 private:
  Watches watches_;
  TrackedKeys tracked_;
  BlockedClients blocked_;
  SyncWaits syncs_;
  Channels channels_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_AUDIENCE_H_
