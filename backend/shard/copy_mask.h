// Sets of copies.

#ifndef GEMEL_BACKEND_SHARD_COPY_MASK_H_
#define GEMEL_BACKEND_SHARD_COPY_MASK_H_

#include <cstdint>

namespace gemel {

// A set of a shard's copies, one bit each.
using CopyMask = uint32_t;
constexpr uint32_t kMaxCopies = 16;  // the config allows as many
constexpr CopyMask Bit(uint32_t copy) { return CopyMask{1} << copy; }

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_COPY_MASK_H_
