// A message on its way to a worker's subscribers: made once for each protocol.

#ifndef GEMEL_PROXY_CHANNELS_CHANNEL_MESSAGE_H_
#define GEMEL_PROXY_CHANNELS_CHANNEL_MESSAGE_H_

#include <string>
#include <string_view>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/chunk.h"

namespace gemel {

class ChannelMessage {
 public:
  // `array`: as it reads in RESP2, good as long as this. `pool` outlives it.
  ChannelMessage(std::string_view array, ChunkPool* pool) : array_(array), pool_(pool) {}

  size_t size() const { return array_.size(); }
  // As it reads in that protocol: RESP3's is a push. For one that is to be copied.
  std::string_view In(bool resp3) {
    if (!resp3) return array_;
    if (push_.empty()) {
      push_ = array_;
      push_[0] = '>';
    }
    return push_;
  }
  // The same as a chunk that all may share; null: it is so small that copying is cheaper.
  Chunk* ChunkIn(bool resp3) {
    if (array_.size() < ChunkPool::kStandard) return nullptr;
    ChunkRef& shared = shared_[resp3 ? 1 : 0];
    if (shared.get() == nullptr) {
      ByteBuffer buffer;
      buffer.Append(In(resp3));
      shared = ChunkRef(pool_->Adopt(std::move(buffer)));
    }
    return shared.get();
  }

 private:
  std::string_view array_;
  std::string push_;
  ChunkPool* pool_;
  ChunkRef shared_[2];
};

// Who gets messages.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  // Between two replies. Calls nobody back.
  virtual void OnMessage(ChannelMessage* message) = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_CHANNELS_CHANNEL_MESSAGE_H_
