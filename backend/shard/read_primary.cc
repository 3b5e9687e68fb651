// The primary; while it cannot be read, any other copy.

#include "backend/shard/read_policy.h"

namespace gemel {

const ReadPolicy kReadPrimary = {
    ReadFrom::kPrimary,
    [](const ReadCandidates& candidates) {
      const uint32_t primary = candidates.copies->primary();
      return (candidates.among & Bit(primary)) != 0 ? primary
                                                    : FewestPending(candidates, candidates.among);
    },
    [](bool is_primary) -> std::string_view {
      return is_primary ? "reads go to the primary" : "reads go to the primary, which is not ready";
    }};

}  // namespace gemel
