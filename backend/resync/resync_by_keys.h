// A copy that cannot be made by REPLICAOF: the shard copies it key by key. Here that is decided,
// begun and shown.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_BY_KEYS_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_BY_KEYS_H_

#include <cstdint>
#include <string>

#include "backend/resync/resync_core.h"

namespace gemel {

class ResyncByKeys {
 public:
  explicit ResyncByKeys(ResyncCore* core) : c_(core) {}

  // Why REPLICAOF is of no use between these two, as far as is known; empty: it may be.
  std::string Why() const;
  // It is of no use, for this attempt at least.
  void InVainNow(const std::string& why, uint64_t for_ms = 0);
  // REPLICAOF is refused, or what it needs.
  void Go(const std::string& why);
  // It is not refused and comes to nothing: others may copy, and its own turn comes again.
  void GiveUpReplication(const std::string& why);
  void Begin(const std::string& why);
  // While the shard copies.
  void Watch(uint64_t now_ms);

 private:
  void StartScan(const std::string& why);
  void OnScanned();

  ResyncCore* c_;
  uint32_t failed_scans_ = 0;  // in a row
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_BY_KEYS_H_
