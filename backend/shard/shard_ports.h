// What those beside a shard may ask of it: one narrow door for each of them.

#ifndef GEMEL_BACKEND_SHARD_SHARD_PORTS_H_
#define GEMEL_BACKEND_SHARD_SHARD_PORTS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/health/failure_detector.h"
#include "backend/link/link.h"
#include "backend/shard/comparison.h"
#include "backend/shard/scan_copy.h"
#include "backend/shard/shard_gate.h"
#include "backend/shard/shard_parts.h"
#include "backend/topology/topology.h"

namespace gemel {

// What all of them may see.
class ShardView {
 public:
  // `parts` outlives it, as the shard does.
  explicit ShardView(ShardParts* parts) : parts_(parts) {}

  const ShardInfo& info() const;
  const std::string& name() const { return parts_->options.name; }
  const CommandTable& table() const { return *parts_->table; }
  const LinkOptions& node(uint32_t copy) const { return parts_->options.nodes[copy]; }
  uint32_t copy_count() const;
  bool IsMember(uint32_t copy) const;
  uint32_t member_count() const;
  CopyMask in_sync() const;
  // See Copies::databases.
  uint32_t databases() const;
  // In sync, and its link is up.
  bool InSyncAndUp(uint32_t copy) const;
  // Reads and writes go to that copy now: it is in sync, up and in no doubt.
  bool Serves(uint32_t copy) const;
  bool PrimaryReady() const;
  // Of the node's present connection: changes when it is made anew.
  uint64_t ConnectionOf(uint32_t copy) const;
  const NodeIdentity& IdentityOf(uint32_t copy) const;
  // An edit of this shard is being made durable: no other is to be proposed.
  bool editing() const;
  // A stale copy that can be resynced now: its node and the primary's are up. -1 if none.
  int CopyToResync() const;
  // Where those beside the shard declare what they count.
  Figures* figures() const { return parts_->figures; }

 protected:
  ShardParts* parts_;
};

// For resyncs, and for what watches the nodes for them (backend/resync).
class ResyncPort : public ShardView {
 public:
  using ShardView::ShardView;

  Link* link(uint32_t copy) const;
  NodeHealth HealthOf(uint32_t copy) const;
  // A stale copy that needs a whole copy (its dirty keys are not known), and whose node is up.
  bool WantsResync(uint32_t copy) const;
  // Nothing is known any more of what is right on this copy, which is about to be overwritten.
  void ForgetJournal(uint32_t copy) const;
  // It is about to be overwritten, or is: what it held when it connected is of no matter any more,
  // and what is written meanwhile may come to something else there (replicated_writes.h).
  void WillOverwrite(uint32_t copy) const;
  // Writes are held from now on; *drained runs once those in flight are answered by all copies.
  void Pause(std::function<void()> drained) const;
  void Resume() const;
  bool paused() const;
  // Marks a stale copy in sync, while paused. `done(true)` once it is in effect.
  void ProposeInSync(uint32_t copy, std::function<void(bool)> done) const;
  // See ScanCopies::Begin.
  bool CopyByScan(uint32_t copy, std::string* why, bool calm = false) const;
  ScanStatus StatusOfScan(uint32_t copy) const;
};

// For the audit (backend/audit).
class AuditPort : public ShardView {
 public:
  using ShardView::ShardView;

  // Who takes requests of kind kAudit; null: nobody does.
  void set_handler(std::function<void(Request*)> handler) const;
  // See Comparison.
  bool CanCompare() const;
  bool Compare(std::span<const CompareRead> reads, CopyMask copies, CompareSink* sink) const;
  bool comparing() const;
  void DropCompare() const;
  bool IsKeyLocked(std::string_view key) const;
  bool RepairKey(std::string_view key, CopyMask copies) const;
  // A node says that the key takes so many bytes of memory.
  void NoteMemory(std::string_view key, uint64_t bytes) const;
};

// For deletions after a change of the ring (backend/forget).
class ForgetPort : public ShardView {
 public:
  using ShardView::ShardView;

  // See Hold::set_gate.
  void set_gate(ShardGate* gate) const;
  // Sends a write now, ahead of all that is held. False, and nothing is done, if no write can be
  // sent now. The caller sees to it that none of its keys is locked.
  bool SendAhead(Request* write) const;
  // Sends a read to that copy, whose link is up. If it is answered by another one after all, that
  // one's bit is in `tried`.
  void SendTo(uint32_t copy, Request* request) const;
  // What the gate held may pass now.
  void ReleaseGated() const;
  size_t held() const;
  // A request is still held that came at that time or before.
  bool HoldsFrom(uint64_t at_ms) const;
  bool IsKeyLocked(std::string_view key) const;
  // ShardInfo::swept changed, durably.
  void set_swept(uint64_t ring) const;
  // See Copies::first_ring.
  uint64_t first_ring() const;
};

// For the settings of the nodes (backend/settings).
class SettingsPort : public ShardView {
 public:
  using ShardView::ShardView;

  bool IsConnected(uint32_t copy) const;
  const std::string& NameOf(uint32_t copy) const;
  // CopyInfo::settings changed, durably.
  void set_settings(uint32_t copy, std::vector<NodeSetting> settings) const;
  // What nodes remove is to be heard of also where there is but one.
  bool wants_removals() const;
  // See ReadSample.
  void set_told_of_reads(CopyMask copies) const;
  // See OomAnswers.
  void set_refuses_when_full(CopyMask copies) const;
};

// All of them. Copies are as good as the original.
struct ShardPorts {
  explicit ShardPorts(ShardParts* parts)
      : resync(parts), audit(parts), forget(parts), settings(parts) {}
  ResyncPort resync;
  AuditPort audit;
  ForgetPort forget;
  SettingsPort settings;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_PORTS_H_
