#include "backend/shard/role_edits.h"

#include <utility>

#include "backend/shard/audience.h"
#include "backend/shard/blocked_clients.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/journals.h"
#include "backend/shard/removals.h"
#include "backend/shard/replicated_writes.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

constexpr uint64_t kRetryMs = 1000;

}  // namespace

// A copy in sync beside another must be known by its process: after a restart one that came back
// without its data would be taken for the one that had them.
void RoleEdits::Send(Edit edit, EditDone done) {
  const uint32_t primary = parts_->copies->primary();
  const std::string& process = parts_->copies->run_id(primary);
  if (edit.kind != EditKind::kMarkInSync || process.empty() ||
      parts_->copies->info(primary).run_id == process) {
    SendNow(std::move(edit), std::move(done));
    return;
  }
  Edit first{EditKind::kSetRunId, parts_->options.name, parts_->copies->info(primary).node, process,
             "first contact"};
  SendNow(std::move(first),
          [this, edit = std::move(edit), done = std::move(done)](const EditResult& result) mutable {
            if (result.ok) {
              SendNow(std::move(edit), std::move(done));
            } else {
              done(result);
            }
          });
}

// Nothing is heard once the shard is gone: one that a reload removes may have edits under way.
void RoleEdits::SendNow(Edit edit, EditDone done) {
  if (stopped_) return;
  // What was decided by the state of the shard holds for that state alone. Which process serves a
  // copy is so whatever else changes.
  const bool learnt = edit.kind == EditKind::kSetRunId && !editing_;
  if (!learnt) edit.expected = parts_->copies->info().epoch;
  const auto answered = [this, alive = alive_.watch(),
                         done = std::move(done)](const EditResult& result) {
    if (!result.ok) ++edits_failed_;
    if (result.ok && !alive.gone() && !result.topology->rings.empty()) {
      parts_->copies->set_first_ring(result.topology->rings.front().id);
    }
    done(result);
    if (result.ok || alive.gone()) return;
    // It may have been decided on what is not so any more.
    const int at = result.topology->IndexOf(parts_->options.name);
    if (at >= 0) OnTopology(result.topology->shards[static_cast<uint32_t>(at)]);
  };
  parts_->env->Propose(std::move(edit), alive_.Guard(answered));
}

void RoleEdits::Stop() {
  stopped_ = true;
  editing_ = false;
  alive_.End();
}

void RoleEdits::Take(const ShardInfo& info) {
  parts_->copies->SetInfo(info, parts_->journals->known());
  parts_->first->OnUndone(~parts_->copies->in_sync());
  parts_->scans->DropDone();
  parts_->replicated->OnRoles();
  parts_->removals->OnRoles();
  parts_->tracked->OnRoles();
  parts_->audience->channels().OnRoles();
}

void RoleEdits::OnTopology(const ShardInfo& info) {
  if (stopped_ || editing_ || info.epoch <= parts_->copies->info().epoch) return;
  Take(info);
  parts_->writes->Settle();
  parts_->roles->Reconcile();
}

// The copies in sync that such an edit makes stale.
CopyMask RoleEdits::LeftBehind(EditKind kind, uint32_t copy) const {
  switch (kind) {
    case EditKind::kMarkStale:
    case EditKind::kDrain:
      return Bit(copy);
    case EditKind::kPromote:
      return Bit(parts_->copies->primary());
    case EditKind::kForcePromote:
      return parts_->copies->in_sync() & ~Bit(copy);
    default:
      return 0;
  }
}

void RoleEdits::Propose(RoleEdit role) {
  editing_ = true;
  leaving_ = LeftBehind(role.kind, role.copy);
  // What one has that the forced one lacks no journal knows.
  if (role.kind != EditKind::kForcePromote) {
    ForEachCopy(leaving_, [this](uint32_t leaver) { parts_->journals->Need(leaver); });
  }
  Edit edit{role.kind, parts_->options.name, parts_->copies->info(role.copy).node,
            std::move(role.run_id), std::move(role.reason)};
  Send(std::move(edit), [this, kind = role.kind, copy = role.copy](const EditResult& result) {
    OnDone(kind, copy, result);
  });
}

bool RoleEdits::AllowWrites() const {
  if (!editing_ || adding_) return true;
  return entering_ != 0 && (entering_ & ~parts_->copies->joining()) == 0;
}

void RoleEdits::Enter(uint32_t copy, bool was_scanned) {
  editing_ = true;
  entering_ = Bit(copy);
  Edit edit{EditKind::kMarkInSync, parts_->options.name, parts_->copies->info(copy).node,
            parts_->copies->link(copy).identity().run_id,
            was_scanned ? "copied key by key" : "its missed keys are repaired"};
  Send(std::move(edit), [this, copy, was_scanned](const EditResult& result) {
    OnEntered(copy, was_scanned, result);
  });
}

void RoleEdits::OnEntered(uint32_t copy, bool was_scanned, const EditResult& result) {
  const bool whole = parts_->copies->Is(copy, CopyStage::kJoining) && parts_->journals->empty(copy);
  entering_ = 0;
  if (result.ok) {
    const int at = result.topology->IndexOf(parts_->options.name);
    Take(result.topology->shards[static_cast<uint32_t>(at)]);
    parts_->roles->OnEntered(copy);
    if (!whole) {
      parts_->roles->MarkUnsure(copy, "it lost writes while it was being marked in sync");
    }
  }
  OnDone(EditKind::kMarkInSync, copy, result);
  if (result.ok) ++(was_scanned ? resyncs_ : rejoins_);
}

void RoleEdits::MarkResynced(uint32_t copy, std::function<void(bool)> done) {
  if (editing_ || !parts_->copies->link(copy).up()) {
    done(false);
    return;
  }
  editing_ = true;
  Edit edit{EditKind::kMarkInSync, parts_->options.name, parts_->copies->info(copy).node,
            parts_->copies->link(copy).identity().run_id, "resynced"};
  Send(std::move(edit), [this, copy, done = std::move(done)](const EditResult& result) {
    OnDone(EditKind::kMarkInSync, copy, result);
    if (result.ok) ++resyncs_;
    done(result.ok);
  });
}

void RoleEdits::ProposeOrder(Edit edit, EditDone done) {
  editing_ = true;
  const EditKind kind = edit.kind;
  const uint32_t copy = static_cast<uint32_t>(parts_->copies->info().IndexOf(edit.node));
  // One that is to leave is not read from the moment that it may be stale on disk.
  leaving_ = LeftBehind(kind, copy);
  if (kind == EditKind::kMarkStale || kind == EditKind::kDrain) {
    if ((parts_->copies->joining() & Bit(copy)) != 0) parts_->way_back->Leave(copy, edit.reason);
    // What it misses while it is drained is all that it misses, if its process lives on.
    if (kind == EditKind::kDrain && parts_->copies->InSync(copy)) parts_->journals->Need(copy);
  }
  if (leaving_ != 0) parts_->shard->Refresh();
  Send(std::move(edit), [this, kind, copy, done = std::move(done)](const EditResult& result) {
    OnOrderDone(kind, copy, result, done);
  });
}

void RoleEdits::OnOrderDone(EditKind kind, uint32_t copy, const EditResult& result,
                            const EditDone& done) {
  if (!result.ok) {
    editing_ = false;
    leaving_ = 0;
    done(result);
    parts_->roles->Reconcile();
    return;
  }
  // It is to be copied as a whole, whatever it held when it connected.
  if (kind == EditKind::kMarkStale) {
    parts_->roles->OnOverwritten(copy);
    parts_->journals->Forget(copy);
  }
  OnDone(kind, copy, result);
  done(result);
}

void RoleEdits::AddNode(const std::string& node, EditDone done) {
  editing_ = true;
  adding_ = true;
  Send({EditKind::kAddCopy, parts_->options.name, node, {}, "the config has it now"},
       [this, done = std::move(done)](const EditResult& result) {
         editing_ = false;
         adding_ = false;
         done(result);
         if (!parts_->roles->stopped()) parts_->roles->Reconcile();
       });
}

void RoleEdits::SaveRunId(uint32_t copy, std::function<bool(bool ok)> ended) {
  Send(Edit{EditKind::kSetRunId, parts_->options.name, parts_->copies->info(copy).node,
            parts_->copies->run_id(copy), "first contact"},
       [this, ended = std::move(ended)](const EditResult& result) {
         if (ended(result.ok)) WaitFor(kRetryMs);
       });
}

void RoleEdits::OnDone(EditKind kind, uint32_t copy, const EditResult& result) {
  editing_ = false;
  leaving_ = 0;
  if (!result.ok) {
    SetError(result.error);
    WaitFor(kRetryMs);
    parts_->Note(NoteLevel::kError, "could not " + std::string(EditKindName(kind)) + " " +
                                        parts_->copies->info(copy).node + ": " + result.error);
    parts_->shard->Refresh();
    return;
  }
  ForgetError();
  const int index = result.topology->IndexOf(parts_->options.name);
  const uint32_t old_primary = parts_->copies->primary();
  Take(result.topology->shards[static_cast<uint32_t>(index)]);
  parts_->blocked->Doubt();
  switch (kind) {
    case EditKind::kPromote:
      ++promotions_;
      ++marked_stale_;
      break;
    case EditKind::kMarkStale:
      ++marked_stale_;
      break;
    case EditKind::kSetRunId:
      parts_->copies->Move(copy, CopyStage::kInSync);
      // What the others have right was judged by data that is gone.
      ForgetAllJournals();
      parts_->roles->OnAccepted(copy);
      break;
    case EditKind::kForcePromote:
      ++promotions_;
      ForgetAllJournals();
      parts_->roles->OnAccepted(copy);
      break;
    case EditKind::kMarkInSync:
      parts_->roles->OnAccepted(copy);
      break;
    default:
      break;
  }
  Tell(kind, copy, old_primary);
  parts_->writes->Settle();
  parts_->roles->Reconcile();
}

void RoleEdits::ForgetAllJournals() {
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) parts_->journals->Forget(i);
}

void RoleEdits::Tell(EditKind kind, uint32_t copy, uint32_t old_primary) {
  const ShardInfo& info = parts_->copies->info();
  const std::string& node = info.copies[copy].node;
  const std::string epoch = " (epoch " + std::to_string(info.epoch) + ")";
  const CopyInfo& old = info.copies[old_primary];
  switch (kind) {
    case EditKind::kPromote:
      parts_->NoteRole(NoteLevel::kWarn, "promoted " + node + " to primary" + epoch + "; " +
                                             old.node + " is stale: " + old.reason);
      return;
    case EditKind::kMarkStale:
      parts_->NoteRole(NoteLevel::kWarn,
                       node + " is stale" + epoch + ": " + info.copies[copy].reason);
      return;
    case EditKind::kMarkInSync:
      parts_->NoteRole(NoteLevel::kInfo, node + " is in sync" + epoch);
      return;
    case EditKind::kSetRunId:
      parts_->NoteRole(NoteLevel::kWarn, "goes on with the data of " + node +
                                             ", which restarted: no other copy is left");
      return;
    case EditKind::kForcePromote:
      parts_->NoteRole(NoteLevel::kWarn, "promoted " + node + " to primary" + epoch +
                                             ", although it was stale; " + old.node +
                                             " is stale: " + old.reason);
      return;
    default:
      return;
  }
}

}  // namespace gemel
