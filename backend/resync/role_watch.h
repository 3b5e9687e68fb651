// Asks the copies in sync every second whether they are still masters of their own. Redis closes no
// connection of a server that somebody makes a replica of another: its link would go on reading
// that server's data.

#ifndef GEMEL_BACKEND_RESYNC_ROLE_WATCH_H_
#define GEMEL_BACKEND_RESYNC_ROLE_WATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/shard/shard_ports.h"

namespace gemel {

// Logic only, on the shard's thread.
class RoleWatch {
 public:
  // All must outlive it.
  RoleWatch(ResyncPort shard, ControlPort* port, ShardEnv* env);

  // Time passes. A copy that holds other data loses its link; when that is made anew, the shard
  // sees who it is.
  void Tick(uint64_t now_ms);
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy) { asked_[copy] = false; }

 private:
  void Ask(uint32_t copy);
  void OnReply(uint32_t copy, const std::string& known, const ControlReply& reply);

  ResyncPort shard_;
  ControlPort* port_;
  ShardEnv* env_;
  Alive alive_;
  uint64_t next_ms_ = 0;
  std::vector<bool> asked_;  // by copy: the reply is still to come
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_ROLE_WATCH_H_
