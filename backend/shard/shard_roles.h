// What has been seen of each copy that bears on its role, and what follows from it: Reconcile is
// called after every event and carries out the next step (role_step.h), if there is one.

#ifndef GEMEL_BACKEND_SHARD_SHARD_ROLES_H_
#define GEMEL_BACKEND_SHARD_SHARD_ROLES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/link/link.h"
#include "backend/shard/role_step.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class ShardRoles {
 public:
  explicit ShardRoles(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy);
  void Start(uint64_t now_ms) { started_ms_ = now_ms; }
  void Stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  // --- links: see LinkOwner ---
  std::string WhyNot(const Link& link, const NodeIdentity& identity);
  void OnLinkUp(const Link& link, const NodeIdentity& identity);
  // All that was lost has been handed back. True: the connection was up before.
  bool OnLinkDown(const Link& link, const std::string& reason, bool refused);

  // --- doubts ---
  void MarkUnsure(uint32_t copy, const std::string& why);
  // It refused a write that others may have applied.
  void OnRefused(uint32_t copy);
  // Nobody who counts applied what these refused.
  void Forgive(CopyMask copies);
  // What it lost is repaired in place.
  void OnMended(uint32_t copy);
  // What the copy is sent from now on makes it another than it said when it connected.
  void OnOverwritten(uint32_t copy) { facts_[copy].empty_at = CopyView::kNotEmpty; }
  // Its connection was lost, and it may come back: at all, and now.
  bool IsAwaited(uint32_t copy) const { return facts_[copy].absence == Absence::kGrace; }
  bool InGrace(uint32_t copy) const;
  // It cannot be repaired in place.
  void EndGrace(uint32_t copy);
  // It is in sync now, after its missed keys were repaired.
  void OnEntered(uint32_t copy) { facts_[copy].absence = Absence::kNone; }
  // An edit that takes the copy's process as it was is in effect. It may have restarted meanwhile.
  void OnAccepted(uint32_t copy);

  void Reconcile();
  // Who can be read from now.
  CopyMask Readable();

  // --- what is known ---
  bool PrimaryReady();
  bool HoldsOldData() { return gemel::HoldsOldData(View()); }
  bool PrimaryIsLost() { return gemel::PrimaryIsLost(View()); }
  // The roles allow writes now (but for a pause).
  bool MayWrite();
  bool Hopeful() { return IsHopeful(View()); }
  bool Starting() { return IsStarting(View()); }
  const std::string& leave_reason(uint32_t copy) const { return facts_[copy].leave_reason; }
  // Why the node is not used; empty: it is.
  const std::string& refusal(uint32_t copy) const { return facts_[copy].refusal; }
  // The process that answers there now counts, whatever it came back with.
  void Accept(uint32_t copy);
  // Valid until the next call.
  const RoleView& View();

 private:
  struct Facts {
    Absence absence = Absence::kNone;
    uint64_t grace_until_ms = 0;
    uint64_t replaced_ms = 0;
    bool keeps_writes = false;  // the process whose data the topology speaks of, as it said
    bool whole = false;
    bool was_up = false;          // for the log
    bool run_id_unsaved = false;  // and to be tried again
    uint64_t empty_at = CopyView::kNotEmpty;
    std::string leave_reason;
    std::string told_reason;  // why there is no connection, in the log
    std::string refusal;
  };

  std::string WhyOfAnother(const Link& link, std::string_view process);
  void OnOtherProcess(const Link& link, const NodeIdentity& identity);
  void OnSameProcess(uint32_t copy, const NodeIdentity& identity);
  void SaveRunId(uint32_t copy);
  void AcceptTogether(uint32_t copy);
  void TakeAlone(uint32_t copy);
  void NoteOldData();

  ShardParts* parts_;
  std::vector<Facts> facts_;  // by copy
  RoleView view_;             // scratch
  // Of a process that restarted and counts all the same: all copies in sync did, or it was emptied.
  std::string accepted_run_id_;
  std::string refused_run_id_;  // of one that does not, and that was logged
  uint64_t started_ms_ = 0;
  bool stopped_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_ROLES_H_
