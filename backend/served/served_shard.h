// A shard with all that belongs to it on the worker that serves it: its resync, its audit, the
// deletions after a change of the ring, its members, the watches over its nodes. What there is of
// them, and in which order they are made, ticked, changed, retired and stopped, is decided here;
// connections, probes and host names are the host's.

#ifndef GEMEL_BACKEND_SERVED_SERVED_SHARD_H_
#define GEMEL_BACKEND_SERVED_SERVED_SHARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/audit/audit.h"
#include "backend/forget/forget.h"
#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/resync/node_check.h"
#include "backend/resync/resync.h"
#include "backend/resync/role_watch.h"
#include "backend/served/node_orders.h"
#include "backend/served/script_end.h"
#include "backend/settings/node_options.h"
#include "backend/settings/node_settings.h"
#include "backend/shard/membership.h"
#include "backend/shard/shard.h"
#include "config/config.h"

namespace gemel {

// Logic only, on the shard's thread.
class ServedShard : private Membership::Host {
 public:
  // The links to one node: for its requests, for reads that are better asked apart, for what it
  // tells of its own accord, and for what is published there.
  struct CopyLinks {
    Link* main;
    Link* side;
    Link* feed;
    Link* channels;
  };
  // Does its I/O. `copy` is the shard's index; a place that is free may be taken again.
  class Host {
   public:
    virtual ~Host() = default;
    // A node has taken a place: gives its links their transports (set_transport), and makes the
    // node known to the control port. Called in ServedShard's constructor, too.
    virtual void Open(uint32_t copy, const LinkOptions& node, const CopyLinks& links) = 0;
    // The place is free: its transports end, and what was asked of the node over the control port
    // is not answered any more. The commands `last` are still sent there, in their order.
    virtual void Close(uint32_t copy, const std::vector<std::vector<std::string>>& last) = 0;
    // All transports and the control port end. No call of the host comes after it.
    virtual void CloseAll() = 0;
    // The control port is to reach the node as `node` says. `anew`: over another connection, and
    // what was asked on the last one is not answered any more.
    virtual void SetControl(uint32_t copy, const LinkOptions& node, bool anew) = 0;
    // Probes of the node begin, whose outcomes come to Shard::OnProbe. `random` is any number.
    virtual void StartProbe(uint32_t copy, const LinkOptions& node, const HealthConfig& health,
                            uint32_t random) = 0;
    virtual void SetProbe(uint32_t copy, const HealthConfig& health, uint32_t random) = 0;
    virtual void ProbeNow(uint32_t copy) = 0;
    // No outcome comes any more.
    virtual void StopProbe(uint32_t copy) = 0;
    // Has the nodes' host names looked up; what is new comes to OnMoved.
    virtual void LookAtHosts() = 0;
    // The last word on what the config says of the shard: a test's waits may be shorter.
    virtual void Adjust(ShardOptions* options) const { (void)options; }
  };
  // What it needs of its worker; all outlive it.
  struct World {
    ChunkPool* chunks;
    ShardEnv* env;
    ControlPort* control;
    Host* host;
    ResyncBoard* resyncs = nullptr;  // see Resync
    bool after_crash = false;        // see LinkOptions
    OtherProxies* others = nullptr;
    bool newcomer = false;  // of the nodes: see LinkOptions
    ForgetOptions forget;   // the rate is the config's
    ShardTurn turn = {};    // of this process as the shard's owner; in a fleet there are `others`
  };

  // `info` is the shard in the present topology. The copies are those of `info`; the members are
  // brought to what `config` says from Start on. `rings`: null if the ring never changes.
  ServedShard(const World& world, const CommandTable* table, const PoolConfig& pool,
              const ShardConfig& config, const ShardInfo& info,
              std::shared_ptr<const RingHistory> rings);
  ~ServedShard() override;
  ServedShard(const ServedShard&) = delete;
  ServedShard& operator=(const ServedShard&) = delete;

  Shard* shard() { return shard_.get(); }
  const std::string& name() const { return shard_->info().name; }

  // `random` is any number: the probes of many nodes are not to go out all at once.
  void Start(uint32_t random);
  // Time passes; to be called every 10 to 20 ms. `random`: any number below 2^30.
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
  // --- the shard goes to another process of the fleet; see backend/shard/departure.h ---
  // In order: what is in flight ends, requests that come are held, no upkeep is begun. Nodes keep
  // what they are set to, for the next owner wants it too; one that replicates for a resync is told
  // to do so no more.
  void Leave(uint64_t now_ms);
  bool leaving() const { return leaving_; }
  // After Leave: nothing is in flight, or it took too long (see Departure; the nodes that replicate
  // have twice that time).
  bool Left(uint64_t now_ms) const;
  // After Left: what is held goes to ShardEnv::NotHere. True: every copy has all that was sent.
  // Nothing but Stop may follow.
  bool GiveBack() { return shard_->GiveBack(); }
  // At once, whatever is in flight: the lease is lost. All connections end, nothing is proposed any
  // more, and what was not sent goes to ShardEnv::NotHere. Nothing but the destructor may follow.
  // Not to be called from within the shard or its host.
  void Cut();

  // Ends everything but the memory. Nothing but the destructor may follow.
  void Stop();
  // Answers who waits for an audit; none comes any more.
  void StopAudit() { audit_->Stop(); }

  // The host name of a node stands for another address, `now`. What is in flight is treated as with
  // any lost connection.
  void OnMoved(uint32_t copy, const std::string& now);
  // The link was connected to another address than the one before: all else follows it.
  void OnLinkMoved(uint32_t copy) { ConnectAnew(copy); }

  // --- for who looks on ---
  bool resyncing() const { return resync_ != nullptr && resync_->active(); }
  // How far the copy is made equal; empty: it needs no resync.
  std::string ResyncNote(uint32_t copy) const {
    return resync_ != nullptr ? resync_->note(copy) : std::string();
  }
  bool members_settled() const { return membership_->settled(); }
  std::string OutstandingMembers() const { return membership_->Outstanding(); }
  bool sweeping() const { return forget_->active(); }
  // What the copy's node is set to. Null after Retire or Stop.
  const NodeSettings* settings() const { return settings_.get(); }
  void set_forget_rate(uint32_t keys_per_s) { forget_->set_rate(keys_per_s); }

 private:
  // `for_good`: nobody has the shard after this process.
  std::vector<std::vector<std::string>> LastCommands(uint32_t copy, bool for_good);
  void OnCopyAdded(uint32_t copy, const LinkOptions& node) override;
  void OnCopyRemoved(uint32_t copy) override;
  ShardOptions OptionsOf(const PoolConfig& pool, const ShardConfig& config) const;
  LinkOptions NodeOf(const std::string& name) const;
  LinkOptions NodeAt(uint32_t copy) const { return NodeOf(shard_->link(copy)->name()); }
  void Open(uint32_t copy, const std::string& node);
  void ForgetCopy(uint32_t copy);
  void ConnectAnew(uint32_t copy);
  void ProbeAnew(uint32_t copy);
  void DropWatches();
  void EndUpkeep(const std::string& why, bool for_good);

  const World world_;
  HealthConfig health_;
  ShardOptions wanted_;  // as the config says
  uint32_t random_ = 1;
  bool started_ = false;
  bool retiring_ = false;
  bool leaving_ = false;
  bool drained_ = false;  // after Leave
  bool closed_ = false;   // nothing is asked of the host any more
  uint64_t retired_ms_ = 0;
  uint32_t detaching_ = 0;     // last commands to nodes, not answered yet
  uint64_t next_look_ms_ = 0;  // at the hosts
  std::unique_ptr<Shard> shard_;
  std::unique_ptr<ScriptEnd> scripts_;
  std::unique_ptr<NodeOrders> orders_;
  // None of these five after Retire, Leave or Stop.
  std::unique_ptr<Resync> resync_;
  std::unique_ptr<RoleWatch> watch_;
  std::unique_ptr<NodeCheck> check_;
  std::unique_ptr<NodeSettings> settings_;
  std::unique_ptr<NodeOptions> options_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Forget> forget_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SERVED_SERVED_SHARD_H_
