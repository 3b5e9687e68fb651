#include "backend/shard/order_plan.h"

#include <algorithm>
#include <utility>

#include "backend/shard/copies.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/shard_roles.h"

namespace gemel {

namespace {

using Verb = ShardOrder::Verb;

constexpr std::string_view kLeavesShard = "it leaves the shard";

std::string OnOneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\r', ' ');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

class OrderPlanner {
 public:
  OrderPlanner(const ShardParts& parts, Verb verb, int copy, CopyMask unwanted)
      : parts_(parts),
        copies_(*parts.copies),
        verb_(verb),
        any_copy_(copy < 0),
        copy_(any_copy_ ? 0 : static_cast<uint32_t>(copy)),
        unwanted_(unwanted) {}

  OrderPlan Make();

 private:
  OrderPlan PlanResync();
  OrderPlan PlanRole();
  OrderPlan PlanForce();
  OrderPlan PlanAcceptance();
  OrderPlan PlanDrain();
  // The first copy that is in sync and up and is not the primary; -1: none.
  int PickSuccessor() const;
  std::string WhyNoSuccessor() const;
  std::string WhyUnfit(uint32_t copy) const;

  OrderPlan Plan(OrderPlan::Next next) const {
    OrderPlan plan;
    plan.next = next;
    plan.copy = copy_;
    return plan;
  }
  OrderPlan Finished() const { return Plan(OrderPlan::Next::kDone); }
  OrderPlan Refused(std::string why) const {
    OrderPlan plan = Plan(OrderPlan::Next::kRefuse);
    plan.why = std::move(why);
    return plan;
  }
  OrderPlan Proposed(Edit edit) const {
    OrderPlan plan = Plan(OrderPlan::Next::kEdit);
    plan.edit = std::move(edit);
    return plan;
  }
  const CopyInfo& Info(uint32_t copy) const { return copies_.info(copy); }
  bool IsStale(uint32_t copy) const { return Info(copy).state == CopyState::kStale; }

  const ShardParts& parts_;
  const Copies& copies_;
  const Verb verb_;
  const bool any_copy_;
  uint32_t copy_;
  const CopyMask unwanted_;
};

OrderPlan OrderPlanner::Make() {
  switch (verb_) {
    case Verb::kPromote:
    case Verb::kForce:
    case Verb::kFailback:
      return PlanRole();
    case Verb::kDrain:
    case Verb::kRemove:
      return PlanDrain();
    case Verb::kUndrain:
      if (!Info(copy_).drained()) {
        return Finished();
      }
      return Proposed(
          {EditKind::kUndrain, parts_.options.name, Info(copy_).node, {}, "PROXY UNDRAIN"});
    case Verb::kResync:
      return PlanResync();
  }
  return Finished();
}

OrderPlan OrderPlanner::PlanResync() {
  const std::string& node = Info(copy_).node;
  if (copy_ == copies_.primary()) {
    return Refused(node +
                   " is the primary, whose data the others are copied from; promote another first "
                   "(PROXY PROMOTE " +
                   parts_.options.name + ")");
  }
  if (Info(copy_).drained()) {
    return Refused(node + " is drained and is not resynced; PROXY UNDRAIN " + node + " first");
  }
  if (IsStale(copy_)) {
    // All of it, not only the keys of the writes that it missed.
    OrderPlan plan = Finished();
    plan.forget_journal = true;
    return plan;
  }
  if (!copies_.Serves(copies_.primary())) {
    return Refused(node + " cannot be resynced now: the primary " + WhyUnfit(copies_.primary()));
  }
  return Proposed({EditKind::kMarkStale, parts_.options.name, node, {}, "a resync was asked for"});
}

// PROMOTE, FORCE and the failback.
OrderPlan OrderPlanner::PlanRole() {
  if (any_copy_) {
    const int successor = PickSuccessor();
    if (successor < 0) {
      return Refused("there is no copy to promote: " + WhyNoSuccessor());
    }
    copy_ = static_cast<uint32_t>(successor);
  }
  const std::string& node = Info(copy_).node;
  if (copy_ == copies_.primary()) {
    if (parts_.roles->HoldsOldData()) return PlanAcceptance();
    return Finished();
  }
  if (verb_ == Verb::kForce && !IsStale(copy_)) {
    return Refused(node + " is in sync; it is promoted without FORCE");
  }
  if (copies_.Serves(copy_)) {
    return Proposed({EditKind::kHandOver,
                     parts_.options.name,
                     node,
                     {},
                     verb_ == Verb::kFailback ? "failback" : "PROXY PROMOTE"});
  }
  if (verb_ != Verb::kForce) {
    std::string why = WhyUnfit(copy_);
    if (Info(copy_).drained()) {
      why += "; PROXY UNDRAIN " + node + " first, and wait until it is in sync";
    } else if (IsStale(copy_)) {
      why +=
          ". Wait until it is in sync; or, if no copy that is in sync can be brought back, PROXY "
          "PROMOTE " +
          parts_.options.name + " " + node + " FORCE promotes it with the data that it has";
    }
    return Refused(why);
  }
  return PlanForce();
}

// FORCE of a stale copy.
OrderPlan OrderPlanner::PlanForce() {
  const std::string& node = Info(copy_).node;
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    if (!copies_.InSync(i) || !copies_.IsUp(i)) continue;
    return Refused(
        node + " is stale and " + Info(i).node +
        " is in sync and up, so that nothing need be lost; FORCE is for when no copy that is in "
        "sync is up");
  }
  const Link& link = copies_.link(copy_);
  if (!link.up()) {
    return Refused(node + " cannot be reached: " + link.last_error());
  }
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    if (IsStale(i) || copies_.link(i).up() || !copies_.link(i).times().hopeful()) continue;
    return Refused(
        node + " is stale and " + Info(i).node +
        ", which is in sync, may be back at any moment; try again once it is surely gone");
  }
  OrderPlan plan =
      Proposed({EditKind::kForcePromote, parts_.options.name, node, link.identity().run_id,
                node + " was promoted by PROXY PROMOTE FORCE"});
  plan.consequence =
      node + " is primary with the data that it has: what was written while it was stale (" +
      Info(copy_).reason + ") is lost, and the other copies will be overwritten from it";
  const std::string note = parts_.notes.resync ? parts_.notes.resync(copy_) : "";
  if (!note.empty()) {
    plan.consequence += "; a resync of it had not ended (" + note + "), so it may hold only a part";
  }
  plan.consequence = OnOneLine(plan.consequence);
  return plan;
}

// FORCE of the primary, which came back with data that may be old.
OrderPlan OrderPlanner::PlanAcceptance() {
  const std::string& node = Info(copy_).node;
  if (verb_ != Verb::kForce) {
    return Refused(
        node +
        " is the primary, but it restarted, and the data that it came back with may be old; PROXY "
        "PROMOTE " +
        parts_.options.name + " " + node + " FORCE accepts it as it is");
  }
  OrderPlan plan = Proposed({EditKind::kSetRunId, parts_.options.name, node,
                             copies_.link(copy_).identity().run_id,
                             "its data was accepted by PROXY PROMOTE FORCE"});
  plan.consequence =
      node +
      " is primary with the data that it came back with after its restart: what was written since "
      "that was saved is lost, and the other copies will be overwritten from it";
  return plan;
}

OrderPlan OrderPlanner::PlanDrain() {
  const std::string& node = Info(copy_).node;
  // A stale copy has nothing to lose by leaving at once.
  const bool leaves = verb_ == Verb::kRemove && IsStale(copy_);
  if (Info(copy_).drained() || leaves) {
    if (verb_ == Verb::kRemove && copies_.IndexOf(node) >= 0) {
      return Proposed(
          {EditKind::kRemoveCopy, parts_.options.name, node, {}, std::string(kLeavesShard)});
    }
    return Finished();
  }
  if (copy_ == copies_.primary()) {
    const int successor = PickSuccessor();
    if (successor < 0) {
      return Refused(node +
                     " cannot be drained, no other copy can take its place: " + WhyNoSuccessor());
    }
    return Proposed({EditKind::kHandOver,
                     parts_.options.name,
                     Info(static_cast<uint32_t>(successor)).node,
                     {},
                     verb_ == Verb::kRemove ? std::string(kLeavesShard) : "PROXY DRAIN"});
  }
  if (!IsStale(copy_) && !copies_.Serves(copies_.primary())) {
    return Refused(node + " cannot be drained, no other copy can take its place: the primary " +
                   WhyUnfit(copies_.primary()));
  }
  const bool removes = verb_ == Verb::kRemove;
  OrderPlan plan = Proposed({EditKind::kDrain,
                             parts_.options.name,
                             node,
                             {},
                             removes ? std::string(kLeavesShard) : "it was drained"});
  if (removes) plan.edit.drained_by = DrainedBy::kConfig;
  return plan;
}

int OrderPlanner::PickSuccessor() const {
  int unwanted = -1;
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    if (i == copies_.primary() || !copies_.Serves(i)) continue;
    if ((unwanted_ & Bit(i)) == 0) return static_cast<int>(i);
    unwanted = static_cast<int>(i);
  }
  return unwanted;
}

std::string OrderPlanner::WhyNoSuccessor() const {
  std::string why;
  for (uint32_t i = 0; i < copies_.count(); ++i) {
    if (i == copies_.primary() || !copies_.IsMember(i)) continue;
    why += (why.empty() ? "" : "; ") + WhyUnfit(i);
  }
  return why.empty() ? "the shard has one copy only" : why;
}

// Of a copy that does not serve.
std::string OrderPlanner::WhyUnfit(uint32_t copy) const {
  const CopyInfo& info = Info(copy);
  const Link& link = copies_.link(copy);
  if (info.drained()) return info.node + " is drained";
  if (IsStale(copy)) return info.node + " is stale: " + info.reason;
  if (!link.up()) {
    return info.node + " cannot be reached" +
           (link.last_error().empty() ? "" : ": " + link.last_error());
  }
  return info.node + " is in doubt: it restarted, refused a write or is about to become stale";
}

}  // namespace

OrderPlan PlanOrder(const ShardParts& parts, ShardOrder::Verb verb, int copy, CopyMask unwanted) {
  return OrderPlanner(parts, verb, copy, unwanted).Make();
}

}  // namespace gemel
