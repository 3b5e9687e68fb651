// A shard on the worker that owns it, with all that belongs to it there: the transports of its
// links, the probes and the control connections of its nodes, its resync, its audit.

#ifndef GEMEL_PROXY_WORKER_UV_OWNED_SHARD_H_
#define GEMEL_PROXY_WORKER_UV_OWNED_SHARD_H_

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/audit/audit.h"
#include "backend/forget/forget.h"
#include "backend/resync/node_check.h"
#include "backend/resync/resync.h"
#include "backend/resync/role_watch.h"
#include "backend/shard/membership.h"
#include "backend/shard/shard.h"
#include "backend/uv/hiredis_control.h"
#include "backend/uv/hiredis_probe.h"
#include "backend/uv/uv_host_watch.h"
#include "backend/uv/uv_link.h"

namespace gemel {

class UvOwnedShard : public Membership::Host {
 public:
  // What it needs of its worker; all outlive it.
  struct World {
    uv_loop_t* loop;
    UvLinkContext* links;
    ChunkPool* chunks;
    ShardEnv* env;
    ResyncBoard* resyncs;
    bool after_crash = false;  // see LinkOptions
    OtherProxies* others = nullptr;
    bool newcomer = false;  // of the nodes: see LinkOptions
  };

  // `info` is the shard in the present topology. The copies are those of `info`; the members are
  // brought to what `config` says from Start on.
  UvOwnedShard(const World& world, const CommandTable* table, uint32_t slot, const PoolConfig& pool,
               const ShardConfig& config, const ShardInfo& info,
               std::shared_ptr<const RingHistory> rings);
  ~UvOwnedShard() override;
  UvOwnedShard(const UvOwnedShard&) = delete;
  UvOwnedShard& operator=(const UvOwnedShard&) = delete;

  Shard* shard() { return shard_.get(); }
  Audit* audit() { return audit_.get(); }
  const std::string& name() const { return shard_->info().name; }
  uint32_t slot() const { return slot_; }

  // `random` is any number: the probes of many nodes are not to go out all at once.
  void Start(uint32_t random);
  void Tick(uint64_t now_ms, uint32_t random);
  // A reload: the same shard by other options, nodes, passwords. Takes effect at once, but for the
  // nodes (see Membership).
  void Change(const PoolConfig& pool, const ShardConfig& config, bool force);
  // The ring is about to change: no request that goes by the last one has come yet.
  void SetHistory(std::shared_ptr<const RingHistory> rings);
  // No request that goes by an earlier ring will come any more.
  void AllowSweep();
  // No further requests come: those that are here are served to their end.
  void Retire(uint64_t now_ms);
  bool retiring() const { return retiring_; }
  // After Retire: nothing is left to do, or it took too long.
  bool Retired(uint64_t now_ms) const;
  void Stop();

 private:
  void OnCopyAdded(uint32_t copy, const LinkOptions& node) override;
  void OnCopyRemoved(uint32_t copy) override;
  void MakeCopy(uint32_t copy, const std::string& node);
  void MakeProbe(uint32_t copy);
  void EndScript(uint32_t copy, const char* kind = "SCRIPT");
  void OnMoved(uint32_t copy, const std::string& now);
  void ConnectAnew(uint32_t copy);
  HiredisNode NodeOf(uint32_t copy, const std::string& name) const;

  const World world_;
  const uint32_t slot_;
  HealthConfig health_;
  ShardConfig config_;
  uint32_t random_ = 1;
  bool started_ = false;
  bool retiring_ = false;
  uint64_t retired_ms_ = 0;
  uint32_t detaching_ = 0;  // nodes that were told to replicate no more, not answered yet
  std::unique_ptr<Shard> shard_;
  // By copy; null where there is none.
  std::vector<std::shared_ptr<NodeAddresses>> addresses_;
  std::vector<std::unique_ptr<UvLink>> links_;
  std::vector<std::unique_ptr<UvLink>> sides_;
  std::vector<std::unique_ptr<HiredisProbe>> probes_;
  // Asked to end a script, and not answered yet; and what was last said to that, for the log.
  std::vector<bool> ending_;
  std::string ending_note_;
  std::vector<std::unique_ptr<UvHostWatch>> hosts_;
  uint64_t next_look_ms_ = 0;  // at the hosts
  std::unique_ptr<HiredisControl> control_;
  std::unique_ptr<Resync> resync_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<RoleWatch> watch_;
  std::unique_ptr<NodeCheck> check_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Forget> forget_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_OWNED_SHARD_H_
