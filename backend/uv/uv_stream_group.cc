#include "backend/uv/uv_stream_group.h"

#include <algorithm>

#include "backend/bytes/budget.h"
#include "backend/uv/uv_stream.h"

namespace gemel {

UvStreamGroup::UvStreamGroup(uv_loop_t* loop)
    : loop_(loop), buffers_(std::make_unique_for_overwrite<char[]>(kStride * SocketBatch::kMax)) {}

size_t UvStreamGroup::TakeSome(Line* line, size_t* next, size_t most) {
  size_t count = 0;
  for (; *next < line->size() && count < most; ++*next) {
    if ((*line)[*next] != nullptr) places_[count++] = *next;
  }
  return count;
}

// A stream that is closed while others are told what they got has left the line.
void UvStreamGroup::ReceiveAll() {
  for (size_t next = 0; next < readable_.size();) {
    size_t count = TakeSome(&readable_, &next, SocketBatch::kMax);
    for (size_t i = 0; i < count; ++i) {
      iovec& place = parts_[i][0];
      char* const shared = buffers_.get() + i * kStride;
      place = {shared, kBuffer};
      ops_[i] = {SocketOp::Kind::kReceive, readable_[places_[i]]->PrepareReceive(&place), &place, 1,
                 0};
      // It has made room for much. Where there is little left it is looked who may go on first.
      if (place.iov_base != shared && i + 1 < count && Budget::TightOrOver()) [[unlikely]] {
        next = places_[i + 1];
        count = i + 1;
      }
    }
    batch_.Run({ops_, count});
    if (before_batch_) [[unlikely]]
      before_batch_();
    for (size_t i = 0; i < count; ++i) {
      UvStream* stream = readable_[places_[i]];
      if (stream != nullptr) {
        stream->OnReceived(static_cast<char*>(parts_[i][0].iov_base), ops_[i].result);
      }
    }
    if (after_batch_) after_batch_();
  }
  readable_.clear();
}

// Few at first, then as many again as have gone: whoever gets the first ones can go on, on another
// core, while the rest is sent. (All at once, one call of some 100 us, cost a twentieth of the
// throughput of clients that send one request at a time; few each time cost CPU where many wait.)
void UvStreamGroup::SendAll() {
  for (size_t next = 0; next < to_send_.size();) {
    const size_t most = std::clamp(next, kSendFirst, SocketBatch::kMax);
    const size_t count = TakeSome(&to_send_, &next, most);
    size_t bytes[SocketBatch::kMax];
    for (size_t i = 0; i < count; ++i) {
      SocketOp& op = ops_[i];
      op = {SocketOp::Kind::kSend, -1, parts_[i], 0, 0};
      op.fd = to_send_[places_[i]]->PrepareSend(parts_[i], kPartsOfSend, &op.part_count, &bytes[i]);
    }
    batch_.Run({ops_, count});
    for (size_t i = 0; i < count; ++i) {
      UvStream* stream = to_send_[places_[i]];
      if (stream != nullptr) stream->OnSent(bytes[i], ops_[i].result);
    }
  }
  to_send_.clear();
}

}  // namespace gemel
