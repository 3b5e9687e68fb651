// After a change of the ring: deletes the keys that a shard's nodes hold for nobody, at a limited
// rate, and sees to it that no client ever gets a value that lay there while the key was another
// shard's. A client may see a miss.
//
// Logic only, on the shard's thread; one for each shard. What is old follows from the rings
// (RingHistory) and from ShardInfo::swept, both durable, so that neither a change that is reversed
// while deletions run nor a restart of the proxy loses track.

#ifndef GEMEL_BACKEND_FORGET_FORGET_H_
#define GEMEL_BACKEND_FORGET_FORGET_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/forget/forget_asks.h"
#include "backend/forget/key_marks.h"
#include "backend/forget/sweep_round.h"
#include "backend/life/alive.h"
#include "backend/pace/token_bucket.h"
#include "backend/ring/ring_history.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/shard_ports.h"

namespace gemel {

struct ForgetOptions {
  // Keys deleted in the background; ten that are looked at count as one more. 0: no limit.
  uint32_t keys_per_s = 10000;
  // What is remembered of keys that were asked for. At this bound the deletions run without a
  // limit; at twice the bound requests for further keys that may be old get -TRYAGAIN.
  size_t mark_keys = 1000000;
  size_t mark_bytes = 64u << 20;
};

class Forget : private ShardGate, private RequestSink {
 public:
  // Both must outlive it. It may be destroyed only when the shard was stopped, or is destroyed next
  // without any event in between: it owns requests that the shard may still answer.
  Forget(ForgetPort shard, ShardEnv* env, ForgetOptions options);
  ~Forget() override = default;
  Forget(const Forget&) = delete;
  Forget& operator=(const Forget&) = delete;

  // The rings from now on, at the start and at each change, with the ring of the change already
  // durable in the topology. To be called before any request that was routed by the last of them
  // can reach the shard. Requests that were routed by the ring before may still come.
  void SetHistory(std::shared_ptr<const RingHistory> history, uint64_t now_ms);
  // No request that was routed by an earlier ring than the last can be submitted any more: the
  // deletions may begin, once those that are held have gone. To be called after each SetHistory.
  void AllowSweep(uint64_t now_ms);
  void set_rate(uint32_t keys_per_s) { options_.keys_per_s = keys_per_s; }

  // Time passes; to be called every 10 to 100 ms.
  void Tick(uint64_t now_ms);
  // Nothing is begun any more. The gate stays, as long as the shard serves.
  void Stop() { stopped_ = true; }

  // There are keys to be deleted, or it is not known that there are none.
  bool active() const { return stage_ != Stage::kIdle; }
  // What PROXY SHARDS says of the deletions; empty for nothing.
  std::string note() const;
  // Requests have to pass the gate.
  bool guarding() const { return guarding_; }
  // Keys that are remembered as new, or are being deleted for a request.
  size_t marks() const { return marks_.size(); }

 private:
  enum class Stage : uint8_t {
    kIdle,     // nothing to delete
    kWait,     // for requests of before the change
    kScan,     // gets keys
    kDelete,   // those of them that must go
    kProve,    // all copies have applied all of that
    kPropose,  // that is being made durable
  };
  using Ask = ForgetAsk;

  // ShardGate
  Verdict Before(const Request& request) override;
  std::string_view Refusal() const override { return refusal_; }
  // RequestSink
  void OnReply(Request* request, const Reply& reply) override;

  void Evaluate();
  HeldSince Since() const;
  HeldSince SinceFor(const KeyMark* mark) const;
  bool Delete(const std::vector<std::string_view>& keys,
              const std::vector<std::string_view>& marked, Ask::What what);
  void OnDeleted(Ask* ask, const Reply& reply);
  bool MarksFull(size_t times) const;

  void Advance();
  bool Step();
  void BeginRound();
  void Restart(const std::string& why, uint64_t after_ms);
  bool RoundStands() const;
  bool Scan();
  void OnScanned(Ask* ask, const Reply& reply);
  bool DeleteBatch();
  bool Prove();
  void OnProof(Ask* ask, const Reply& reply);
  void Propose();
  void OnProposed(uint64_t ring, const EditResult& result);
  void Finish();
  bool Limited() const;

  void Note(NoteLevel level, const std::string& text);

  ForgetPort shard_;
  ShardEnv* env_;
  ForgetOptions options_;
  bool stopped_ = false;
  std::optional<ShardRings> rings_;
  uint64_t swept_ = 0;
  uint64_t first_ring_ = 0;  // that was kept when swept_ became 0 here
  bool guarding_ = false;

  KeyMarks marks_;
  std::string refusal_;
  bool refused_ = false;   // a deletion failed since the last Tick
  uint64_t answered_ = 0;  // deletions since what they held back was released

  Stage stage_ = Stage::kIdle;
  bool allowed_ = false;
  uint64_t allowed_ms_ = 0;
  uint64_t retry_ms_ = 0;
  TokenBucket tokens_;
  bool advancing_ = false;
  SweepRound round_;
  bool proposing_ = false;

  SweepProgress progress_{shard_.figures()};
  ForgetAsks asks_{this};
  FrameKeys frame_{&shard_.table()};  // scratch
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FORGET_FORGET_H_
