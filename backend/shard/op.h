// A shard's own record of one write in flight: which copies have it, which have answered. (A read
// is on one link at a time and needs none.) Made, used and freed by the shard alone, so that it may
// outlive the answer to the client.

#ifndef GEMEL_BACKEND_SHARD_OP_H_
#define GEMEL_BACKEND_SHARD_OP_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "backend/bytes/block_pool.h"
#include "backend/bytes/byte_buffer.h"
#include "backend/shard/copy_mask.h"
#include "backend/shard/request.h"

namespace gemel {

// Two cache lines, of which a write with a short reply touches only the first.
struct alignas(64) Op : LinkItem {
  Op() : LinkItem(LinkItem::Kind::kWrite) {}

  // What the kept reply is worth: that of a copy in sync is the client's.
  enum class Kept : uint8_t { kNothing, kJoining, kReal };

  uint8_t generation = 0;  // see WriteGenerations
  uint8_t repair_step = 0;
  Kept kept = Kept::kNothing;
  bool tracked = false;        // see TrackedKeys::OnWrite
  CopyMask sent = 0;           // to these copies
  CopyMask joining = 0;        // of them: not in sync when it was sent, see way_back.h
  CopyMask pending = 0;        // sent, not answered
  CopyMask applied = 0;        // answered
  CopyMask lost = 0;           // the connection ended first: the outcome there is not known
  CopyMask refused = 0;        // answered that it applies no writes at all
  CopyMask differ = 0;         // answered otherwise than the primary
  Request* request = nullptr;  // null once answered

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
    if (refused != 0) refusal.reset();
    reply_size_ = 0;
    item_kind = LinkItem::Kind::kWrite;
    database = 0;
    block = false;
    request = nullptr;
    kept = Kept::kNothing;
    unread = false;
    alone = false;
    tracked = false;
    room_mb = 0;
    sent = joining = 0;
    pending = applied = lost = refused = differ = 0;
  }

 private:
  static constexpr uint32_t kInLarge = ~0u;
  uint32_t reply_size_ = 0;

 public:
  uint32_t session = 0;  // whose write it is

 private:
  char small_[28];
  ByteBuffer large_;

 public:
  // What the first of those who refused said: the client's answer if nobody has applied it.
  std::unique_ptr<std::string> refusal;
  uint64_t waiting_since_ms = 0;
  uint32_t repair_job = 0;
  uint32_t room_mb = 0;  // of the shard's for replies of large writes
  bool alone = false;    // a first write while which nothing else is sent
  bool unread = false;   // some copy closed its connection and said that it had not read it
};

// Ops for one thread, reused.
class OpPool {
 public:
  Op* New() { return pool_.New(); }
  void Free(Op* op) {
    op->Reset();
    pool_.Free(op);
  }
  void Trim() { pool_.Trim(); }

 private:
  BlockPool<Op, 4> pool_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_OP_H_
