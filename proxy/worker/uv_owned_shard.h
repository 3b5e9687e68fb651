// The I/O of a shard on the worker that owns it: the transports of its links, the probes and the
// control connections of its nodes, their host names. What there is to do with them is
// ServedShard's to say.

#ifndef GEMEL_PROXY_WORKER_UV_OWNED_SHARD_H_
#define GEMEL_PROXY_WORKER_UV_OWNED_SHARD_H_

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/served/served_shard.h"
#include "backend/uv/hiredis_control.h"
#include "backend/uv/hiredis_probe.h"
#include "backend/uv/uv_host_watch.h"
#include "backend/uv/uv_link.h"

namespace gemel {

class UvOwnedShard : private ServedShard::Host {
 public:
  // What it needs of its worker; all outlive it. For the rest see ServedShard::World.
  struct World {
    uv_loop_t* loop;
    UvLinkContext* links;
    ChunkPool* chunks;
    ShardEnv* env;
    ResyncBoard* resyncs;
    bool after_crash = false;
    OtherProxies* others = nullptr;
    bool newcomer = false;
    uint64_t lease_epoch = 0;  // see ShardLease; 0: the process is alone
    ShardTurn turn = {};
  };

  // See ServedShard. `slot`: the shard's in requests.
  UvOwnedShard(const World& world, const CommandTable* table, uint32_t slot, const PoolConfig& pool,
               const ShardConfig& config, const ShardInfo& info,
               std::shared_ptr<const RingHistory> rings);
  ~UvOwnedShard() override;
  UvOwnedShard(const UvOwnedShard&) = delete;
  UvOwnedShard& operator=(const UvOwnedShard&) = delete;

  ServedShard& served() { return *served_; }
  Shard* shard() const { return served_->shard(); }
  uint32_t slot() const { return slot_; }
  uint64_t lease_epoch() const { return world_.lease_epoch; }

 private:
  // What belongs to a place; null where it is free.
  struct Place {
    std::shared_ptr<NodeAddresses> addresses;
    std::unique_ptr<UvLink> link;
    std::unique_ptr<UvLink> side;
    std::unique_ptr<UvLink> feed;
    std::unique_ptr<UvLink> channels;
    std::unique_ptr<HiredisProbe> probe;
    std::unique_ptr<UvHostWatch> host;
  };

  void Open(uint32_t copy, const LinkOptions& node, const ServedShard::CopyLinks& links) override;
  void Close(uint32_t copy, const std::vector<std::vector<std::string>>& last) override;
  void CloseAll() override;
  void SetControl(uint32_t copy, const LinkOptions& node, bool anew) override;
  void StartProbe(uint32_t copy, const LinkOptions& node, const HealthConfig& health,
                  uint32_t random) override;
  void SetProbe(uint32_t copy, const HealthConfig& health, uint32_t random) override;
  void ProbeNow(uint32_t copy) override;
  void StopProbe(uint32_t copy) override;
  void LookAtHosts() override;
  HiredisNode Reached(uint32_t copy, const LinkOptions& node) const;

  const World world_;
  const uint32_t slot_;
  std::vector<Place> places_;  // by copy
  std::unique_ptr<HiredisControl> control_;
  std::unique_ptr<ServedShard> served_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_UV_OWNED_SHARD_H_
