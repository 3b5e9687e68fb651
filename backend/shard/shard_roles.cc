#include "backend/shard/shard_roles.h"

#include <utility>

#include "backend/shard/aside.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/server_claims.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/watches.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

void ShardRoles::AddCopy(uint32_t copy) {
  if (copy >= facts_.size()) facts_.resize(copy + 1);
  facts_[copy] = {};
}

const RoleView& ShardRoles::View() {
  const Copies& copies = *parts_->copies;
  const ShardInfo& info = copies.info();
  view_.now_ms = parts_->env->NowMs();
  view_.primary = copies.primary();
  view_.members = copies.members();
  view_.ack = parts_->options.ack;
  view_.on_data_loss = parts_->options.on_data_loss;
  view_.wait_ms = parts_->options.wait_ms;
  view_.start_until_ms = started_ms_ + parts_->options.start_ms;
  view_.adopted = info.adopted;
  view_.paused = parts_->hold->paused();
  view_.editing = parts_->edits->editing();
  view_.edit_failed = !parts_->edits->error().empty();
  view_.stopped = stopped_;
  view_.writes_sent = parts_->writes->sent();
  view_.writes_in_flight = parts_->writes->in_flight();
  view_.accepted_run_id = accepted_run_id_;
  view_.copies.resize(copies.count());
  for (uint32_t i = 0; i < copies.count(); ++i) {
    CopyView& view = view_.copies[i];
    const Facts& facts = facts_[i];
    const Link& link = copies.link(i);
    const CopyInfo& saved = info.copies[i];
    view.stage = copies.stage(i);
    view.absence = facts.absence;
    view.grace_until_ms = facts.grace_until_ms;
    view.link_up = link.up();
    view.up = copies.IsUp(i);
    view.hopeful = link.times().hopeful();
    view.is_down = parts_->nodes->IsDown(i);
    view.drained = saved.drained();
    view.forgotten = parts_->journals->forgotten(i);
    view.was_equal = saved.state == CopyState::kStale && saved.cause == StaleCause::kNotClean;
    view.is_replica = link.identity().is_replica;
    view.whole = facts.whole;
    view.replaced_ms = facts.replaced_ms;
    view.empty_at = facts.empty_at;
    view.keys = link.identity().keys;
    view.name = link.name();
    view.run_id = link.identity().run_id;
    view.known_run_id = copies.run_id(i);
    view.leave_reason = facts.leave_reason;
  }
  return view_;
}

void ShardRoles::MarkUnsure(uint32_t copy, const std::string& why) {
  const CopyStage stage = parts_->copies->stage(copy);
  if (stage != CopyStage::kInSync && stage != CopyStage::kRefused) return;
  // What it refused cannot be repaired in place.
  if (stage == CopyStage::kRefused) EndGrace(copy);
  parts_->copies->Move(copy, CopyStage::kUnsure);
  facts_[copy].leave_reason = why;
  parts_->journals->Need(copy);
}

void ShardRoles::OnRefused(uint32_t copy) {
  const CopyStage stage = parts_->copies->stage(copy);
  if (stage == CopyStage::kInSync) parts_->copies->Move(copy, CopyStage::kRefused);
  if (stage == CopyStage::kUnsure) EndGrace(copy);
}

void ShardRoles::Forgive(CopyMask copies) {
  ForEachCopy(copies, [this](uint32_t copy) {
    if (parts_->copies->Is(copy, CopyStage::kRefused)) {
      parts_->copies->Move(copy, CopyStage::kInSync);
    }
  });
}

void ShardRoles::OnMended(uint32_t copy) {
  parts_->copies->Move(copy, CopyStage::kInSync);
  facts_[copy].absence = Absence::kNone;
}

bool ShardRoles::InGrace(uint32_t copy) const {
  return IsAwaited(copy) && parts_->env->NowMs() < facts_[copy].grace_until_ms;
}

void ShardRoles::EndGrace(uint32_t copy) {
  if (facts_[copy].absence == Absence::kGrace) facts_[copy].absence = Absence::kHopeless;
}

// Under two names one server would apply every write twice, and two shards would delete each
// other's keys.
std::string ShardRoles::WhyNot(const Link& link, const NodeIdentity& identity) {
  Copies& copies = *parts_->copies;
  const std::string_view process = ProcessOf(identity.run_id);
  const uint32_t index = link.index();
  std::string why;
  for (uint32_t i = 0; i < copies.count(); ++i) {
    Link& other = copies.link(i);
    if (i == index || !other.up() || process.empty() || process == kHiddenRunId ||
        ProcessOf(other.identity().run_id) != process) {
      continue;
    }
    if (copies.InSync(index) && !copies.InSync(i)) {
      other.Fail("it is the same server as " + link.name());
      continue;
    }
    why = "it is the same server as " + other.name();
  }
  if (!why.empty() && why != facts_[index].refusal) {
    parts_->Note(NoteLevel::kError,
                 link.name() + " is not used: " + why + "; each copy needs a server of its own");
  }
  if (why.empty()) why = WhyOfAnother(link, process);
  facts_[index].refusal = why;
  return why;
}

// The server belongs to another shard of the process.
std::string ShardRoles::WhyOfAnother(const Link& link, std::string_view process) {
  ServerClaims* claims = parts_->env->claims();
  if (claims == nullptr || process.empty() || process == kHiddenRunId) return {};
  const std::optional<ServerUser> holder = claims->Claim(
      {parts_->options.name, link.name()}, process, parts_->options.nodes[link.index()].database);
  if (!holder) return {};
  std::string why =
      "it is the same server as " + holder->node + " of shard '" + holder->shard + "'";
  // A node that moves there by its own name is about to be let go.
  if (holder->node != link.name() && why != facts_[link.index()].refusal) {
    parts_->Note(NoteLevel::kWarn,
                 link.name() + " is not used: " + why +
                     "; a server, or one database of it, can belong to one shard only");
  }
  return why;
}

void ShardRoles::OnLinkUp(const Link& link, const NodeIdentity& identity) {
  const uint32_t index = link.index();
  Copies& copies = *parts_->copies;
  Facts& facts = facts_[index];
  facts.was_up = true;
  parts_->aside->LearnLimits();
  facts.empty_at =
      identity.keys == 0 && !identity.is_replica ? parts_->writes->sent() : CopyView::kNotEmpty;
  const std::string& known = copies.run_id(index);
  facts.whole = false;
  copies.Connected(index);
  if (!copies.InSync(index)) {
    const DirtyKeys* journal = parts_->journals->of(index);
    if (journal != nullptr && (!HoldsSameData(journal->run_id(), identity.run_id) ||
                               identity.unsettled || identity.is_replica)) {
      parts_->journals->Forget(index);
    }
  } else if (known.empty()) {
    copies.LearnRunId(index, identity.run_id);
    facts.keeps_writes = identity.keeps_writes;
    SaveRunId(index);
  } else if (HoldsSameData(known, identity.run_id) && !identity.unsettled) {
    OnSameProcess(index, identity);
  } else {
    OnOtherProcess(link, identity);
  }
  if (identity.is_replica && index == copies.primary()) {
    parts_->Note(NoteLevel::kError, "the primary " + link.name() +
                                        " is a REPLICAOF replica of another server and will refuse "
                                        "writes; send it REPLICAOF NO ONE or name another primary");
  }
  Reconcile();
}

void ShardRoles::OnSameProcess(uint32_t copy, const NodeIdentity& identity) {
  Facts& facts = facts_[copy];
  // What it had lost before another process answered there is not known any more.
  if (parts_->copies->Is(copy, CopyStage::kReplaced)) {
    parts_->copies->Move(copy, CopyStage::kUnsure);
  }
  facts.keeps_writes = identity.keeps_writes;
  // What was in flight is repaired while it is in its grace; see WayBack::MendInPlace.
  if (!parts_->copies->Is(copy, CopyStage::kUnsure)) facts.absence = Absence::kNone;
  if (parts_->copies->run_id(copy) != identity.run_id) {
    parts_->copies->LearnRunId(copy, identity.run_id);
    SaveRunId(copy);
  }
}

void ShardRoles::OnOtherProcess(const Link& link, const NodeIdentity& identity) {
  const uint32_t copy = link.index();
  Facts& facts = facts_[copy];
  const std::string& known = parts_->copies->run_id(copy);
  const bool same_process = ProcessOf(known) == ProcessOf(identity.run_id);
  parts_->copies->Move(copy, CopyStage::kReplaced);
  if ((parts_->copies->readable() & ~Bit(copy)) == 0) parts_->watches->TouchAll();
  parts_->tracked->OnAllChanged();
  facts.replaced_ms = parts_->env->NowMs();
  // Of the process whose data counts, and of this one, which never was another's replica.
  facts.whole = facts.keeps_writes && identity.keeps_writes && WasNeverReplica(identity.run_id) &&
                !same_process;
  if (HoldsSameData(known, identity.run_id)) {
    facts.leave_reason = "it may still apply what was sent on its last connection";
  } else if (same_process && ProcessOf(known) != kHiddenRunId) {
    facts.leave_reason = "it was made a replica of another server and may hold that one's data";
  } else {
    facts.leave_reason = "it restarted and may have lost its data";
  }
  parts_->journals->Forget(copy);
  parts_->Note(NoteLevel::kWarn,
               "node " + link.name() + " is not what it was: " + facts.leave_reason);
}

void ShardRoles::OnAccepted(uint32_t copy) {
  parts_->watches->TouchAll();
  parts_->tracked->OnAllChanged();
  Facts& facts = facts_[copy];
  const Link& link = parts_->copies->link(copy);
  facts.keeps_writes = link.up() && link.identity().keeps_writes;
  if (!link.up() || link.identity().run_id == parts_->copies->info(copy).run_id) return;
  // It restarted while that became durable.
  facts.keeps_writes = false;
  parts_->copies->Move(copy, CopyStage::kReplaced);
  facts.replaced_ms = parts_->env->NowMs();
  facts.leave_reason = "it restarted and may have lost its data";
  parts_->journals->Forget(copy);
}

// Not waited for: until it is durable a restart finds no run_id and learns it anew.
void ShardRoles::SaveRunId(uint32_t copy) {
  facts_[copy].run_id_unsaved = false;
  parts_->edits->SaveRunId(copy, [this, copy](bool ok) {
    facts_[copy].run_id_unsaved = !ok && parts_->copies->InSync(copy);
    return facts_[copy].run_id_unsaved;
  });
}

bool ShardRoles::OnLinkDown(const Link& link, const std::string& reason, bool refused) {
  const uint32_t copy = link.index();
  Facts& facts = facts_[copy];
  const bool was_up = std::exchange(facts.was_up, false);
  if ((parts_->copies->joining() & Bit(copy)) != 0) {
    parts_->way_back->Leave(copy, "its connection was lost");
  }
  if (parts_->copies->InSync(copy)) {
    // Refused, or known to hang: there is nothing to wait for.
    const bool hopeless = refused || parts_->nodes->IsDown(copy);
    if (was_up) {
      facts.absence = hopeless ? Absence::kHopeless : Absence::kGrace;
      facts.grace_until_ms = parts_->env->NowMs() + parts_->options.grace_ms;
    } else if (hopeless) {
      EndGrace(copy);
    }
  }
  if (!parts_->copies->Is(copy, CopyStage::kUnsure)) facts.leave_reason = reason;
  // A drained node is stopped by its operator, who knows.
  if (was_up && !stopped_ && !parts_->copies->info(copy).drained()) {
    parts_->Note(NoteLevel::kWarn, "lost the connection to " + link.name() + ": " + reason);
  }
  // Nobody but the operator can mend that; each time is one of many.
  const bool of_tls = reason.starts_with("TLS: ");
  if (!was_up && of_tls && reason != facts.told_reason) {
    parts_->Note(NoteLevel::kError, "no connection to " + link.name() + ": " + reason +
                                        "; what is wanted of its certificate [node_tls] says");
  }
  if (was_up || of_tls) facts.told_reason = of_tls ? reason : "";
  return was_up;
}

bool ShardRoles::PrimaryReady() {
  const uint32_t primary = parts_->copies->primary();
  return !stopped_ && parts_->copies->InSync(primary) && parts_->copies->IsUp(primary) &&
         !MustLeave(View(), primary);
}

bool ShardRoles::MayWrite() {
  return parts_->edits->AllowWrites() && parts_->copies->AllReadable() &&
         !(parts_->copies->info().adopted && Starting());
}

CopyMask ShardRoles::Readable() {
  CopyMask readable = 0;
  const RoleView& view = View();
  for (uint32_t i = 0; i < view.copies.size(); ++i) {
    const CopyView& copy = view.copies[i];
    if (copy.stage == CopyStage::kInSync && copy.up && (parts_->edits->leaving() & Bit(i)) == 0 &&
        !MustLeave(view, i)) {
      readable |= Bit(i);
    }
  }
  return readable;
}

void ShardRoles::Reconcile() {
  if (!stopped_) parts_->way_back->MendInPlace();
  if (stopped_ || !parts_->edits->MayPropose()) {
    parts_->shard->Refresh();
    return;
  }
  RoleStep step = NextRoleStep(View());
  if (step.all_well) parts_->edits->ForgetError();
  if (step.accept >= 0) AcceptTogether(static_cast<uint32_t>(step.accept));
  if (step.alone >= 0) TakeAlone(static_cast<uint32_t>(step.alone));
  if (step.old_data) NoteOldData();
  if (step.edit && step.edit->kind == EditKind::kPromote &&
      parts_->removals->feeds().AwaitsRest()) {
    step.edit.reset();  // for a few milliseconds
  }
  if (step.edit) {
    parts_->edits->Propose(*std::move(step.edit));
  } else if (step.all_well) {
    for (uint32_t i = 0; i < facts_.size(); ++i) {
      if (facts_[i].run_id_unsaved && parts_->copies->InSync(i)) SaveRunId(i);
    }
  }
  parts_->shard->Refresh();
}

void ShardRoles::TakeAlone(uint32_t copy) {
  // What it lost or refused another applied who is gone now: it is what there is.
  const CopyStage stage = parts_->copies->stage(copy);
  if (stage == CopyStage::kUnsure || stage == CopyStage::kRefused) {
    parts_->copies->Move(copy, CopyStage::kInSync);
  }
}

void ShardRoles::Accept(uint32_t copy) {
  accepted_run_id_ = parts_->copies->link(copy).identity().run_id;
}

// All copies in sync restarted: what this one has is what there is, also once it is alone.
void ShardRoles::AcceptTogether(uint32_t copy) {
  const Link& link = parts_->copies->link(copy);
  if (link.identity().run_id == accepted_run_id_) return;
  Accept(copy);
  if (link.identity().keys == 0 || facts_[copy].whole) return;
  parts_->Note(NoteLevel::kWarn, "all copies in sync restarted; the " +
                                     std::to_string(link.identity().keys) + " keys that " +
                                     parts_->copies->info(copy).node +
                                     " came back with count from now on");
}

void ShardRoles::NoteOldData() {
  const Link& link = parts_->copies->link(parts_->copies->primary());
  if (link.identity().run_id == refused_run_id_) return;
  refused_run_id_ = link.identity().run_id;
  parts_->Note(NoteLevel::kError,
               link.name() + " was the only copy in sync and restarted; the " +
                   std::to_string(link.identity().keys) +
                   " keys that it came back with may be old, and are " +
                   (parts_->options.on_data_loss == OnDataLoss::kMiss
                        ? "deleted (on_data_loss = \"miss\")"
                        : "not served: PROXY PROMOTE " + parts_->options.name + " " + link.name() +
                              " FORCE accepts them as they are"));
}

}  // namespace gemel
