// A shard's own record of one request in flight: which copies have it, which have answered.
// Made, used and freed by the shard alone, so that it may outlive the answer to the client.

#ifndef GEMEL_BACKEND_SHARD_OP_H_
#define GEMEL_BACKEND_SHARD_OP_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/bytes/byte_buffer.h"
#include "backend/shard/request.h"

namespace gemel {

// A set of a shard's copies, one bit each.
using CopyMask = uint32_t;
constexpr uint32_t kMaxCopies = 32;
constexpr CopyMask Bit(uint32_t copy) { return CopyMask{1} << copy; }

enum class OpKind : uint8_t { kRead, kWrite, kRepair };

// Two cache lines, of which a read and a short reply touch only the first.
struct alignas(64) Op {
  OpKind kind = OpKind::kRead;
  uint8_t repair_step = 0;
  CopyMask pending = 0;        // sent, not answered
  CopyMask applied = 0;        // answered
  CopyMask lost = 0;           // the connection ended first: the outcome there is not known
  CopyMask differ = 0;         // answered otherwise than the primary
  CopyMask tried = 0;          // a read: where it was sent so far
  Request* request = nullptr;  // null once answered
  Op* next_free = nullptr;

  // The reply that the client will get, while others are waited for.
  bool HasReply() const { return reply_size_ > 0; }
  std::string_view reply() const {
    return reply_size_ != kInLarge ? std::string_view(small_, reply_size_) : large_.view();
  }
  void KeepReply(const Reply& reply) {
    if (reply.bytes.size() <= sizeof(small_)) {
      reply_size_ = static_cast<uint32_t>(reply.bytes.size());
      std::memcpy(small_, reply.bytes.data(), reply.bytes.size());
      return;
    }
    reply_size_ = kInLarge;
    if (reply.buffer != nullptr) {
      large_ = std::move(*reply.buffer);
    } else {
      large_.Clear();
      large_.Append(reply.bytes);
    }
  }
  ByteBuffer* large_reply() { return reply_size_ == kInLarge ? &large_ : nullptr; }

  void Reset() {
    if (reply_size_ == kInLarge) large_.Clear();
    reply_size_ = 0;
    request = nullptr;
    pending = applied = lost = differ = tried = 0;
  }

 private:
  static constexpr uint32_t kInLarge = ~0u;
  uint32_t reply_size_ = 0;
  char small_[36];
  ByteBuffer large_;

 public:
  uint64_t waiting_since_ms = 0;
  uint32_t repair_job = 0;
};

// Ops for one thread, reused.
class OpPool {
 public:
  Op* New() {
    if (free_ == nullptr) Refill();
    Op* op = free_;
    free_ = op->next_free;
    __builtin_prefetch(free_, 1);
    ++in_use_;
    return op;
  }
  void Free(Op* op) {
    op->Reset();
    op->next_free = free_;
    free_ = op;
    --in_use_;
  }
  size_t in_use() const { return in_use_; }

 private:
  void Refill() {
    constexpr size_t kBlock = 64;
    blocks_.push_back(std::make_unique<Op[]>(kBlock));
    for (size_t i = 0; i < kBlock; ++i) {
      blocks_.back()[i].next_free = free_;
      free_ = &blocks_.back()[i];
    }
  }
  std::vector<std::unique_ptr<Op[]>> blocks_;
  Op* free_ = nullptr;
  size_t in_use_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_OP_H_
