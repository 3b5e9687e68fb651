#include "backend/shard/shard_control.h"

#include <algorithm>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/shard/audience.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/read_path.h"
#include "backend/shard/removals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

// Of one order: a hand-over and a drain, and one more because roles may change in between.
constexpr uint32_t kMaxEdits = 3;
constexpr size_t kMaxProofs = 16;

}  // namespace

struct ShardControl::Proof : Request, RequestSink {
  void OnReply(Request*, const Reply&) override { control->OnProof(this); }

  ShardControl* control = nullptr;
  uint64_t attempt = 0;
  uint32_t copy = 0;
  uint64_t connection = 0;
};

ShardControl::ShardControl(ShardParts* parts)
    : parts_(parts), departure_(parts), failback_(parts->options.failback_after_ms) {}

ShardControl::~ShardControl() = default;

bool ShardControl::IsStale(uint32_t copy) const {
  return parts_->copies->info(copy).state == CopyState::kStale;
}

const std::string& ShardControl::NodeOf(uint32_t copy) const {
  return parts_->copies->info(copy).node;
}

void ShardControl::Submit(Request* request) {
  Carry(static_cast<const OrderCargo&>(*request->extra->cargo).order,
        [this, request](const OrderResult& result) {
          std::string reply;
          if (result.ok) {
            AppendSimple(&reply, result.text.empty() ? "OK" : "OK " + result.text);
          } else {
            AppendError(&reply, "ERR " + parts_->Prefix() + result.text);
          }
          request->sink->OnReply(request, Reply{reply, nullptr});
        });
}

void ShardControl::Carry(const ShardOrder& order, OrderDone done) {
  if (step_ != Step::kIdle) {
    done({false, "another change of its roles is under way; try again"});
    return;
  }
  const Copies& copies = *parts_->copies;
  const int copy = copies.IndexOf(order.node);
  if (copy < 0 && !(order.node.empty() && order.verb == Verb::kPromote)) {
    std::string nodes;
    for (uint32_t i = 0; i < copies.count(); ++i) {
      if (copies.IsMember(i)) nodes += (nodes.empty() ? "" : ", ") + NodeOf(i);
    }
    done({false, "it has no node " + order.node + "; its nodes are " + nodes});
    return;
  }
  // Where nothing is lost there is nothing to force.
  const bool loses = order.verb != Verb::kForce || IsStale(static_cast<uint32_t>(copy)) ||
                     parts_->roles->HoldsOldData();
  Begin(loses ? order.verb : Verb::kPromote, copy, std::move(done));
}

void ShardControl::Begin(Verb verb, int copy, OrderDone done) {
  verb_ = verb;
  copy_ = copy;
  done_ = std::move(done);
  detached_ = false;
  proven_connection_ = 0;
  heard_ = 0;
  rest_ = {};
  edits_ = 0;
  consequence_.clear();
  began_ms_ = parts_->env->NowMs();
  step_ = Step::kWaiting;
  // What cannot be done is refused before anything is held up by it.
  OrderPlan plan;
  if (Plan(&plan)) Advance();
}

bool ShardControl::Plan(OrderPlan* plan) {
  *plan = PlanOrder(*parts_, verb_, copy_, unwanted_);
  if (plan->next != OrderPlan::Next::kRefuse || copy_ >= 0) copy_ = static_cast<int>(plan->copy);
  if (consequence_.empty()) consequence_ = plan->consequence;
  switch (plan->next) {
    case OrderPlan::Next::kEdit:
      return true;
    case OrderPlan::Next::kDone:
      if (plan->forget_journal) parts_->journals->Forget(plan->copy);
      Done();
      return false;
    case OrderPlan::Next::kRefuse:
      Fail(plan->why);
      return false;
  }
  return false;
}

bool ShardControl::IsProven() const {
  const uint32_t primary = parts_->copies->primary();
  return proven_copy_ == primary &&
         proven_connection_ == parts_->copies->link(primary).times().connects();
}

void ShardControl::Advance() {
  if (step_ == Step::kWaiting) {
    if (parts_->hold->paused() || parts_->edits->editing()) return;
    if (NeedsPause()) {
      step_ = Step::kDraining;
      began_ms_ = parts_->env->NowMs();
      paused_ = true;
      // It may call back at once, or from deep inside the shard: there an edit may be proposed.
      parts_->hold->Pause([this, attempt = attempt_] {
        if (attempt != attempt_) return;
        step_ = Step::kReady;
        Advance();
      });
      return;
    }
    step_ = Step::kReady;
  }
  if (step_ != Step::kReady || parts_->edits->editing()) return;
  OrderPlan plan;
  if (!Plan(&plan)) return;
  const EditKind kind = plan.edit.kind;
  if (kind == EditKind::kForcePromote && detach_ && !detached_) {
    TellNoReplica();
    return;
  }
  // What a copy has that leaves, the primary must have: not only by what was seen of it last.
  if ((kind == EditKind::kDrain || kind == EditKind::kMarkStale) && !IsStale(plan.copy) &&
      !IsProven()) {
    Prove();
    return;
  }
  // What the primary has removed until now must not be found on the one that takes its place.
  if (kind == EditKind::kHandOver && !parts_->removals->AllHeard(&heard_)) return;
  // Nor is what it has published to get lost.
  if (kind == EditKind::kHandOver && !parts_->audience->channels().IsHeard(&rest_)) return;
  if (++edits_ > kMaxEdits) {
    Fail("its roles change too often; see PROXY EVENTS");
    return;
  }
  Propose(plan.edit);
}

void ShardControl::Detach(uint32_t copy, std::function<void(const std::string&)> done) {
  detach_(copy, [this, copy, done = std::move(done)](const std::string& error) {
    Link& link = parts_->copies->link(copy);
    if (error.empty()) link.set_run_id(std::string(ProcessOf(link.identity().run_id)));
    done(error);
  });
}

void ShardControl::TellNoReplica() {
  step_ = Step::kDetaching;
  const uint32_t copy = static_cast<uint32_t>(copy_);
  Detach(copy, [this, copy, attempt = attempt_](const std::string& error) {
    if (attempt != attempt_) return;
    if (!error.empty()) {
      Fail(NodeOf(copy) + " does not take REPLICAOF NO ONE: " + error);
      return;
    }
    detached_ = true;
    step_ = Step::kReady;
    Advance();
  });
}

void ShardControl::Prove() {
  const uint32_t primary = parts_->copies->primary();
  if (proofs_.size() >= kMaxProofs) {
    Fail("the primary " + NodeOf(primary) + " does not answer PING");
    return;
  }
  step_ = Step::kProving;
  auto proof = std::make_unique<Proof>();
  proof->control = this;
  proof->attempt = attempt_;
  proof->copy = primary;
  proof->connection = parts_->copies->link(primary).times().connects();
  proof->sink = proof.get();
  proof->of_shard = true;
  proof->primary_only = true;  // asked of nobody else, however long it takes
  proof->frame = "*1\r\n$4\r\nPING\r\n";
  proofs_.push_back(std::move(proof));
  parts_->reads->SendTo(primary, proofs_.back().get(), Bit(primary));
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

void ShardControl::Propose(const Edit& edit) {
  step_ = Step::kEditing;
  const std::string from = NodeOf(parts_->copies->primary());
  parts_->edits->ProposeOrder(edit, [this, attempt = attempt_, edit, from,
                                     consequence = consequence_](const EditResult& result) {
    // It is in effect even if the order was given up meanwhile.
    if (result.ok) NoteEdit(edit, from, consequence);
    if (attempt == attempt_) OnEdited(edit, result);
  });
}

void ShardControl::NoteEdit(const Edit& edit, const std::string& from,
                            const std::string& consequence) {
  const std::string epoch = " (epoch " + std::to_string(parts_->copies->info().epoch) + ")";
  switch (edit.kind) {
    case EditKind::kHandOver:
      parts_->NoteRole(NoteLevel::kInfo, from + " handed the primary's role over to " + edit.node +
                                             epoch + ": " + edit.reason);
      return;
    case EditKind::kSetRunId:
    case EditKind::kForcePromote:
      parts_->NoteRole(NoteLevel::kWarn, "PROXY PROMOTE FORCE" + epoch + ": " + consequence);
      return;
    case EditKind::kRemoveCopy:
      parts_->NoteRole(NoteLevel::kInfo, edit.node + " belongs to the shard no more" + epoch);
      return;
    case EditKind::kDrain:
      if (edit.drained_by == DrainedBy::kConfig) return;  // the end is told
      parts_->NoteRole(NoteLevel::kInfo, edit.node + " is drained" + epoch +
                                             " and may be stopped; PROXY UNDRAIN lets it in again");
      return;
    case EditKind::kUndrain:
      parts_->NoteRole(NoteLevel::kInfo,
                       edit.node + " is undrained" + epoch + " and will be made equal again");
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

OrderDone ShardControl::End() {
  ++attempt_;
  step_ = Step::kIdle;
  if (std::exchange(paused_, false)) parts_->hold->Resume();
  return std::exchange(done_, nullptr);
}

void ShardControl::Done() {
  const bool promoted = edits_ > 0 && (verb_ == Verb::kPromote || verb_ == Verb::kForce);
  if (promoted) {
    failback_.KeepAway(NodeOf(static_cast<uint32_t>(copy_)) != parts_->options.home);
  }
  const std::string text = edits_ == 0 ? std::string() : consequence_;
  if (const OrderDone done = End()) done({true, text});
}

void ShardControl::Fail(const std::string& why) {
  // What was refused at once is told to who asked alone.
  if (verb_ == Verb::kFailback) {
    parts_->Note(NoteLevel::kWarn,
                 "the failback to " + NodeOf(static_cast<uint32_t>(copy_)) + " is put off: " + why);
  } else if (paused_ || edits_ > 0 || detached_) {
    parts_->Note(NoteLevel::kWarn, "what the operator asked for could not be done: " + why);
  }
  if (const OrderDone done = End()) done({false, why});
}

void ShardControl::Stop(const std::string& why) {
  ++attempt_;
  step_ = Step::kIdle;
  paused_ = false;
  if (const OrderDone done = std::exchange(done_, nullptr)) {
    done({false, why});
  }
}

void ShardControl::Tick(uint64_t now_ms) {
  departure_.Tick(now_ms);
  if (step_ == Step::kIdle) {
    if (parts_->options.failback && !departure_.begun()) CheckFailback(now_ms);
    return;
  }
  if (step_ == Step::kWaiting || step_ == Step::kReady) Advance();
  if (step_ != Step::kIdle) Expire(now_ms);
}

void ShardControl::Expire(uint64_t now_ms) {
  const uint32_t limit_ms = paused_ ? parts_->options.pause_ms : parts_->options.wait_ms;
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
      Fail("the primary " + NodeOf(parts_->copies->primary()) + " did not answer PING" + limit +
           (edits_ == 0 ? "; nothing was changed" : ""));
      return;
    case Step::kDetaching:
      Fail(NodeOf(static_cast<uint32_t>(copy_)) + " did not answer REPLICAOF NO ONE" + limit +
           "; nothing was changed");
      return;
    default:
      Fail("the change was not durable" + limit + "; it may still take effect, PROXY SHARDS tells");
  }
}

void ShardControl::CheckFailback(uint64_t now_ms) {
  const Copies& copies = *parts_->copies;
  const int found = copies.IndexOf(parts_->options.home);
  if (found < 0) return;
  const auto home = static_cast<uint32_t>(found);
  const FailbackTimer::View view = {copies.primary() == home, copies.Serves(home), IsStale(home)};
  if (failback_.IsDue(view, now_ms, parts_->options.failback_after_ms)) {
    Begin(Verb::kFailback, found, nullptr);
  }
}

}  // namespace gemel
