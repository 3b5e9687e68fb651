#include "backend/shard/shard_ports.h"

#include <utility>

#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/key_sample.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/replicated_writes.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

const ShardInfo& ShardView::info() const { return parts_->copies->info(); }
uint32_t ShardView::copy_count() const { return parts_->copies->count(); }
bool ShardView::IsMember(uint32_t copy) const { return parts_->copies->IsMember(copy); }
uint32_t ShardView::member_count() const { return parts_->copies->members(); }
CopyMask ShardView::in_sync() const { return parts_->copies->in_sync(); }
bool ShardView::InSyncAndUp(uint32_t copy) const {
  return parts_->copies->InSync(copy) && parts_->copies->IsUp(copy);
}
bool ShardView::Serves(uint32_t copy) const { return parts_->copies->Serves(copy); }
bool ShardView::PrimaryReady() const { return parts_->roles->PrimaryReady(); }
uint64_t ShardView::ConnectionOf(uint32_t copy) const {
  return parts_->copies->link(copy).times().connects();
}
const NodeIdentity& ShardView::IdentityOf(uint32_t copy) const {
  return parts_->copies->link(copy).identity();
}
bool ShardView::editing() const { return parts_->edits->editing(); }
int ShardView::CopyToResync() const { return parts_->way_back->CopyToResync(); }

Link* ResyncPort::link(uint32_t copy) const { return &parts_->copies->link(copy); }
NodeHealth ResyncPort::HealthOf(uint32_t copy) const { return parts_->nodes->HealthOf(copy); }
bool ResyncPort::WantsResync(uint32_t copy) const { return parts_->way_back->WantsResync(copy); }
void ResyncPort::ForgetJournal(uint32_t copy) const { parts_->journals->Forget(copy); }
void ResyncPort::WillOverwrite(uint32_t copy) const {
  parts_->roles->OnOverwritten(copy);
  parts_->replicated->OnOverwriting(copy);
}
void ResyncPort::Pause(std::function<void()> drained) const {
  parts_->hold->Pause(std::move(drained));
}
void ResyncPort::Resume() const { parts_->hold->Resume(); }
bool ResyncPort::paused() const { return parts_->hold->paused(); }
void ResyncPort::ProposeInSync(uint32_t copy, std::function<void(bool)> done) const {
  parts_->edits->MarkResynced(copy, std::move(done));
}
bool ResyncPort::CopyByScan(uint32_t copy, std::string* why, bool calm) const {
  return parts_->scans->Begin(copy, why, calm);
}
ScanStatus ResyncPort::StatusOfScan(uint32_t copy) const { return parts_->scans->StatusOf(copy); }

uint32_t ShardView::databases() const { return parts_->copies->databases(); }

void AuditPort::set_handler(std::function<void(Request*)> handler) const {
  parts_->comparison->set_audit(std::move(handler));
}
bool AuditPort::CanCompare() const { return parts_->comparison->CanBegin(); }
bool AuditPort::Compare(std::span<const CompareRead> reads, CopyMask copies,
                        CompareSink* sink) const {
  return parts_->comparison->Begin(reads, copies, sink);
}
bool AuditPort::comparing() const { return parts_->comparison->under_way(); }
void AuditPort::DropCompare() const { parts_->comparison->Drop(); }
bool AuditPort::IsKeyLocked(std::string_view key) const {
  return parts_->comparison->IsKeyLocked(key);
}
bool AuditPort::RepairKey(std::string_view key, CopyMask copies) const {
  return parts_->comparison->RepairKey(key, copies);
}

void AuditPort::NoteMemory(std::string_view key, uint64_t bytes) const {
  parts_->sample->OnMemory(key, bytes);
}

void ForgetPort::set_gate(ShardGate* gate) const {
  parts_->hold->set_gate(gate);
  parts_->shard->Refresh();
}
bool ForgetPort::SendAhead(Request* write) const {
  if (parts_->roles->stopped() || !parts_->hold->CanWrite()) return false;
  parts_->writes->Send(write);
  return true;
}
void ForgetPort::SendTo(uint32_t copy, Request* request) const {
  parts_->reads->SendTo(copy, request, Bit(copy));
}
void ForgetPort::ReleaseGated() const {
  // While a link hands back what it lost, what is held waits for the end of that.
  if (!parts_->copies->losing() && !parts_->hold->empty()) parts_->hold->Release();
}
size_t ForgetPort::held() const { return parts_->hold->size(); }
bool ForgetPort::HoldsFrom(uint64_t at_ms) const { return parts_->hold->HoldsFrom(at_ms); }
bool ForgetPort::IsKeyLocked(std::string_view key) const {
  return parts_->comparison->IsKeyLocked(key);
}
void ForgetPort::set_swept(uint64_t ring) const { parts_->copies->set_swept(ring); }

uint64_t ForgetPort::first_ring() const { return parts_->copies->first_ring(); }

bool SettingsPort::IsConnected(uint32_t copy) const { return parts_->copies->link(copy).up(); }
const std::string& SettingsPort::NameOf(uint32_t copy) const {
  return parts_->copies->link(copy).name();
}
void SettingsPort::set_settings(uint32_t copy, std::vector<NodeSetting> settings) const {
  parts_->copies->set_settings(copy, std::move(settings));
}
bool SettingsPort::wants_removals() const { return parts_->tracked->wants_removals(); }
void SettingsPort::set_told_of_reads(CopyMask copies) const {
  parts_->reads->sample().set_told(copies);
}

void SettingsPort::set_refuses_when_full(CopyMask copies) const {
  parts_->writes->oom().Set(copies);
}

}  // namespace gemel
