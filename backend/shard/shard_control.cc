#include "backend/shard/shard_control.h"

#include <algorithm>
#include <utility>

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

// Of one order: a hand-over and a drain, and one more because roles may change in between.
constexpr uint32_t kMaxEdits = 3;
constexpr size_t kMaxProofs = 16;
constexpr uint64_t kLongestFailbackWaitMs = 10 * 60 * 1000;

constexpr std::string_view kLeavesShard = "it leaves the shard";

std::string OnOneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\r', ' ');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

struct ShardControl::Proof : Request, RequestSink {
  void OnReply(Request*, const Reply&) override { control->OnProof(this); }

  ShardControl* control = nullptr;
  uint64_t attempt = 0;
  uint32_t copy = 0;
  uint64_t connection = 0;
};

ShardControl::ShardControl(Shard* shard, ShardEnv* env)
    : shard_(shard), env_(env), wait_ms_(shard->options().failback_after_ms) {}

ShardControl::~ShardControl() = default;

bool ShardControl::ParseVerb(std::string_view text, Verb* verb) {
  for (const auto& [name, value] : {std::pair<std::string_view, Verb>{"PROMOTE", Verb::kPromote},
                                    {"FORCE", Verb::kForce},
                                    {"RESYNC", Verb::kResync},
                                    {"DRAIN", Verb::kDrain},
                                    {"UNDRAIN", Verb::kUndrain},
                                    {"REMOVE", Verb::kRemove}}) {
    if (text != name) continue;
    *verb = value;
    return true;
  }
  return false;
}

void ShardControl::Submit(Request* request) {
  std::vector<std::string_view> args;
  SplitFrame(request->frame, &args);
  Verb verb;
  if (args.size() != 2 || !ParseVerb(args[0], &verb)) {
    Refuse(request, "not an order to a shard");
    return;
  }
  if (step_ != Step::kIdle) {
    Refuse(request, "another change of its roles is under way; try again");
    return;
  }
  const ShardInfo& info = shard_->info();
  const int copy = shard_->CopyOf(args[1]);
  if (copy < 0 && !(args[1].empty() && verb == Verb::kPromote)) {
    std::string nodes;
    for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
      if (shard_->IsMember(i)) nodes += (nodes.empty() ? "" : ", ") + info.copies[i].node;
    }
    Refuse(request, "it has no node " + std::string(args[1]) + "; its nodes are " + nodes);
    return;
  }
  // Where nothing is lost there is nothing to force.
  if (verb == Verb::kForce && !IsStale(static_cast<uint32_t>(copy)) && !shard_->HoldsOldData()) {
    verb = Verb::kPromote;
  }
  Begin(verb, copy, request);
}

void ShardControl::Begin(Verb verb, int copy, Request* request) {
  verb_ = verb;
  any_copy_ = copy < 0;
  copy_ = any_copy_ ? 0 : static_cast<uint32_t>(copy);
  request_ = request;
  detached_ = false;
  proven_connection_ = 0;
  edits_ = 0;
  consequence_.clear();
  began_ms_ = env_->NowMs();
  step_ = Step::kWaiting;
  // What cannot be done is refused before anything is held up by it.
  Edit edit;
  if (Plan(&edit)) Advance();
}

void ShardControl::Advance() {
  if (step_ == Step::kWaiting) {
    if (shard_->paused() || shard_->editing()) return;
    if (NeedsPause()) {
      step_ = Step::kDraining;
      began_ms_ = env_->NowMs();
      paused_ = true;
      // It may call back at once, or from deep inside the shard: there an edit may be proposed.
      shard_->Pause([this, attempt = attempt_] {
        if (attempt != attempt_) return;
        step_ = Step::kReady;
        Advance();
      });
      return;
    }
    step_ = Step::kReady;
  }
  if (step_ != Step::kReady || shard_->editing()) return;
  Edit edit;
  if (!Plan(&edit)) return;
  if (edit.kind == EditKind::kForcePromote && detach_ && !detached_) {
    TellNoReplica();
    return;
  }
  // What a copy has that leaves, the primary must have: not only by what was seen of it last.
  if ((edit.kind == EditKind::kDrain || edit.kind == EditKind::kMarkStale) && !IsStale(copy_)) {
    const uint32_t primary = shard_->info().primary;
    if (proven_copy_ != primary || proven_connection_ != shard_->ConnectionOf(primary)) {
      Prove();
      return;
    }
  }
  if (++edits_ > kMaxEdits) {
    Fail("its roles change too often; see PROXY EVENTS");
    return;
  }
  Propose(std::move(edit));
}

void ShardControl::Detach(uint32_t copy, std::function<void(const std::string&)> done) {
  detach_(copy, [this, copy, done = std::move(done)](const std::string& error) {
    Link* link = shard_->link(copy);
    if (error.empty()) link->set_run_id(std::string(ProcessOf(link->identity().run_id)));
    done(error);
  });
}

void ShardControl::TellNoReplica() {
  step_ = Step::kDetaching;
  Detach(copy_, [this, attempt = attempt_](const std::string& error) {
    if (attempt != attempt_) return;
    if (!error.empty()) {
      Fail(Info(copy_).node + " does not take REPLICAOF NO ONE: " + error);
      return;
    }
    detached_ = true;
    step_ = Step::kReady;
    Advance();
  });
}

void ShardControl::Prove() {
  if (proofs_.size() >= kMaxProofs) {
    Fail("the primary " + Info(shard_->info().primary).node + " does not answer PING");
    return;
  }
  step_ = Step::kProving;
  auto proof = std::make_unique<Proof>();
  proof->control = this;
  proof->attempt = attempt_;
  proof->copy = shard_->info().primary;
  proof->connection = shard_->ConnectionOf(proof->copy);
  proof->sink = proof.get();
  proof->primary_only = true;  // asked of nobody else, however long it takes
  proof->frame = "*1\r\n$4\r\nPING\r\n";
  proofs_.push_back(std::move(proof));
  shard_->SendTo(proofs_.back()->copy, proofs_.back().get());
}

void ShardControl::OnProof(Proof* answered) {
  const auto found = std::find_if(proofs_.begin(), proofs_.end(), [answered](const auto& proof) {
    return proof.get() == answered;
  });
  const std::unique_ptr<Proof> proof = std::move(*found);
  proofs_.erase(found);
  if (proof->attempt != attempt_ || step_ != Step::kProving) return;
  // Lost, it went to another copy or was answered with an error; then the primary's state has
  // changed, and is looked at again.
  if (proof->tried == Bit(proof->copy)) {
    proven_copy_ = proof->copy;
    proven_connection_ = proof->connection;
  }
  step_ = Step::kReady;
  Advance();
}

bool ShardControl::Plan(Edit* edit) {
  edit->shard = shard_->info().name;
  switch (verb_) {
    case Verb::kPromote:
    case Verb::kForce:
    case Verb::kFailback:
      return PlanRole(edit);
    case Verb::kDrain:
    case Verb::kRemove:
      return PlanDrain(edit);
    case Verb::kUndrain:
      if (!Info(copy_).drained()) {
        Done();
        return false;
      }
      *edit = {EditKind::kUndrain, edit->shard, Info(copy_).node, {}, "PROXY UNDRAIN"};
      return true;
    case Verb::kResync: {
      const std::string& node = Info(copy_).node;
      if (copy_ == shard_->info().primary) {
        Fail(node +
             " is the primary, whose data the others are copied from; promote another first "
             "(PROXY PROMOTE " +
             edit->shard + ")");
        return false;
      }
      if (Info(copy_).drained()) {
        Fail(node + " is drained and is not resynced; PROXY UNDRAIN " + node + " first");
        return false;
      }
      if (IsStale(copy_)) {
        // All of it, not only the keys of the writes that it missed.
        shard_->ForgetJournal(copy_);
        Done();
        return false;
      }
      if (!shard_->Serves(shard_->info().primary)) {
        Fail(node + " cannot be resynced now: the primary " + WhyUnfit(shard_->info().primary));
        return false;
      }
      *edit = {EditKind::kMarkStale, edit->shard, node, {}, "a resync was asked for"};
      return true;
    }
  }
  return false;
}

// PROMOTE, FORCE and the failback.
bool ShardControl::PlanRole(Edit* edit) {
  if (any_copy_) {
    const int successor = PickSuccessor();
    if (successor < 0) {
      Fail("there is no copy to promote: " + WhyNoSuccessor());
      return false;
    }
    any_copy_ = false;
    copy_ = static_cast<uint32_t>(successor);
  }
  const std::string& node = Info(copy_).node;
  if (copy_ == shard_->info().primary) {
    if (shard_->HoldsOldData()) return PlanAcceptance(edit);
    Done();
    return false;
  }
  if (verb_ == Verb::kForce && !IsStale(copy_)) {
    Fail(node + " is in sync; it is promoted without FORCE");
    return false;
  }
  if (shard_->Serves(copy_)) {
    *edit = {EditKind::kHandOver,
             edit->shard,
             node,
             {},
             verb_ == Verb::kFailback ? "failback" : "PROXY PROMOTE"};
    return true;
  }
  if (verb_ != Verb::kForce) {
    std::string why = WhyUnfit(copy_);
    if (Info(copy_).drained()) {
      why += "; PROXY UNDRAIN " + node + " first, and wait until it is in sync";
    } else if (IsStale(copy_)) {
      why +=
          ". Wait until it is in sync; or, if no copy that is in sync can be brought back, PROXY "
          "PROMOTE " +
          edit->shard + " " + node + " FORCE promotes it with the data that it has";
    }
    Fail(why);
    return false;
  }
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (!shard_->InSyncAndUp(i)) continue;
    Fail(node + " is stale and " + Info(i).node +
         " is in sync and up, so that nothing need be lost; FORCE is for when no copy that is in "
         "sync is up");
    return false;
  }
  const Link& link = *shard_->link(copy_);
  if (!link.up()) {
    Fail(node + " cannot be reached: " + link.last_error());
    return false;
  }
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (IsStale(i) || shard_->link(i)->up() || !shard_->link(i)->hopeful()) continue;
    Fail(node + " is stale and " + Info(i).node +
         ", which is in sync, may be back at any moment; try again once it is surely gone");
    return false;
  }
  *edit = {EditKind::kForcePromote, edit->shard, node, link.identity().run_id,
           node + " was promoted by PROXY PROMOTE FORCE"};
  if (!consequence_.empty()) return true;
  consequence_ = node +
                 " is primary with the data that it has: what was written while it was stale (" +
                 Info(copy_).reason + ") is lost, and the other copies will be overwritten from it";
  if (const std::string& note = shard_->resync_note(copy_); !note.empty()) {
    consequence_ += "; a resync of it had not ended (" + note + "), so it may hold only a part";
  }
  consequence_ = OnOneLine(consequence_);
  return true;
}

// FORCE of the primary, which came back with data that may be old.
bool ShardControl::PlanAcceptance(Edit* edit) {
  const std::string& node = Info(copy_).node;
  if (verb_ != Verb::kForce) {
    Fail(node +
         " is the primary, but it restarted, and the data that it came back with may be old; PROXY "
         "PROMOTE " +
         edit->shard + " " + node + " FORCE accepts it as it is");
    return false;
  }
  *edit = {EditKind::kSetRunId, edit->shard, node, shard_->link(copy_)->identity().run_id,
           "its data was accepted by PROXY PROMOTE FORCE"};
  consequence_ = node +
                 " is primary with the data that it came back with after its restart: what was "
                 "written since that was saved is lost, and the other copies will be overwritten "
                 "from it";
  return true;
}

bool ShardControl::PlanDrain(Edit* edit) {
  const ShardInfo& info = shard_->info();
  const std::string& node = Info(copy_).node;
  // A stale copy has nothing to lose by leaving at once.
  const bool leaves = verb_ == Verb::kRemove && IsStale(copy_);
  if (Info(copy_).drained() || leaves) {
    if (verb_ == Verb::kRemove && shard_->CopyOf(node) >= 0) {
      *edit = {EditKind::kRemoveCopy, edit->shard, node, {}, std::string(kLeavesShard)};
      return true;
    }
    Done();
    return false;
  }
  if (copy_ == info.primary) {
    const int successor = PickSuccessor();
    if (successor < 0) {
      Fail(node + " cannot be drained, no other copy can take its place: " + WhyNoSuccessor());
      return false;
    }
    *edit = {EditKind::kHandOver,
             edit->shard,
             Info(static_cast<uint32_t>(successor)).node,
             {},
             verb_ == Verb::kRemove ? std::string(kLeavesShard) : "PROXY DRAIN"};
    return true;
  }
  if (!IsStale(copy_) && !shard_->Serves(info.primary)) {
    Fail(node + " cannot be drained, no other copy can take its place: the primary " +
         WhyUnfit(info.primary));
    return false;
  }
  *edit = {EditKind::kDrain,
           edit->shard,
           node,
           {},
           verb_ == Verb::kRemove ? std::string(kLeavesShard) : "it was drained"};
  if (verb_ == Verb::kRemove) edit->drained_by = DrainedBy::kConfig;
  return true;
}

void ShardControl::Propose(Edit edit) {
  step_ = Step::kEditing;
  const std::string from = Info(shard_->info().primary).node;
  shard_->ProposeOrder(edit, [this, attempt = attempt_, edit, from,
                              consequence = consequence_](const EditResult& result) {
    // It is in effect even if the order was given up meanwhile.
    if (result.ok) NoteEdit(edit, from, consequence);
    if (attempt == attempt_) OnEdited(edit, result);
  });
}

void ShardControl::NoteEdit(const Edit& edit, const std::string& from,
                            const std::string& consequence) {
  const std::string epoch = " (epoch " + std::to_string(shard_->info().epoch) + ")";
  switch (edit.kind) {
    case EditKind::kHandOver:
      env_->NoteRole(NoteLevel::kInfo, Prefix() + from + " handed the primary's role over to " +
                                           edit.node + epoch + ": " + edit.reason);
      return;
    case EditKind::kSetRunId:
    case EditKind::kForcePromote:
      env_->NoteRole(NoteLevel::kWarn,
                     Prefix() + "PROXY PROMOTE FORCE" + epoch + ": " + consequence);
      return;
    case EditKind::kRemoveCopy:
      env_->NoteRole(NoteLevel::kInfo,
                     Prefix() + edit.node + " belongs to the shard no more" + epoch);
      return;
    case EditKind::kDrain:
      if (edit.drained_by == DrainedBy::kConfig) return;  // the end is told
      env_->NoteRole(NoteLevel::kInfo, Prefix() + edit.node + " is drained" + epoch +
                                           " and may be stopped; PROXY UNDRAIN lets it in again");
      return;
    case EditKind::kUndrain:
      env_->NoteRole(NoteLevel::kInfo, Prefix() + edit.node + " is undrained" + epoch +
                                           " and will be made equal again");
      return;
    default:
      return;  // the shard tells of it
  }
}

void ShardControl::OnEdited(const Edit& edit, const EditResult& result) {
  if (!result.ok) {
    Fail("could not " + std::string(EditKindName(edit.kind)) + " " + edit.node + ": " +
         result.error);
    return;
  }
  // The order has ended, or the state tells what is next.
  step_ = Step::kReady;
  Advance();
}

int ShardControl::PickSuccessor() const {
  int unwanted = -1;
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (i == shard_->info().primary || !shard_->Serves(i)) continue;
    if ((unwanted_ & Bit(i)) == 0) return static_cast<int>(i);
    unwanted = static_cast<int>(i);
  }
  return unwanted;
}

std::string ShardControl::WhyNoSuccessor() const {
  std::string why;
  for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
    if (i == shard_->info().primary || !shard_->IsMember(i)) continue;
    why += (why.empty() ? "" : "; ") + WhyUnfit(i);
  }
  return why.empty() ? "the shard has one copy only" : why;
}

// Of a copy that does not serve.
std::string ShardControl::WhyUnfit(uint32_t copy) const {
  const CopyInfo& info = Info(copy);
  const Link& link = *shard_->link(copy);
  if (info.drained()) return info.node + " is drained";
  if (IsStale(copy)) return info.node + " is stale: " + info.reason;
  if (!link.up()) {
    return info.node + " cannot be reached" +
           (link.last_error().empty() ? "" : ": " + link.last_error());
  }
  return info.node + " is in doubt: it restarted, refused a write or is about to become stale";
}

void ShardControl::Answer(Request* request, const std::string& reply) {
  request->sink->OnReply(request, Reply{reply, nullptr});
}

void ShardControl::Refuse(Request* request, const std::string& why) {
  std::string reply;
  AppendError(&reply, "ERR " + Prefix() + why);
  Answer(request, reply);
}

Request* ShardControl::End() {
  ++attempt_;
  step_ = Step::kIdle;
  if (std::exchange(paused_, false)) shard_->Resume();
  return std::exchange(request_, nullptr);
}

void ShardControl::Done() {
  if (edits_ > 0 && (verb_ == Verb::kPromote || verb_ == Verb::kForce))
    kept_away_ = Info(copy_).node != shard_->options().home;
  std::string reply;
  AppendSimple(&reply, consequence_.empty() || edits_ == 0 ? "OK" : "OK " + consequence_);
  if (Request* request = End(); request != nullptr) Answer(request, reply);
}

void ShardControl::Fail(const std::string& why) {
  // What was refused at once is told to who asked alone.
  if (verb_ == Verb::kFailback) {
    env_->Note(NoteLevel::kWarn,
               Prefix() + "the failback to " + Info(copy_).node + " is put off: " + why);
  } else if (paused_ || edits_ > 0 || detached_) {
    env_->Note(NoteLevel::kWarn,
               Prefix() + "what the operator asked for could not be done: " + why);
  }
  if (Request* request = End(); request != nullptr) Refuse(request, why);
}

void ShardControl::Stop() {
  ++attempt_;
  step_ = Step::kIdle;
  paused_ = false;
  if (Request* request = std::exchange(request_, nullptr); request != nullptr) {
    Refuse(request, "gemel is being stopped");
  }
}

void ShardControl::Tick(uint64_t now_ms) {
  if (step_ == Step::kIdle) {
    if (shard_->options().failback) Failback(now_ms);
    return;
  }
  if (step_ == Step::kWaiting || step_ == Step::kReady) Advance();
  if (step_ != Step::kIdle) Expire(now_ms);
}

void ShardControl::Expire(uint64_t now_ms) {
  const uint32_t limit_ms = paused_ ? shard_->options().pause_ms : shard_->options().wait_ms;
  if (now_ms < began_ms_ + limit_ms) return;
  const std::string limit = " within " + std::to_string(limit_ms) + " ms";
  switch (step_) {
    case Step::kWaiting:
    case Step::kReady:
      Fail("a resync was handing over or its roles were changing, and that did not end" + limit +
           "; try again");
      return;
    case Step::kDraining:
      Fail("the writes in flight were not answered by all copies" + limit +
           " (pause_ms); nothing was changed");
      return;
    case Step::kProving:
      Fail("the primary " + Info(shard_->info().primary).node + " did not answer PING" + limit +
           (edits_ == 0 ? "; nothing was changed" : ""));
      return;
    case Step::kDetaching:
      Fail(Info(copy_).node + " did not answer REPLICAOF NO ONE" + limit + "; nothing was changed");
      return;
    default:
      Fail("the change was not durable" + limit + "; it may still take effect, PROXY SHARDS tells");
  }
}

// The copy that the config lists first is primary again once it has been in sync and up for a
// while. Each attempt doubles the wait for the next; a long time as primary makes it short again.
void ShardControl::Failback(uint64_t now_ms) {
  const int found = shard_->CopyOf(shard_->options().home);
  if (found < 0) return;
  const auto home = static_cast<uint32_t>(found);
  const bool good = shard_->Serves(home);
  if (shard_->info().primary == home) {
    kept_away_ = false;
    good_since_ms_ = 0;
    if (!good) home_since_ms_ = 0;
    if (good && home_since_ms_ == 0) home_since_ms_ = now_ms;
    if (good && now_ms >= home_since_ms_ + kLongestFailbackWaitMs) {
      wait_ms_ = shard_->options().failback_after_ms;
    }
    return;
  }
  home_since_ms_ = 0;
  // An operator's choice stands until that copy left and came back.
  if (IsStale(home)) kept_away_ = false;
  if (!good || kept_away_) {
    good_since_ms_ = 0;
    return;
  }
  if (good_since_ms_ == 0) good_since_ms_ = now_ms;
  if (now_ms < good_since_ms_ + wait_ms_) return;
  good_since_ms_ = 0;
  wait_ms_ = std::min(wait_ms_ * 2, kLongestFailbackWaitMs);
  Begin(Verb::kFailback, found, nullptr);
}

void Shard::ProposeOrder(Edit edit, EditDone done) {
  edit.expected = info_.epoch;
  editing_ = true;
  const EditKind kind = edit.kind;
  const uint32_t copy = static_cast<uint32_t>(info_.IndexOf(edit.node));
  // One that is to leave is not read from the moment that it may be stale on disk.
  const bool leaves = kind == EditKind::kMarkStale || kind == EditKind::kDrain;
  if (leaves) {
    leaving_ = Bit(copy);
    if ((joining_ & Bit(copy)) != 0) LeaveJoin(copy, edit.reason);
    // What it misses while it is drained is all that it misses, if its process lives on.
    if (kind == EditKind::kDrain && (in_sync_ & Bit(copy)) != 0) NeedJournal(copy);
    UpdateOpen();
  }
  Propose(std::move(edit), [this, kind, copy, done = std::move(done)](const EditResult& result) {
    if (!result.ok) {
      editing_ = false;
      leaving_ = 0;
      done(result);
      Reconcile();
      return;
    }
    // It is to be copied as a whole, whatever it held when it connected.
    if (kind == EditKind::kMarkStale) {
      copies_[copy]->empty_at = kNotEmpty;
      ForgetJournal(copy);
    }
    OnEdit(kind, copy, result);
    done(result);
  });
}

void Shard::SendTo(uint32_t copy, Request* request) {
  request->tried = static_cast<uint16_t>(Bit(copy));
  copies_[copy]->link->Send(request, request->frame);
}

}  // namespace gemel
