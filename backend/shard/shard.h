// One shard: orders its writes over its copies, knows which copies are in sync, answers reads from
// one of them, and decides who must leave and who is promoted.
//
// This is the facade that its worker sees, and the owner of the parts that do the work
// (shard_parts.h and the README name them). Logic only, driven by events, on one thread (its owner
// worker's). Invariants:
//  - A write goes to every in-sync copy or to none, on one link a copy, in one order.
//  - A write is answered only when every copy that is in sync (durably) has applied it (ack =
//    "all").
//  - A copy that lost a write in flight, restarted, or is down leaves: it is marked stale through
//    the coordinator, and until that is durable no write that it missed is answered.
//  - The last in-sync copy never leaves; without its node the shard answers CLUSTERDOWN.

#ifndef GEMEL_BACKEND_SHARD_SHARD_H_
#define GEMEL_BACKEND_SHARD_SHARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/shard/aside.h"
#include "backend/shard/audience.h"
#include "backend/shard/comparison.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hedger.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/key_sample.h"
#include "backend/shard/libraries.h"
#include "backend/shard/link_events.h"
#include "backend/shard/loss_watch.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/removals.h"
#include "backend/shard/replicated_writes.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_control.h"
#include "backend/shard/shard_notes.h"
#include "backend/shard/shard_ports.h"
#include "backend/shard/shard_readings.h"
#include "backend/shard/shard_report.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

class Shard : private ShardCenter {
 public:
  // `pool`, `table` and `env` must outlive it.
  Shard(ShardOptions options, ShardInfo info, const CommandTable* table, ChunkPool* pool,
        ShardEnv* env);
  ~Shard() override;

  // Give each link its transport before Start.
  Link* link(uint32_t copy) { return &copies_.link(copy); }
  // The copy's second link, made when it is needed (see side_reads.h); without a transport it is
  // never used.
  Link* side_link(uint32_t copy) { return &aside_.link(copy); }
  // The link on which its node tells what it removes (see removals.h); the same holds for it.
  Link* feed_link(uint32_t copy) { return &removals_.feeds().link(copy); }
  // The link on which its node tells what is published (see channels.h); likewise.
  Link* channels_link(uint32_t copy) { return &audience_.channels().link(copy); }
  uint32_t copy_count() const { return copies_.count(); }
  void Start();
  void Stop();
  void Tick(uint64_t now_ms, uint32_t random);
  // Of clients that wait for so long and no longer: when ShardEnv::UnblockAt has asked for it.
  void TickBlocked(uint64_t now_ms) { audience_.TickBlocked(now_ms); }
  // Now and then: gives memory back that is not needed any more.
  void Trim();

  // Takes a request, whose frame must be valid during the call, and answers it through its sink,
  // once, maybe before it returns.
  void Submit(Request* request) {
    if (sample_.Due(request->frame.size())) [[unlikely]]
      sample_.Take(*request);
    if (open_ && request->frame.size() < aside_.plain_bytes() &&
        request->database <= copies_.last_database()) [[likely]] {
      if (request->kind == RequestKind::kRead) {
        if (aside_.IsPlain(*request)) [[likely]] {
          reads_.Send(request);
          return;
        }
      } else if (request->kind == RequestKind::kWrite && !request->guarded) {
        writes_.Send(request);
        return;
      }
    }
    SubmitSlow(request);
  }

  // --- the shard goes to another process; see departure.h ---
  void BeginMove(std::function<void()> drained);
  // It was another's before: for so long nothing is published, while others say that they listen.
  void AwaitListeners(uint64_t ms) {
    audience_.channels().AwaitListeners(parts_.env->NowMs() + ms);
  }
  bool GiveBack() { return control_.departure().GiveBack(); }
  void Cut() { control_.departure().Cut(); }

  // --- members and options; see membership.h ---
  // A node that `info`, the shard in the present topology, has and the shard does not: its index,
  // or -1 if there is no place left (kMaxCopies). Give its link a transport, then start it.
  int AddCopy(const LinkOptions& node, const ShardInfo& info);
  // Its edit is in effect: the link is stopped, and what was in flight goes elsewhere.
  void RemoveCopy(uint32_t copy);
  // Takes effect at once; of the links, with the next connection. `options.nodes` may lack nodes
  // and have others: only those that are members are looked at.
  void SetOptions(const ShardOptions& options);

  // --- who asks the parts ---
  const Copies& copies() const { return copies_; }
  NodeWatch& nodes() { return nodes_; }
  ShardRoles& roles() { return roles_; }
  RoleEdits& edits() { return edits_; }
  ShardControl& control() { return control_; }
  Removals& removals() { return removals_; }
  BlockedClients& blocked() { return audience_.blocked(); }
  // For who stands beside it.
  ShardPorts ports() { return ShardPorts(&parts_); }
  void set_notes(ShardNotes notes) { parts_.notes = std::move(notes); }

  // --- for reports ---
  const ShardInfo& info() const { return copies_.info(); }
  const ShardOptions& options() const { return parts_.options; }
  const Figures& figures() const { return own_.figures; }
  ShardExplanation Explain(const Request& request) const { return ExplanationOf(parts_, request); }
  void Read(bool for_people, ShardReadings* readings) const {
    ReadShard(parts_, for_people, readings);
  }
  // Bytes of replies that may be outstanding on a link.
  uint64_t reply_room() const { return aside_.reply_room(); }
  // The copies in sync are equal, and whoever serves next may take them for that: every write that
  // was sent has been answered by every copy that it went to, and nothing that one of them may lack
  // is still to be made good, or to be said durably.
  bool Quiet() const;
  // Nothing at all is in flight or held.
  bool Idle() const;
  // Empty; or what is true of its state that never may be.
  std::string Broken() const;

 private:
  void SubmitSlow(Request* request);
  int TakePlace(const LinkOptions& node);
  // ShardCenter
  void Refresh() override;
  void LeaveShortWay() override { open_ = false; }

  struct Own {
    Figures figures;
    OpPool ops;
  } own_;
  ShardParts parts_;
  LinkEvents links_;
  Copies copies_;
  Hedger hedger_;
  ReadPath reads_;
  WritePath writes_;
  FirstWrites first_;
  Aside aside_;
  Hold hold_;
  Journals journals_;
  ScanCopies scans_;
  WayBack way_back_;
  Removals removals_;
  ReplicatedWrites replicated_;
  RoleEdits edits_;
  ShardRoles roles_;
  NodeWatch nodes_;
  LossWatch loss_;
  Comparison comparison_;
  ShardControl control_;
  Libraries libraries_;
  Audience audience_;
  KeySample sample_;
  // Every in-sync copy can be written to, nothing is held, nothing is locked, no read is aside or
  // known to belong there, and there is no gate.
  bool open_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_H_
