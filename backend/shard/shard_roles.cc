// Who is in sync, who must leave, who is promoted. Reconcile is called after every event and
// derives the next step, if there is one, from the state alone.

#include <bit>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/shard/server_claims.h"
#include "backend/shard/shard.h"

namespace gemel {

void Shard::SetInfo(const ShardInfo& info) {
  ShardInfo placed = Placed(info);
  std::vector<CopyInfo> before = std::move(info_.copies);
  info_ = std::move(placed);
  in_sync_ = 0;
  for (uint32_t i = 0; i < info_.copies.size(); ++i) {
    CopyInfo& copy = info_.copies[i];
    if (copy.state != CopyState::kInSync) continue;
    in_sync_ |= Bit(i);
    // What was learnt counts even if it could not be saved.
    if (copy.run_id.empty() && i < before.size() && before[i].node == copy.node) {
      copy.run_id = before[i].run_id;
    }
  }
  primary_ = info_.primary;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) != 0) {
      copies_[i]->scan.reset();
      continue;
    }
    // Being stale says all that there is to say.
    copies_[i]->refusing = false;
    copies_[i]->unsure = false;
    copies_[i]->restarted = false;
    // One that left because it restarted was not counted as up.
    if (copies_[i]->link->up()) up_ |= Bit(i);
  }
  joining_ &= ~in_sync_;
  UpdateTargets();
}

void Shard::MarkUnsure(uint32_t copy, const std::string& why) {
  if (copies_[copy]->unsure) return;
  copies_[copy]->unsure = true;
  copies_[copy]->leave_reason = why;
  NeedJournal(copy);
}

// Under two names one server would apply every write twice, and two shards would delete each
// other's keys.
std::string Shard::WhyNot(const Link& link, const NodeIdentity& identity) {
  Copy& copy = *copies_[link.index()];
  const std::string_view process = ProcessOf(identity.run_id);
  std::string why;
  for (const auto& other : copies_) {
    if (other->link->index() == link.index() || !other->link->up() || process.empty() ||
        process == kHiddenRunId || ProcessOf(other->link->identity().run_id) != process) {
      continue;
    }
    if ((in_sync_ & Bit(link.index())) != 0 && (in_sync_ & Bit(other->link->index())) == 0) {
      other->link->Fail("it is the same server as " + link.name());
      continue;
    }
    why = "it is the same server as " + other->link->name();
  }
  if (!why.empty() && why != copy.refusal) {
    env_->Note(NoteLevel::kError, "shard '" + info_.name + "': " + link.name() +
                                      " is not used: " + why +
                                      "; each copy needs a server of "
                                      "its own");
  }
  if (why.empty()) why = WhyOfAnother(link, process);
  copy.refusal = why;
  return why;
}

// The server belongs to another shard of the process.
std::string Shard::WhyOfAnother(const Link& link, std::string_view process) {
  if (env_->claims() == nullptr || process.empty() || process == kHiddenRunId) return {};
  const std::optional<ServerUser> holder = env_->claims()->Claim(
      {info_.name, link.name()}, process, options_.nodes[link.index()].database);
  if (!holder) return {};
  std::string why =
      "it is the same server as " + holder->node + " of shard '" + holder->shard + "'";
  // A node that moves there by its own name is about to be let go.
  if (holder->node != link.name() && why != copies_[link.index()]->refusal) {
    env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': " + link.name() +
                                     " is not used: " + why +
                                     "; a server, or one database of it, can belong to one "
                                     "shard only");
  }
  return why;
}

void Shard::OnLinkUp(Link* link, const NodeIdentity& identity) {
  const uint32_t index = link->index();
  Copy& copy = *copies_[index];
  copy.was_up = true;
  copy.left_script = false;
  LearnLimits();
  copy.empty_at = identity.keys == 0 && !identity.is_replica ? writes_sent_ : kNotEmpty;
  copy.detector.OnAnswer(env_->NowMs());
  const std::string& known = info_.copies[index].run_id;
  copy.whole = false;
  if ((in_sync_ & Bit(index)) == 0) {
    up_ |= Bit(index);
    if (copy.journal != nullptr && (!HoldsSameData(copy.journal->run_id(), identity.run_id) ||
                                    identity.haunted || identity.is_replica)) {
      ForgetJournal(index);
    }
  } else if (known.empty()) {
    up_ |= Bit(index);
    info_.copies[index].run_id = identity.run_id;
    copy.keeps_writes = identity.keeps_writes;
    SaveRunId(index);
  } else if (HoldsSameData(known, identity.run_id) && !identity.haunted) {
    up_ |= Bit(index);
    copy.restarted = false;
    copy.keeps_writes = identity.keeps_writes;
    // What was in flight is repaired while it is in its grace; see MendInPlace.
    if (!copy.unsure) copy.grace_until_ms = 0;
    if (known != identity.run_id) {
      info_.copies[index].run_id = identity.run_id;
      SaveRunId(index);
    }
  } else {
    copy.restarted = true;
    copy.restarted_ms = env_->NowMs();
    // Of the process whose data counts, and of this one, which never was another's replica.
    copy.whole = copy.keeps_writes && identity.keeps_writes && WasNeverReplica(identity.run_id) &&
                 ProcessOf(known) != ProcessOf(identity.run_id);
    if (HoldsSameData(known, identity.run_id)) {
      copy.leave_reason = "it may still apply what was sent on its last connection";
    } else if (ProcessOf(known) == ProcessOf(identity.run_id) && ProcessOf(known) != kHiddenRunId) {
      copy.leave_reason = "it was made a replica of another server and may hold that one's data";
    } else {
      copy.leave_reason = "it restarted and may have lost its data";
    }
    ForgetJournal(index);
    env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': node " + link->name() +
                                     " is not what it was: " + copy.leave_reason);
  }
  if (identity.is_replica && index == primary_) {
    env_->Note(NoteLevel::kError, "shard '" + info_.name + "': the primary " + link->name() +
                                      " is a REPLICAOF replica of another server and will refuse "
                                      "writes; send it REPLICAOF NO ONE or name another primary");
  }
  Reconcile();
}

void Shard::Propose(Edit edit, EditDone done) {
  // Which process serves a copy is so whatever else changes.
  if (edit.kind != EditKind::kSetRunId) edit.expected = info_.epoch;
  env_->Propose(std::move(edit), [this, alive = std::weak_ptr<char>(alive_),
                                  done = std::move(done)](const EditResult& result) {
    if (alive.expired()) return;
    if (!result.ok) ++stats_.edits_failed;
    done(result);
  });
}

// Not waited for: until it is durable a restart finds no run_id and learns it anew.
void Shard::SaveRunId(uint32_t copy) {
  copies_[copy]->run_id_unsaved = false;
  const CopyInfo& info = info_.copies[copy];
  Propose(Edit{EditKind::kSetRunId, info_.name, info.node, info.run_id, "first contact"},
          [this, copy](const EditResult& result) {
            if (result.ok || (in_sync_ & Bit(copy)) == 0) return;
            copies_[copy]->run_id_unsaved = true;
            retry_edit_ms_ = env_->NowMs() + 1000;
          });
}

void Shard::OnLinkDown(Link* link, const std::string& reason, bool refused) {
  const uint32_t index = link->index();
  const bool was_up = std::exchange(copies_[index]->was_up, false);
  losing_ = lost_script_ = false;
  up_ &= ~Bit(index);
  copies_[index]->hang.OnLinkEnd();
  if ((joining_ & Bit(index)) != 0) LeaveJoin(index, "its connection was lost");
  if ((in_sync_ & Bit(index)) != 0) {
    // Refused, or known to hang: there is nothing to wait for.
    const bool hopeless = refused || copies_[index]->detector.health() == NodeHealth::kDown;
    if (was_up) {
      copies_[index]->grace_until_ms = hopeless ? 1 : env_->NowMs() + options_.grace_ms;
    } else if (hopeless && copies_[index]->grace_until_ms != 0) {
      copies_[index]->grace_until_ms = 1;
    }
  }
  if (refused) copies_[index]->detector.OnHardError(env_->NowMs());
  if (!copies_[index]->unsure) copies_[index]->leave_reason = reason;
  // A drained node is stopped by its operator, who knows.
  if (was_up && !stopped_ && !info_.copies[index].drained()) {
    env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': lost the connection to " +
                                     link->name() + ": " + reason);
  }
  // At once: a process that lives is back before anybody notices, one that died refuses.
  if (was_up && !refused && !stopped_) copies_[index]->link->Tick(env_->NowMs(), 0);
  if (!stopped_) Reconcile();
}

bool Shard::MustLeave(uint32_t index) const {
  const Copy& copy = *copies_[index];
  if (copy.restarted) return true;
  if (env_->NowMs() < copy.grace_until_ms && OthersAreGood(index)) return false;
  if (copy.unsure) return true;
  if (copy.link->up()) return false;
  if (copy.grace_until_ms != 0 && OthersAreGood(index)) return true;
  return !copy.link->hopeful() || copy.detector.health() == NodeHealth::kDown;
}

// The copy whose data is the truth if somebody has to leave: up, and in no doubt. Where all are in
// doubt, the doubts are weighed. -1: nobody can be named now, so nobody leaves.
int Shard::PickAuthority() const {
  int best = -1;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & up_ & Bit(i)) == 0 || copies_[i]->unsure || MustLeave(i)) continue;
    if (best < 0 || i == primary_) best = static_cast<int>(i);
  }
  if (best >= 0) return best;

  // Somebody without doubts may still come back.
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) != 0 && !copies_[i]->unsure && !copies_[i]->restarted &&
        copies_[i]->link->hopeful() && !copies_[i]->link->up()) {
      return -1;
    }
  }
  // All that are up lost writes in flight: their clients were told that the outcome is unknown, so
  // either outcome is right.
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & up_ & Bit(i)) == 0 || copies_[i]->restarted) continue;
    if (best < 0 || i == primary_) best = static_cast<int>(i);
  }
  if (best >= 0) return best;
  // All that are up restarted. One that is alone, or the primary when the others restarted too, is
  // what there is, but one that has all on its disk comes before it; or, once those that may still
  // have the data had time to come back, such a one or one that is empty (misses, never old
  // values).
  bool all_restarted = true;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) != 0 && !(copies_[i]->restarted && copies_[i]->link->up())) {
      all_restarted = false;
    }
  }
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const Copy& copy = *copies_[i];
    if ((in_sync_ & Bit(i)) == 0 || !copy.restarted || !copy.link->up()) continue;
    if (!all_restarted && ((copy.link->identity().keys != 0 && !copy.whole) ||
                           env_->NowMs() < copy.restarted_ms + options_.wait_ms)) {
      continue;
    }
    const bool best_whole = best >= 0 && copies_[static_cast<uint32_t>(best)]->whole;
    if (best < 0 || (i == primary_ ? !best_whole || copy.whole : copy.whole && !best_whole)) {
      best = static_cast<int>(i);
    }
  }
  return best;
}

// A stale copy that is equal to the primary all the same, because both are empty; -1 if there is
// none. Both were empty when they connected, and the shard has sent no write to anybody since.
int Shard::PickEmptyTwin() const {
  if ((up_ & Bit(primary_)) == 0 || copies_[primary_]->empty_at != writes_sent_ ||
      writes_in_flight_ != 0) {
    return -1;
  }
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) == 0 && copies_[i]->link->up() && !info_.copies[i].drained() &&
        copies_[i]->empty_at == writes_sent_) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void Shard::Reconcile() {
  if (!stopped_) MendInPlace();
  if (editing_ || stopped_ || env_->NowMs() < retry_edit_ms_) {
    UpdateOpen();
    return;
  }
  if (TakeEqualOfPrimary()) return;
  bool leaving = false;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    leaving |= (in_sync_ & Bit(i)) != 0 && MustLeave(i);
  }
  if (!leaving) edit_error_.clear();
  if (leaving) {
    const int authority = PickAuthority();
    if (authority >= 0) {
      const uint32_t chosen = static_cast<uint32_t>(authority);
      if (copies_[chosen]->restarted && in_sync_ != Bit(chosen)) AcceptTogether(chosen);
      if (chosen != primary_ && MustLeave(primary_)) {
        ProposeRole(EditKind::kPromote, chosen, {},
                    copies_[primary_]->link->name() + ": " + copies_[primary_]->leave_reason);
      } else {
        for (uint32_t i = 0; i < copies_.size() && !editing_; ++i) {
          if (i != primary_ && i != chosen && (in_sync_ & Bit(i)) != 0 && MustLeave(i)) {
            ProposeRole(EditKind::kMarkStale, i, {}, copies_[i]->leave_reason);
          }
        }
      }
      // Only once it is alone is a doubtful copy right: until then one without doubts may come
      // back, and the two would not be equal.
      if (!editing_ && in_sync_ == Bit(chosen)) {
        copies_[chosen]->unsure = false;
        // What it refused another applied who is gone now: it is what there is.
        copies_[chosen]->refusing = false;
        if (HoldsOldData()) {
          NoteOldData();
        } else if (copies_[chosen]->restarted) {
          ProposeRole(EditKind::kSetRunId, chosen, copies_[chosen]->link->identity().run_id,
                      "no other copy is left");
        }
      }
    }
  } else if (const int twin = PickEmptyTwin(); twin >= 0 && !paused_) {
    const uint32_t chosen = static_cast<uint32_t>(twin);
    ProposeRole(EditKind::kMarkInSync, chosen, copies_[chosen]->link->identity().run_id,
                "both copies are empty");
  } else {
    for (uint32_t i = 0; i < copies_.size(); ++i) {
      if (copies_[i]->run_id_unsaved && (in_sync_ & Bit(i)) != 0) SaveRunId(i);
    }
  }
  UpdateOpen();
}

void Shard::ProposeRole(EditKind kind, uint32_t copy, std::string run_id, std::string reason) {
  editing_ = true;
  if (kind == EditKind::kMarkStale || kind == EditKind::kPromote) {
    const uint32_t leaver = kind == EditKind::kPromote ? primary_ : copy;
    NeedJournal(leaver);
    leaving_ = Bit(leaver);
  }
  Edit edit{kind, info_.name, info_.copies[copy].node, std::move(run_id), std::move(reason)};
  edit.expected = info_.epoch;  // also of kSetRunId: here it says which data is believed
  Propose(std::move(edit),
          [this, kind, copy](const EditResult& result) { OnEdit(kind, copy, result); });
}

void Shard::OnEdit(EditKind kind, uint32_t copy, const EditResult& result) {
  editing_ = false;
  leaving_ = 0;
  if (!result.ok) {
    edit_error_ = result.error;
    retry_edit_ms_ = env_->NowMs() + 1000;
    env_->Note(NoteLevel::kError, "shard '" + info_.name + "': could not " +
                                      std::string(EditKindName(kind)) + " " +
                                      info_.copies[copy].node + ": " + result.error);
    UpdateOpen();
    return;
  }
  edit_error_.clear();
  const int index = result.topology->IndexOf(info_.name);
  const uint32_t old_primary = primary_;
  SetInfo(result.topology->shards[static_cast<uint32_t>(index)]);
  const Link& link = *copies_[copy]->link;
  const bool accepts = kind == EditKind::kMarkInSync || kind == EditKind::kSetRunId ||
                       kind == EditKind::kForcePromote;
  if (accepts) copies_[copy]->keeps_writes = link.up() && link.identity().keeps_writes;
  if (accepts && link.up() && link.identity().run_id != info_.copies[copy].run_id) {
    copies_[copy]->keeps_writes = false;
    // It restarted while that became durable.
    copies_[copy]->restarted = true;
    copies_[copy]->restarted_ms = env_->NowMs();
    copies_[copy]->leave_reason = "it restarted and may have lost its data";
    ForgetJournal(copy);
  }
  const std::string& node = info_.copies[copy].node;
  const std::string epoch = " (epoch " + std::to_string(info_.epoch) + ")";
  switch (kind) {
    case EditKind::kPromote:
      ++stats_.promotions;
      ++stats_.marked_stale;
      env_->NoteRole(NoteLevel::kWarn, "shard '" + info_.name + "': promoted " + node +
                                           " to primary" + epoch + "; " +
                                           info_.copies[old_primary].node +
                                           " is stale: " + info_.copies[old_primary].reason);
      break;
    case EditKind::kMarkStale:
      ++stats_.marked_stale;
      env_->NoteRole(NoteLevel::kWarn, "shard '" + info_.name + "': " + node + " is stale" + epoch +
                                           ": " + info_.copies[copy].reason);
      break;
    case EditKind::kMarkInSync:
      env_->NoteRole(NoteLevel::kInfo,
                     "shard '" + info_.name + "': " + node + " is in sync" + epoch);
      break;
    case EditKind::kSetRunId:
      copies_[copy]->restarted = link.identity().run_id != info_.copies[copy].run_id;
      if (link.up()) up_ |= Bit(copy);
      // What the others have right was judged by data that is gone.
      for (uint32_t i = 0; i < copies_.size(); ++i) ForgetJournal(i);
      env_->NoteRole(NoteLevel::kWarn, "shard '" + info_.name + "': goes on with the data of " +
                                           node + ", which restarted: no other copy is left");
      break;
    case EditKind::kForcePromote:
      ++stats_.promotions;
      // What the others have right was judged by data that counts no more.
      for (uint32_t i = 0; i < copies_.size(); ++i) ForgetJournal(i);
      env_->NoteRole(NoteLevel::kWarn, "shard '" + info_.name + "': promoted " + node +
                                           " to primary" + epoch + ", although it was stale; " +
                                           info_.copies[old_primary].node +
                                           " is stale: " + info_.copies[old_primary].reason);
      break;
    default:
      break;
  }
  SettleWaiting();
  Reconcile();
}

// Writes that some copy missed: answered once all that are in sync have applied them.
void Shard::SettleWaiting() {
  const uint64_t now_ms = env_->NowMs();
  std::vector<Op*> waiting = std::move(waiting_);
  waiting_.clear();
  for (Op* op : waiting) {
    const CopyMask missing = Missing(*op);
    const bool somebody = (op->applied & in_sync_) != 0;
    if (missing == 0 && somebody) {
      AnswerKept(op);
    } else if (!somebody || now_ms >= op->waiting_since_ms + options_.wait_ms) {
      // Nobody who has it is left, or nobody can say so durably.
      if (op->applied == 0) ForgiveRefusals(*op);
      if (op->request != nullptr) {
        Request* request = op->request;
        op->request = nullptr;
        AnswerError(request, UnknownOutcomeText(*op));
      }
    } else {
      waiting_.push_back(op);
      continue;
    }
    OpEnded(op);
  }
}

void Shard::UpdateOpen() {
  readable_ = 0;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const Copy& copy = *copies_[i];
    if ((in_sync_ & up_ & ~leaving_ & Bit(i)) != 0 && !copy.refusing && !copy.unsure &&
        !MustLeave(i)) {
      readable_ |= Bit(i);
    }
  }
  if (!waiting_.empty() && !editing_) SettleWaiting();
  if (waiting_.empty() && in_sync_ == readable_) ForgetSettled();
  open_ = false;
  if (!held_.empty()) ReleaseHeld();
  open_ = CanWrite() && repair_.idle() && held_.empty() && gate_ == nullptr && side_.empty() &&
          heavy_.empty();
}

int Shard::CopyToResync() const {
  if (editing_ || !PrimaryReady()) return -1;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if (WantsResync(i)) return static_cast<int>(i);
  }
  return -1;
}

bool Shard::PrimaryReady() const {
  return !stopped_ && (up_ & in_sync_ & Bit(primary_)) != 0 && !MustLeave(primary_);
}

void Shard::Pause(std::function<void()> drained) {
  paused_ = true;
  UpdateOpen();
  if (writes_in_flight_ == 0) {
    drained();
  } else {
    drained_ = std::move(drained);
  }
}

void Shard::Resume() {
  paused_ = false;
  drained_ = nullptr;
  UpdateOpen();
}

void Shard::ProposeInSync(uint32_t copy, std::function<void(bool)> done) {
  if (editing_ || !copies_[copy]->link->up()) {
    done(false);
    return;
  }
  editing_ = true;
  Edit edit{EditKind::kMarkInSync, info_.name, info_.copies[copy].node,
            copies_[copy]->link->identity().run_id, "resynced"};
  Propose(std::move(edit), [this, copy, done](const EditResult& result) {
    OnEdit(EditKind::kMarkInSync, copy, result);
    if (result.ok) ++stats_.resyncs;
    done(result.ok);
  });
}

void Shard::set_resync_note(uint32_t copy, std::string note) {
  // Whoever resyncs it changes its data: what it said when it connected holds no more.
  if (!note.empty()) copies_[copy]->empty_at = kNotEmpty;
  copies_[copy]->resync_note = std::move(note);
}

}  // namespace gemel
