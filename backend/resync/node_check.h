// What stands in the way of a node's being made equal, seen before that is needed: rights that
// gemel's user lacks there, commands that are renamed, and versions that cannot read each other.
// Said in the log, PROXY EVENTS and PROXY SHARDS once the node is connected to.
//
// Logic only, on the shard's thread.

#ifndef GEMEL_BACKEND_RESYNC_NODE_CHECK_H_
#define GEMEL_BACKEND_RESYNC_NODE_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/shard/shard_ports.h"

namespace gemel {

class NodeCheck {
 public:
  // All must outlive it.
  NodeCheck(ResyncPort shard, ControlPort* port, ShardEnv* env);

  // Time passes: looks at each node when it was connected to anew, and again while it lacks
  // something.
  void Tick(uint64_t now_ms);
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);
  // What PROXY SHARDS says of what the node lacks, a right or a version; empty for nothing.
  std::string warning(uint32_t copy) const;

 private:
  struct Seen {
    uint64_t connection = 0;  // that was asked
    uint64_t round = 0;       // of questions: answers to an earlier one are not heard
    uint64_t again_ms = 0;
    uint32_t waiting = 0;  // questions not answered yet
    bool unknown = false;  // some were not answered at all
    std::vector<size_t> lacks;
    std::string rights;  // what was said of them last
    std::string version;
  };

  void Ask(uint32_t copy, uint64_t now_ms);
  void OnReply(uint32_t copy, size_t question, const ControlReply& reply);
  std::string RightsText(uint32_t copy) const;
  void CheckVersions();
  std::string VersionText(uint32_t copy) const;
  void Say(uint32_t copy, std::string* said, std::string text, const std::string& good);

  ResyncPort shard_;
  ControlPort* port_;
  ShardEnv* env_;
  Alive alive_;
  uint64_t next_ms_ = 0;
  std::vector<Seen> seen_;  // by copy
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_NODE_CHECK_H_
