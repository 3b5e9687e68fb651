// Why a replica is stale that was in sync when the proxy was killed.

#ifndef GEMEL_BACKEND_TOPOLOGY_NOT_CLEAN_H_
#define GEMEL_BACKEND_TOPOLOGY_NOT_CLEAN_H_

#include <string_view>

namespace gemel {

// Given by this start: until the shard has sent a write, the copy is as good as the primary, for
// all that was acknowledged is on both.
inline constexpr std::string_view kNotClean = "the proxy did not stop in order";
// Given by an earlier one: it may have missed writes since.
inline constexpr std::string_view kNotCleanBefore =
    "the proxy did not stop in order, and it was not made equal since";

}  // namespace gemel

#endif  // GEMEL_BACKEND_TOPOLOGY_NOT_CLEAN_H_
