// Whether a node answers nobody just now, as its main link shows: then the silence of a further
// connection to it says nothing of that connection.

#ifndef GEMEL_BACKEND_SHARD_SILENT_MAIN_H_
#define GEMEL_BACKEND_SHARD_SILENT_MAIN_H_

#include <cstdint>

#include "backend/shard/copies.h"

namespace gemel {

// The link has waited for it for a second.
inline bool IsMainSilent(const Copies& copies, uint32_t copy, uint64_t now_ms) {
  constexpr uint64_t kSilentMs = 1000;
  const Link& link = copies.link(copy);
  return link.up() && !link.line().empty() && now_ms >= link.times().waiting_since_ms() + kSilentMs;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SILENT_MAIN_H_
