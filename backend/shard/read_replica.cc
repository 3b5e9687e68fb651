// A replica; while none can be read, the primary.

#include "backend/shard/read_policy.h"

namespace gemel {

const ReadPolicy kReadReplica = {
    ReadFrom::kReplica,
    [](const ReadCandidates& candidates) {
      const CopyMask replicas = candidates.among & ~Bit(candidates.copies->primary());
      return FewestPending(candidates, replicas != 0 ? replicas : candidates.among);
    },
    [](bool is_primary) -> std::string_view {
      return is_primary ? "reads go to a replica, and none is ready" : "reads go to a replica";
    }};

}  // namespace gemel
