// Makes single keys equal again after the copies answered a write differently: by state, never by
// replay. The key is locked (its new requests wait), MEMORY USAGE and then DUMP and PTTL go down
// the primary's link behind all that is in flight there, and RESTORE or DEL down the other's, so
// that the repair has its place in the shard's one order.

#ifndef GEMEL_BACKEND_SHARD_KEY_REPAIR_H_
#define GEMEL_BACKEND_SHARD_KEY_REPAIR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend/shard/op.h"

namespace gemel {

class KeyRepair {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual bool CanSendRepair(uint32_t copy) = 0;
    virtual Op* NewRepairOp() = 0;
    virtual void SendRepair(uint32_t copy, Op* op, std::string_view frame) = 0;
    // The key's lock is open again; `copies` have it equal.
    virtual void OnKeyRepaired(const std::string& key, CopyMask copies) = 0;
    // It could not be done: those copies do not have it equal. `too_big`: nor will another attempt
    // do it, as long as the key is what it is.
    virtual void OnKeyNotRepaired(const std::string& key, CopyMask copies, const std::string& why,
                                  bool too_big) = 0;
  };

  KeyRepair(Host* host, size_t limit) : host_(host), limit_(limit) {}

  // The repair_job of an op that belongs to no key's repair, and of a copy by scan.
  static constexpr uint32_t kNoJob = 0;
  static constexpr uint32_t kScanJob = ~uint32_t{0};

  bool idle() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }
  // Some key is being repaired on one of these copies.
  bool Concerns(CopyMask copies) const;
  bool IsLocked(std::string_view key) const {
    return !keys_.empty() && keys_.contains(std::string(key));
  }

  // Copies the key from `source` to `targets`. False if too many are under way, or if the key is
  // being repaired for fewer targets: the caller gives those copies up instead.
  bool Begin(std::string_view key, uint32_t source, CopyMask targets);

  // The reply to an op that it sent.
  void OnReply(uint32_t copy, const Op& op, std::string_view reply);
  // An op that it sent was lost with its link.
  void OnLost(uint32_t copy, const Op& op);

 private:
  enum Step : uint8_t { kSize, kDump, kExpiry, kTtl, kApply };
  struct Job {
    std::string key;
    uint32_t source = 0;
    CopyMask targets = 0;
    CopyMask waiting = 0;  // targets whose answer is still to come
    CopyMask failed = 0;
    uint32_t in_flight = 0;
    bool broken = false;  // the source was lost
    bool too_big = false;
    std::string why;
    std::string payload;  // of DUMP; empty: the key does not exist
  };

  void Ask(Job* job, uint32_t id);
  void Send(Job* job, uint32_t id, uint32_t copy, Step step, std::string_view frame);
  void OnSize(Job* job, uint32_t id, std::string_view reply);
  void OnExpiry(Job* job, uint32_t id, uint8_t step, std::string_view reply);
  void Apply(Job* job, uint32_t id, int64_t expiry_ms, bool absolute);
  void Close(uint32_t id);

  Host* host_;
  size_t limit_;
  bool relative_ = false;  // the source knows no PEXPIRETIME (Redis before 7.0)
  uint32_t next_id_ = 1;
  std::unordered_map<uint32_t, Job> jobs_;
  std::unordered_map<std::string, uint32_t> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KEY_REPAIR_H_
