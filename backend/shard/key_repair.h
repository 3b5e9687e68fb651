// Makes single keys equal again after the copies answered a write differently: by state, never by
// replay. The key is locked (its new requests wait), MEMORY USAGE and then DUMP and PTTL go down
// the primary's link behind all that is in flight there, and RESTORE or DEL down the other's, so
// that the repair has its place in the shard's one order. A copy whose version cannot read the
// primary's DUMP gets the key by the commands of its type (key_rebuild.h).

#ifndef GEMEL_BACKEND_SHARD_KEY_REPAIR_H_
#define GEMEL_BACKEND_SHARD_KEY_REPAIR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/link/node_identity.h"
#include "backend/shard/key_rebuild.h"
#include "backend/shard/op.h"

namespace gemel {

class KeyRepair {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual bool CanSendRepair(uint32_t copy) = 0;
    virtual Op* NewRepairOp() = 0;
    // What that node said of itself.
    virtual const NodeIdentity& IdentityOf(uint32_t copy) = 0;
    // Of that node's present connection: changes when it is made anew.
    virtual uint64_t ConnectionOf(uint32_t copy) const = 0;
    virtual void SendRepair(uint32_t copy, Op* op, std::string_view frame) = 0;
    // The wall clock, in milliseconds of Unix time; 0: there is none.
    virtual int64_t UnixMs() { return 0; }
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
  // From here on the numbers are others' (StateCopy).
  static constexpr uint32_t kEndOfJobs = 1u << 31;

  bool idle() const { return keys_.empty(); }
  size_t size() const { return keys_.size(); }
  // Some key is being repaired on one of these copies.
  bool Concerns(CopyMask copies) const {
    return Concerns(copies, [](const std::string&) { return false; });
  }
  // The same but for keys of which except(key) is true.
  template <typename Except>
  bool Concerns(CopyMask copies, Except except) const {
    for (const auto& [id, job] : jobs_) {
      if ((job.targets & copies) != 0 && !except(job.key)) return true;
    }
    return false;
  }
  // visit(key, targets) for each that is being repaired.
  template <typename Visit>
  void ForEachUnderWay(Visit visit) const {
    for (const auto& [id, job] : jobs_) visit(job.key, job.targets);
  }
  bool IsLocked(std::string_view key) const { return LockOn(key) != kNoJob; }
  // The job that has locked the key, or kNoJob; and whether that is still under way.
  uint32_t LockOn(std::string_view key) const {
    if (keys_.empty()) return kNoJob;
    const auto found = keys_.find(key);
    return found != keys_.end() ? found->second : kNoJob;
  }
  bool IsUnderWay(uint32_t job) const { return jobs_.contains(job); }
  // What the op asks of a node is done in a moment.
  bool IsShort(const Op& op) const;

  // Copies the key from `source` to `targets`. False if too many are under way, or if the key is
  // being repaired for fewer targets: the caller gives those copies up instead.
  bool Begin(std::string_view key, uint32_t source, CopyMask targets);

  // The reply to an op that it sent.
  void OnReply(uint32_t copy, const Op& op, std::string_view reply);
  // An op that it sent was lost with its link.
  void OnLost(uint32_t copy, const Op& op);

 private:
  enum Step : uint8_t { kSize, kDump, kExpiry, kTtl, kApply, kRead, kWrite };
  struct Job {
    std::string key;
    uint32_t source = 0;
    uint64_t connection = 0;  // of the source
    CopyMask targets = 0;
    CopyMask waiting = 0;  // targets whose answer is still to come
    CopyMask failed = 0;
    uint32_t in_flight = 0;
    uint32_t waits = 0;   // for it to expire, on the source
    bool broken = false;  // the source was lost
    bool too_big = false;
    std::string why;
    std::string payload;  // of DUMP; empty: the key does not exist
    int64_t memory = 0;   // that it takes; 0: not known
    // By the commands of its type.
    std::unique_ptr<KeyRebuild> rebuild;
    std::vector<std::string> replies;  // to what was read for that
  };

  void Ask(Job* job, uint32_t id);
  void Send(Job* job, uint32_t id, uint32_t copy, Step step, std::string_view frame);
  void OnSize(Job* job, uint32_t id, std::string_view reply);
  void OnExpiry(Job* job, uint32_t id, uint8_t step, std::string_view reply);
  bool ExpiresSoon(int64_t expiry_ms);
  void Apply(Job* job, uint32_t id, int64_t expiry_ms, bool absolute);
  void OnApplied(Job* job, uint32_t id, uint32_t copy, std::string_view reply);
  void Close(uint32_t id);

  // key_repair_by_type.cc
  bool CanReadDump(const Job& job) const;
  void BeginRebuild(Job* job, uint32_t id);
  void OnRebuildReply(Job* job, uint32_t id, uint32_t copy, uint8_t step, std::string_view reply);
  void StepRebuild(Job* job, uint32_t id);

  Host* host_;
  size_t limit_;
  bool relative_ = false;  // the source knows no PEXPIRETIME (Redis before 7.0)
  uint32_t next_id_ = 1;
  std::unordered_map<uint32_t, Job> jobs_;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KEY_REPAIR_H_
