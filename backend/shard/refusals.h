// Errors with which a node says that it cannot serve just now.

#ifndef GEMEL_BACKEND_SHARD_REFUSALS_H_
#define GEMEL_BACKEND_SHARD_REFUSALS_H_

#include <string_view>

#include "backend/link/node_identity.h"
#include "backend/shard/copy_mask.h"

namespace gemel {

// A node that applies no such writes just now: it has not applied this one.
inline bool IsUnfitToWrite(std::string_view reply) {
  return reply.starts_with("-READONLY") || reply.starts_with("-MASTERDOWN") ||
         reply.starts_with("-LOADING") || reply.starts_with("-OOM") ||
         reply.starts_with("-MISCONF") || reply.starts_with("-NOREPLICAS") ||
         reply.starts_with("-BUSY ") || IsProtocolError(reply);
}

// A node that cannot serve reads just now; another copy may. Some reads are writes to Redis (SORT,
// GEORADIUS, BITFIELD GET) and are refused like these.
inline bool IsUnfitToRead(std::string_view reply) {
  return IsUnfitToWrite(reply) || reply.starts_with("-NOAUTH") || reply.starts_with("-CLUSTERDOWN");
}

// Copies that refuse writes when their memory is full (noeviction). Of the primary, which is the
// first to by its limit, OOM is the answer, and what others applied is undone there. Another copy
// that is full for a moment, as after a promotion, before the limits follow, gets what it refused
// once it takes it.
class OomAnswers {
 public:
  void Set(CopyMask copies) { copies_ = copies; }
  bool none() const { return copies_ == 0; }
  bool Has(uint32_t copy, std::string_view error) const {
    return (copies_ & Bit(copy)) != 0 && error.starts_with("-OOM");
  }

 private:
  CopyMask copies_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REFUSALS_H_
