// One shard: orders its writes over its copies, knows which copies are in sync, answers reads from
// one of them, and decides who must leave and who is promoted.
//
// Logic only, driven by events, on one thread (its owner worker's). Invariants:
//  - A write goes to every in-sync copy or to none, on one link a copy, in one order.
//  - A write is answered only when every copy that is in sync (durably) has applied it (ack =
//  "all").
//  - A copy that lost a write in flight, restarted, or is down leaves: it is marked stale through
//  the
//    coordinator, and until that is durable no write that it missed is answered.
//  - The last in-sync copy never leaves; without its node the shard answers CLUSTERDOWN.

#ifndef GEMEL_BACKEND_SHARD_SHARD_H_
#define GEMEL_BACKEND_SHARD_SHARD_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/bytes/give_back.h"
#include "backend/command/command_table.h"
#include "backend/health/failure_detector.h"
#include "backend/health/hang_detector.h"
#include "backend/health/probe_outcome.h"
#include "backend/link/link.h"
#include "backend/shard/dirty_keys.h"
#include "backend/shard/heavy_reads.h"
#include "backend/shard/hedge.h"
#include "backend/shard/held_queue.h"
#include "backend/shard/key_repair.h"
#include "backend/shard/op.h"
#include "backend/shard/request.h"
#include "backend/shard/scan_copy.h"
#include "backend/shard/shard_env.h"
#include "backend/shard/shard_gate.h"
#include "backend/shard/shard_options.h"
#include "backend/shard/shard_stats.h"
#include "backend/shard/side_reads.h"
#include "backend/topology/coordinator.h"
#include "backend/topology/topology.h"

namespace gemel {

class ShardControl;

// Who gets what the copies answer to a comparison.
class CompareSink {
 public:
  virtual ~CompareSink() = default;
  // One copy's reply to the command at `index`; valid during the call.
  virtual void OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) = 0;
  // All has come that will; `known`: nothing was lost.
  virtual void OnCompareEnd(bool known) = 0;
};

class Shard : public LinkOwner, private KeyRepair::Host, private SideReads::Host {
 public:
  // `pool`, `table` and `env` must outlive it.
  Shard(ShardOptions options, ShardInfo info, const CommandTable* table, ChunkPool* pool,
        ShardEnv* env);
  ~Shard() override;

  // Give each link its transport before Start.
  Link* link(uint32_t copy) { return copies_[copy]->link.get(); }
  // The copy's second link, made when it is needed (see side_reads.h); without a transport it is
  // never used.
  Link* side_link(uint32_t copy) { return side_.link(copy); }
  uint32_t copy_count() const { return static_cast<uint32_t>(copies_.size()); }
  void Start();
  void Stop();
  void Tick(uint64_t now_ms, uint32_t random);
  // Now and then: gives memory back that is not needed any more.
  void Trim() {
    ops_.Trim();
    GiveBack(&args_);
    GiveBack(&keys_);
    GiveBack(&text_);
  }

  // Takes a request, whose frame must be valid during the call, and answers it through its sink,
  // once, maybe before it returns.
  void Submit(Request* request) {
    if (open_ && request->frame.size() < plain_bytes_) [[likely]] {
      if (request->kind == RequestKind::kRead) {
        if (IsPlainRead(*request)) [[likely]] {
          SendRead(request);
          return;
        }
      } else if (request->kind == RequestKind::kWrite) {
        SendWrite(request);
        return;
      }
    }
    SubmitSlow(request);
  }

  using Probe = ProbeOutcome;
  // `began_ms`: when that attempt began.
  void OnProbe(uint32_t copy, Probe probe, uint64_t began_ms = ~uint64_t{0});
  // Must a probe of the copy go out now, out of turn? Asked after each Tick; true once a wish.
  bool TakeProbeWish(uint32_t copy);
  // Must a script be ended that the copy runs (SCRIPT KILL)? The same.
  bool TakeEndScriptWish(uint32_t copy);
  // It was, and its reply is on its way.
  void OnScriptEnded(uint32_t copy);
  // Requests wait for a node: Tick is to come often.
  bool Waiting() const;

  // --- for a resync ---
  const ShardInfo& info() const { return info_; }
  // Nothing is known any more of what is right on this copy, which is about to be overwritten.
  void ForgetJournal(uint32_t copy);
  // A stale copy that needs a whole copy (its dirty keys are not known), and whose node is up.
  bool WantsResync(uint32_t copy) const;
  // A stale copy that can be resynced now: its node and the primary's are up. -1 if none.
  int CopyToResync() const;
  bool PrimaryReady() const;
  // Writes are held from now on; *drained runs once those in flight are answered by all copies.
  void Pause(std::function<void()> drained);
  void Resume();
  bool paused() const { return paused_; }
  // Every write that was sent has been answered by every copy that it went to.
  bool Quiet() const { return writes_in_flight_ == 0 && waiting_.empty(); }
  // Nothing at all is in flight or held.
  bool Idle() const;
  // Marks a stale copy in sync, while paused. `done(true)` once it is in effect.
  void ProposeInSync(uint32_t copy, std::function<void(bool)> done);
  // For a node that refuses REPLICAOF: from now on a copy that wants a resync is made equal key by
  // key, in the shard's order, and then marked in sync. False if that is not possible now, and
  // *why.
  // `calm`: what was sent on an earlier connection of that node is surely over, though it could not
  // be asked.
  bool CopyByScan(uint32_t copy, std::string* why, bool calm = false);
  ScanStatus StatusOfScan(uint32_t copy) const;
  // Of the node's present connection: changes when it is made anew.
  uint64_t ConnectionOf(uint32_t copy) const override { return copies_[copy]->link->connects(); }
  // What PROXY SHARDS says of nodes that come and leave; empty for nothing.
  void set_member_note(std::string note) { member_note_ = std::move(note); }
  // What PROXY SHARDS says of the resync; empty for nothing.
  void set_resync_note(uint32_t copy, std::string note);
  // What PROXY SHARDS says of what a node lacks, a right or a version; empty for nothing.
  void set_node_warning(uint32_t copy, std::string text) {
    copies_[copy]->warning = std::move(text);
  }

  // --- members and options (shard_members.cc; see membership.h) ---
  // The index of the copy on that node, or -1.
  int CopyOf(std::string_view node) const;
  // False: the place of one that was removed.
  bool IsMember(uint32_t copy) const { return !copies_[copy]->removed; }
  // False: its removal is durable, but it is still here (RemoveCopy).
  bool IsInTopology(uint32_t copy) const {
    return info_.copies[copy].node == copies_[copy]->link->name();
  }
  uint32_t member_count() const;
  // Proposes kAddCopy for a node; not while editing(). Writes go on meanwhile.
  void ProposeCopy(const std::string& node, EditDone done);
  // A node that `info`, the shard in the present topology, has and the shard does not: its index,
  // or -1 if there is no place left (kMaxCopies). Give its link a transport, then StartCopy.
  int AddCopy(const LinkOptions& node, const ShardInfo& info);
  void StartCopy(uint32_t copy);
  // Its edit is in effect: the link is stopped, and what was in flight goes elsewhere.
  void RemoveCopy(uint32_t copy);
  // Takes effect at once; of the links, with the next connection. `options.nodes` may lack nodes
  // and have others: only those that are members are looked at.
  void SetOptions(const ShardOptions& options);
  // The only copy in sync of several is up, but another process than the one whose data counts, and
  // not empty: what it holds may be old. It serves once the operator accepts that, or (on_data_loss
  // = "miss") once it is empty.
  bool HoldsOldData() const;

  // --- for manual control (shard_control.h) ---
  ShardControl& control() { return *control_; }
  // Reads and writes go to that copy now: it is in sync, up and in no doubt.
  bool Serves(uint32_t copy) const { return (readable_ & Bit(copy)) != 0; }
  bool InSyncAndUp(uint32_t copy) const { return (in_sync_ & up_ & Bit(copy)) != 0; }
  // An edit of this shard is being made durable: no other is to be proposed.
  bool editing() const { return editing_; }
  // Proposes an edit of a copy that the shard itself has no need of; not while editing(). `done`
  // gets the result once the shard goes by it. A refused one changes nothing.
  void ProposeOrder(Edit edit, EditDone done);
  // Sends a read to that copy, whose link is up. If it is answered by another one after all, that
  // one's bit is in `tried`.
  void SendTo(uint32_t copy, Request* request);
  // --- for deletions after a change of the ring (shard_hold.cc) ---
  // While set, every read and write takes the slow way and the gate is asked about it; null: nobody
  // is. Not to be called by the gate's Before.
  void set_gate(ShardGate* gate);
  // Sends a write now, ahead of all that is held. False, and nothing is done, if no write can be
  // sent now. The caller sees to it that none of its keys is locked.
  bool SendAhead(Request* write);
  // What the gate held may pass now.
  void ReleaseGated();
  // A request is still held that came at that time or before.
  bool HoldsFrom(uint64_t at_ms) const { return held_.HoldsFrom(at_ms); }
  // ShardInfo::swept changed, durably.
  void set_swept(uint64_t ring) { info_.swept = ring; }
  // What PROXY SHARDS says of the deletions; empty for nothing.
  void set_sweep_note(std::string note) { sweep_note_ = std::move(note); }
  // --- for the audit (shard_compare.cc) ---
  // Every copy that is in sync can be asked now, all at the same point of the order.
  bool CanCompare() const;
  // Sends each command, which must only read, to each of `copies`, all in sync and all at this
  // point of the shard's order: what they answer differs only if the copies do, or by the clock.
  // False if that cannot be done now, or while an earlier one has not ended. `sink` is not called
  // before it returns.
  bool Compare(std::span<const std::string> frames, CopyMask copies, CompareSink* sink);
  bool comparing() const { return compare_.left > 0; }
  // The sink of the comparison under way gets nothing any more.
  void DropCompare() { compare_.sink = nullptr; }
  bool IsKeyLocked(std::string_view key) const { return repair_.IsLocked(key); }
  // Makes a key equal to the primary's on those copies, in its place in the order; its lock is
  // closed until that is done, or until they are given up. False if it cannot be begun now.
  bool RepairKey(std::string_view key, CopyMask copies);
  // Who takes requests of kind kAudit.
  void set_audit(std::function<void(Request*)> audit) { audit_ = std::move(audit); }

  // --- for reports ---
  // Bytes of replies that may be outstanding on a link.
  uint64_t reply_room() const {
    return std::min(SideReads::kRoom, least_output_ / SideReads::kPartOfOutput);
  }
  const ShardOptions& options() const { return options_; }
  const ShardStats& stats() const { return stats_; }
  ShardStats& stats() { return stats_; }
  NodeHealth HealthOf(uint32_t copy) const;
  size_t held() const { return held_.size(); }
  // Why a copy that must leave cannot be marked stale just now; empty: nothing of that kind.
  const std::string& edit_error() const { return edit_error_; }
  CopyMask in_sync() const { return in_sync_; }
  // Where a write would go now, and which copy would serve a read (-1: none) and why.
  int ExplainRead(bool primary_only, std::string* why) const;
  const std::string& resync_note(uint32_t copy) const { return copies_[copy]->resync_note; }

  // --- LinkOwner ---
  std::string WhyNot(const Link& link, const NodeIdentity& identity) override;
  void OnLinkUp(Link* link, const NodeIdentity& identity) override;
  void OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) override;
  void OnLinkLost(Link* link, LinkItem* item, std::string_view frame) override;
  void OnLinkDown(Link* link, const std::string& reason, bool refused) override;
  bool MayTakeLonger(const Link& link, uint64_t overdue_ms) override;

 private:
  static constexpr uint64_t kNotEmpty = ~uint64_t{0};
  enum class Work : uint8_t {
    kUnknown,    // not looked at yet
    kShort,      // nothing that may take long
    kLong,       // a command that may take long, and that other copies were sent, too
    kLongAlone,  // one that this copy alone was sent: a read
    kScript,     // such a one that may never end by itself
  };
  struct Copy {
    std::unique_ptr<Link> link;
    FailureDetector detector;
    HangDetector hang;
    bool removed = false;
    bool probe_wish = false;
    bool end_script_wish = false;
    bool runs_script = false;      // for longer than it should, as it says itself
    bool left_script = false;      // its link was given up because of one
    uint64_t script_ended_ms = 0;  // by us, and nothing was answered since; 0: none was
    // What it may be working on while it is silent: of so many, the first in line on its links.
    Work work = Work::kUnknown;
    size_t worked_on = 0;
    size_t side_worked_on = 0;
    bool unsure = false;  // lost writes in flight, or could not be repaired
    bool refusing =
        false;  // refused a write that others may have applied: not read until that is clear
    uint64_t restarted_ms = 0;  // when that was seen
    bool restarted = false;     // another process than the one whose data the topology speaks of
    bool keeps_writes = false;  // the process whose data the topology speaks of, as it said
    uint64_t learnt_argument = NodeLimits::kNone;  // where the node does not tell its limit
    bool whole = false;                            // restarted, and came back with all that it had
    bool was_up = false;                           // for the log
    std::string refusal;                           // why it is not used, for the log
    bool run_id_unsaved = false;
    // writes_sent_ when it connected, if it was empty then.
    uint64_t empty_at = kNotEmpty;
    std::string leave_reason;
    std::string resync_note;
    std::string warning;
    // After a connection was lost: how long it may take to come back. 0: it is there, or never was.
    uint64_t grace_until_ms = 0;
    // What may be wrong there; null: nothing, or (forgotten) it is not known what.
    std::unique_ptr<DirtyKeys> journal;
    bool forgotten = false;
    uint64_t join_at_ms = 0;     // not before
    uint32_t join_failures = 0;  // in a row
    // It is being copied key by key; then it is forgotten and has a journal all the same.
    std::unique_ptr<ScanCopy> scan;
    std::string scan_end;
    Copy(uint32_t failures, HangLimits limits) : detector(failures), hang(limits) {}
  };

  // shard.cc: requests and replies
  void SendRead(Request* request);
  void SendWrite(Request* request, uint32_t room_mb = 0);
  void Transmit(LinkItem* item, Request* request, CopyMask to);
  void SubmitSlow(Request* request);
  int PickRead(CopyMask among, bool primary_only, bool also_silent = false) const;
  int PickFirst(const Request& request) const;
  // The short way of it: nobody is silent, and the primary serves.
  bool PrimaryServes(const Request& request) const {
    return silent_ == 0 && (readable_ & Bit(primary_)) != 0 &&
           (options_.read_from == ReadFrom::kPrimary || request.primary_only ||
            readable_ == Bit(primary_));
  }
  bool IsDoubtful(uint32_t copy, const Reply& reply) const;
  bool Retry(Request* request, std::string_view frame);
  void OnReadLost(Request* request, std::string_view frame, bool suspect);
  bool MayNotRunAgain(uint32_t copy, const Request& request);
  void SendPlain(Request* request);
  void HoldAgain(Request* request, std::string_view frame);
  void OnWriteReply(uint32_t copy, Op* op, const Reply& reply, std::string_view frame);
  static void CompareWithJoining(Op* op, std::string_view bytes);
  void ForgiveRefusals(const Op& op);
  // Copies that are in sync, or about to be, and do not have it.
  CopyMask Missing(const Op& op) const { return (in_sync_ | entering_) & op.sent & ~op.applied; }
  void FinishWrite(Op* op, std::string_view frame);
  void Answer(Op* op, const Reply& reply);
  void AnswerKept(Op* op);
  void AnswerError(Request* request, std::string_view text);
  void OpEnded(Op* op);
  std::string DownText() const;
  std::string UnknownOutcomeText(const Op& op) const;

  // shard_health.cc: who hangs
  void WatchNodes(uint64_t now_ms);
  bool CanDoWithout(uint32_t copy) const;
  bool MayBeBusy(uint32_t copy, uint64_t probe_began_ms) const;
  uint64_t PatienceWith(uint32_t copy, uint64_t now_ms);
  Work WorkOf(uint32_t copy);
  Work WorkIn(const Link& link, size_t first);
  bool HasScript(const Link& link);
  void GiveUp(uint32_t copy);

  // shard_hedge.cc: reads that wait on a silent copy
  static bool MayTakeLong(const CommandRow& row, std::string_view frame);
  static bool StaysWhereItIs(const Request& request, std::string_view frame);
  void HedgeReads();
  void HedgeLine(uint32_t copy);
  LinkItem* HedgeRead(Request* request, std::string_view frame, uint32_t from);
  void OnHedgeReply(uint32_t copy, Hedge* hedge, const Reply& reply, std::string_view frame);
  void OnHedgeLost(uint32_t copy, Hedge* hedge, std::string_view frame, bool suspect);

  // shard_hold.cc: what waits
  void Hold(Request* request);
  ShardGate::Verdict AskGate(const Request& request) {
    return gate_ == nullptr ? ShardGate::Verdict::kPass : gate_->Before(request);
  }
  void ReleaseHeld();
  void ExpireHeld(uint64_t now_ms);
  // `lock`: where it does, the repair of the first such key.
  bool TouchesLockedKey(const Request& request, uint32_t* lock = nullptr);
  bool CanRead() const;
  bool CanWrite() const;
  bool Hopeful() const;

  // shard_side.cc: what would hurt others on the links that all share
  std::string_view HeavyName(const CommandRow* row, std::string_view frame);
  void NoteHeavy(const CommandRow* row, std::string_view frame, size_t bytes);
  // It may go where the writes go. What is not known (0) counts as large.
  bool IsPlainRead(const Request& request) const {
    return static_cast<uint8_t>(request.reply_log2 - 1) < plain_log2_;
  }
  // A read of its session is on a side link. Another one joins it there, a write waits.
  bool WaitsForAside(const Request& request) const {
    return request.kind != RequestKind::kRead && side_.HasSession(request.session);
  }
  bool GoesAside(Request* request);
  void BeCareful();
  void UpdatePlainReads();
  bool IsGiant(const CommandRow* row, std::string_view frame);
  bool NeedsRoom(const Request& request, uint32_t* room_mb);
  bool WaitsForRoom(const Request& request) {
    uint32_t room_mb = 0;
    return !heavy_.empty() && NeedsRoom(request, &room_mb);
  }
  void LearnLimits();
  void LearnFromRefusal(uint32_t copy, std::string_view reply, std::string_view frame);
  bool IsTooLong(const Request& request);
  // SideReads::Host
  int PickForSideRead(const Request& request, CopyMask tried) override;
  bool MaySendSideRead(const Request& request) override { return !TouchesLockedKey(request); }
  bool IsDoubtfulReply(uint32_t copy, const Reply& reply) override {
    return IsDoubtful(copy, reply);
  }
  const Link& MainLink(uint32_t copy) const override { return *copies_[copy]->link; }
  bool MaySideTakeLonger(const Link& link, uint64_t overdue_ms) override {
    return MayTakeLonger(link, overdue_ms);
  }
  bool IsGone(uint32_t session) const override { return env_->IsGone(session); }
  bool MayAnswerLater() const override { return Hopeful(); }
  std::string WhyNobodyAnswers() const override { return DownText(); }
  void RefuseSideRead(Request* request, const std::string& text) override {
    AnswerError(request, text);
  }
  void SendOnMainLink(uint32_t copy, Request* request) override;
  void OnSideReply(const Request& request, size_t bytes) override;
  void OnBlamed(const Request& request) override;
  void OnSideSessionDone() override { UpdateOpen(); }

  // shard_roles.cc: who is in and who must leave
  // As ShardEnv's, but nothing is heard once the shard is gone: one that a reload removes may have
  // edits under way.
  void Propose(Edit edit, EditDone done);
  void SetInfo(const ShardInfo& info);
  ShardInfo Placed(const ShardInfo& info) const;
  void Reconcile();
  bool MustLeave(uint32_t copy) const;
  int PickAuthority() const;
  int PickEmptyTwin() const;
  void ProposeRole(EditKind kind, uint32_t copy, std::string run_id, std::string reason);
  void OnEdit(EditKind kind, uint32_t copy, const EditResult& result);
  void SettleWaiting();
  void UpdateOpen();
  void MarkUnsure(uint32_t copy, const std::string& why);
  void SaveRunId(uint32_t copy);
  std::string WhyOfAnother(const Link& link, std::string_view process);
  bool Starting() const;

  // shard_loss.cc: the last copy in sync is lost, or has come back with other data
  bool CameBackEmpty() const;
  int EqualOfPrimary(bool* awaited) const;
  bool TakeEqualOfPrimary();
  bool PrimaryIsLost() const;
  void AcceptTogether(uint32_t copy);
  void NoteOldData();
  void WatchLoss(uint64_t now_ms);
  void TakeInstead(uint32_t copy);
  void NoteLoss(uint32_t copy, bool known);
  void DeleteDoubtful(uint32_t copy);
  void OnDeleted(uint32_t copy, bool ok);

  // shard_mend.cc: dirty keys, and the way back in
  void RecordKeys(CopyMask copies, std::string_view frame);
  void RecordWrite(const Request& request);
  void NeedJournal(uint32_t copy);
  void ForgetSettled();
  bool Mendable(uint32_t copy) const;
  void Mend(uint64_t now_ms);
  void MendInPlace();
  void StartRepairs();
  void Join(uint32_t copy);
  void LeaveJoin(uint32_t copy, const std::string& why);
  void Enter(uint32_t copy);
  void OnEntered(uint32_t copy, const EditResult& result);
  void UpdateTargets();
  void KeyClean(const std::string& key, CopyMask copies);
  void CheckInPlace(uint32_t copy);
  bool OthersAreGood(uint32_t copy) const;
  std::string MendNote(uint32_t copy) const;

  // shard_scan_copy.cc: a whole copy, key by key
  void AskForScan(uint32_t copy, uint32_t to, uint8_t what, size_t item, std::string_view frame);
  ScanCopy* ScanOf(const Op& op, uint32_t* copy);
  void StepScan(uint32_t copy);
  void OnScanReply(const Op& op, std::string_view reply);
  void OnScanLost(const Op& op);
  void ToRepairNext(uint32_t copy, std::string_view key);
  void ForEachToRepair(uint32_t copy, const std::function<bool(const std::string&)>& take);
  void OnKeyTooBig(uint32_t copy, const std::string& key, const std::string& why);

  // shard_report.cc
  void Report(Request* request);
  void Explain(Request* request);

  // shard_compare.cc
  void OnCompareReply(uint32_t copy, Op* op, std::string_view reply);
  void OnCompareLost(uint32_t copy, Op* op);
  void EndCompareOp(Op* op);

  // KeyRepair::Host
  bool CanSendRepair(uint32_t copy) override { return copies_[copy]->link->up(); }
  void SendRepair(uint32_t copy, Op* op, std::string_view frame) override;
  Op* NewRepairOp() override;
  const NodeIdentity& IdentityOf(uint32_t copy) override { return copies_[copy]->link->identity(); }
  void OnKeyRepaired(const std::string& key, CopyMask copies) override;
  void OnKeyNotRepaired(const std::string& key, CopyMask copies, const std::string& why,
                        bool too_big) override;

  ShardOptions options_;
  ShardInfo info_;
  const CommandTable* table_;
  ChunkPool* pool_;
  ShardEnv* env_;
  std::vector<std::unique_ptr<Copy>> copies_;
  OpPool ops_;
  HedgePool hedges_;
  HedgeBudget hedge_budget_;

  SideReads side_;
  HeavyReads heavy_;
  // A node has closed a link with reads in line: until then reads that may be large go aside, or
  // those that come next would end the link to the next copy.
  uint64_t careful_until_ms_ = 0;
  static constexpr uint16_t kAnyLog2 = 256;
  uint16_t plain_log2_ = kAnyLog2;  // see UpdatePlainReads
  uint64_t room_mb_ = 0;            // taken by writes of large values in flight
  // Frames below it have no argument that a node refuses, and are not remembered as large.
  uint64_t plain_bytes_ = HeavyReads::kLarge;
  uint64_t largest_argument_ = NodeLimits::kNone;  // that all members take
  uint64_t least_output_ = NodeLimits::kNone;      // that some member keeps for one client
  bool open_ = false;  // every in-sync copy can be written to, nothing is held, nothing is locked,
                       // no read is aside or known to belong there, and there is no gate
  ShardGate* gate_ = nullptr;
  std::string sweep_note_;
  CopyMask in_sync_ = 0;
  CopyMask up_ = 0;          // the link is up and the node is the process it should be
  CopyMask readable_ = 0;    // in sync, up and not leaving
  CopyMask joining_ = 0;     // stale, and sent all writes again while their dirty keys are repaired
  CopyMask leaving_ = 0;     // being marked stale
  CopyMask entering_ = 0;    // of them: being marked in sync
  CopyMask targets_ = 0;     // where writes go: in sync or joining
  CopyMask journaling_ = 0;  // stale, with a journal
  CopyMask scanning_ = 0;    // of those that join: not every key that may be wrong is known yet
  uint32_t scans_ = 0;       // that were begun
  double repair_budget_ = 0;  // keys
  // What is deleted on a copy before it is promoted: see shard_loss.cc.
  struct Deleting {
    uint32_t pending = 0;
    bool failed = false;
  } deleting_;
  uint64_t lost_since_ms_ = 0;  // the primary, and nobody else is in sync; 0: it is not
  // Of a process that restarted and counts all the same: all copies in sync did, or it was emptied.
  std::string accepted_run_id_;
  std::string refused_run_id_;  // of one that does not, and that was logged
  uint64_t mended_ms_ = 0;
  bool mending_ = false;
  CopyMask silent_ = 0;  // their line does not move: read from only if all are
  CopyMask hedged_ = 0;  // of these, those whose reads were sent to others too
  uint32_t primary_ = 0;
  bool losing_ = false;       // a link is handing back what it lost
  bool lost_script_ = false;  // of that the first script, and it was given up because of that
  mutable uint32_t rotor_ = 0;
  bool editing_ = false;
  bool adding_ = false;  // that edit changes nothing for those that are here
  bool paused_ = false;
  bool stopped_ = false;
  uint64_t started_ms_ = 0;
  uint64_t retry_edit_ms_ = 0;
  std::string edit_error_;
  std::string member_note_;
  uint64_t writes_in_flight_ = 0;
  uint64_t writes_sent_ = 0;
  std::function<void()> drained_;
  std::unique_ptr<ShardControl> control_;

  HeldQueue held_;
  bool releasing_ = false;
  std::vector<Op*> waiting_;  // writes that a leaving copy missed, until its mark is durable
  KeyRepair repair_;
  struct Comparison {
    CompareSink* sink = nullptr;
    size_t left = 0;  // commands not answered by all yet
    bool lost = false;
  } compare_;
  std::function<void(Request*)> audit_;
  ShardStats stats_;
  std::vector<std::string_view> args_;  // scratch
  std::vector<uint32_t> keys_;          // scratch
  std::string text_;                    // scratch
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_H_
