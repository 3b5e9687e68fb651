// Until Redis copies: what the nodes are already, and how the copy is made a replica.

#ifndef GEMEL_BACKEND_RESYNC_RESYNC_PREPARE_H_
#define GEMEL_BACKEND_RESYNC_RESYNC_PREPARE_H_

#include <cstdint>
#include <string>

#include "backend/resync/resync_core.h"

namespace gemel {

class ResyncPrepare {
 public:
  explicit ResyncPrepare(ResyncCore* core) : c_(core) {}

  // An attempt with that copy.
  void Begin(uint32_t copy);
  // It is known what the copy is: goes on if the process has a place for it.
  void TakeTurn();

 private:
  void LookAtProcess(const ControlReply& info, const std::string& replid);
  void LookAtCopy(const ReplicationInfo& copy, const std::string& replid);
  bool TakePlace(bool copying);
  void CheckNotSwapped();
  void CopyData();
  void SetAuth();
  void SetUser();
  std::string HostToName(const std::string& host) const;
  void FindPrimary();
  void TakeDelayAway();
  void Release();
  void OnReleased(const NodeRelease& release);
  void AskSource(const NodeRelease& release);
  void LeaveOtherMaster();
  void SendReplicaOf();

  ResyncCore* c_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_RESYNC_PREPARE_H_
