// The hand-over: writes are held, the copy reaches what the primary has, leaves it, and is marked
// in sync. Clients wait meanwhile, so everything is asked at once where it can be.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_HANDOVER_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_HANDOVER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "backend/resync/resync_core.h"

namespace gemel {

class ResyncHandover {
 public:
  explicit ResyncHandover(ResyncCore* core) : c_(core) {}

  // An attempt begins.
  void Reset() { short_pauses_ = 0; }
  void Begin();
  // While the shard is paused: gives up what takes too long.
  void Tick(uint64_t now_ms);
  // Since when it is.
  uint64_t paused_ms() const { return paused_ms_; }
  // Attempts in a row that ended because it took too long.
  uint32_t failed_pauses() const { return failed_pauses_; }

 private:
  void OnDrained();
  void OnPrimaryAtRest(const std::string& info);
  void PollHandOver();
  void OnHandOverPolled(const ReplicationInfo& copy);
  void LeaveMaster();
  void OnLeft(const std::string& info);
  void OnEdited(bool ok);
  uint64_t PauseBound() const;
  void EndLongPause(uint64_t now_ms);

  ResyncCore* c_;
  uint64_t paused_ms_ = 0;
  uint32_t short_pauses_ = 0;  // given up in this attempt
  uint32_t failed_pauses_ = 0;
  std::string replid_;  // of the primary, and how far it was, when writes were drained
  int64_t target_ = -1;
  std::optional<ReplicationInfo> ahead_;  // what the copy said before the primary did
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_HANDOVER_H_
