// Whichever copy has the fewest requests pending.

#include "backend/shard/read_policy.h"

namespace gemel {

const ReadPolicy kReadBalanced = {
    ReadFrom::kBalanced,
    [](const ReadCandidates& candidates) { return FewestPending(candidates, candidates.among); },
    [](bool) -> std::string_view {
      return "reads go to the copy with the fewest requests pending";
    }};

}  // namespace gemel
