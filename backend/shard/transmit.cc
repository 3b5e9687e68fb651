#include "backend/shard/transmit.h"

#include <cstring>
#include <utility>

namespace gemel {

void TransmitShared(const ShardParts& parts, LinkItem* item, Request* request, CopyMask to) {
  ChunkRef chunk;
  if (request->owns_frame()) {
    chunk = ChunkRef(parts.pool->Adopt(std::move(request->extra->owned)));
  } else {
    chunk = ChunkRef(parts.pool->New(request->frame.size()));
    std::memcpy(chunk->data, request->frame.data(), request->frame.size());
    chunk->size = request->frame.size();
  }
  ForEachCopy(to, [&](uint32_t copy) { parts.copies->link(copy).SendShared(item, chunk.get()); });
}

}  // namespace gemel
