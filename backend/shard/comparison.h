// The audit's way to the copies: the same reads to several copies at one point of the order.

#ifndef GEMEL_BACKEND_SHARD_COMPARISON_H_
#define GEMEL_BACKEND_SHARD_COMPARISON_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "backend/shard/shard_parts.h"

namespace gemel {

// Who gets what the copies answer to a comparison.
class CompareSink {
 public:
  virtual ~CompareSink() = default;
  // One copy's reply to the command at `index`; valid during the call.
  virtual void OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) = 0;
  // All has come that will; `known`: nothing was lost, and no copy in sync is in doubt now.
  virtual void OnCompareEnd(bool known) = 0;
};

// A command that only reads.
struct CompareRead {
  std::string frame;
  uint8_t database = 0;
  bool brief = false;  // soon done whatever the key holds, though the command's row does not say so
};

// Logic only, the shard's thread.
class Comparison {
 public:
  // repair_step of the op of one that is brief.
  static constexpr uint8_t kBrief = 1;

  explicit Comparison(ShardParts* parts) : parts_(parts) {}

  // Every copy that is in sync can be asked now, all at the same point of the order.
  bool CanBegin() const;
  // Sends each command, which must only read, to each of `copies`, all in sync and all at this
  // point of the shard's order: what they answer differs only if the copies do, or by the clock.
  // False if that cannot be done now, or while an earlier one has not ended. `sink` is not called
  // before it returns.
  bool Begin(std::span<const CompareRead> reads, CopyMask copies, CompareSink* sink);
  bool under_way() const { return left_ > 0; }
  // The sink of the comparison under way gets nothing any more.
  void Drop() { sink_ = nullptr; }
  bool IsKeyLocked(std::string_view key) const;
  // Makes a key equal to the primary's on those copies, in its place in the order; its lock is
  // closed until that is done, or until they are given up. False if it cannot be begun now.
  bool RepairKey(std::string_view key, CopyMask copies);

  void OnReply(uint32_t copy, Op* op, std::string_view reply);
  void OnLost(uint32_t copy, Op* op);

  // Who takes requests of kind kAudit; null: nobody does.
  void set_audit(std::function<void(Request*)> audit) { audit_ = std::move(audit); }
  // False: nobody takes it.
  bool PassToAudit(Request* request) const {
    if (audit_) audit_(request);
    return audit_ != nullptr;
  }

 private:
  void EndOp(Op* op);

  ShardParts* parts_;
  std::function<void(Request*)> audit_;
  CompareSink* sink_ = nullptr;
  size_t left_ = 0;  // commands not answered by all yet
  bool lost_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_COMPARISON_H_
