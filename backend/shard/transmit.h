// A request's frame on its way to one link or several.

#ifndef GEMEL_BACKEND_SHARD_TRANSMIT_H_
#define GEMEL_BACKEND_SHARD_TRANSMIT_H_

#include "backend/shard/copies.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Above this a frame is shared by the links instead of copied to each.
inline constexpr size_t kShareFrom = ChunkPool::kStandard;

// The same for a frame of at least kShareFrom bytes; takes the memory that the request owns.
void TransmitShared(const ShardParts& parts, LinkItem* item, Request* request, CopyMask to);

// Puts `item` into the line of each of these copies, with the request's frame.
inline void Transmit(const ShardParts& parts, LinkItem* item, Request* request, CopyMask to) {
  if (request->frame.size() >= kShareFrom) [[unlikely]] {
    TransmitShared(parts, item, request, to);
    return;
  }
  ForEachCopy(to, [&](uint32_t copy) { parts.copies->link(copy).Send(item, request->frame); });
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_TRANSMIT_H_
