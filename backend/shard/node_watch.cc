#include "backend/shard/node_watch.h"

#include <algorithm>
#include <utility>

#include "backend/shard/aside.h"
#include "backend/shard/comparison.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hedger.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

// So far down its line a node may be with what it works on, without an answer to what is in front:
// it answers what it has read in one piece together.
constexpr size_t kWorkedOn = 1024;
// What came to its line when it had been silent for so long is not what it works on.
constexpr uint64_t kBeginsMs = 50;
// So long a script has to end that took too long, once its node can be told so. A node that says at
// once when it does (busy-reply-threshold, 5 s by default) hears it then.
constexpr uint64_t kEndScriptMs = 1000;
// A copy is given so many times as long as another one took for what went to both.
constexpr uint64_t kAsLongAgain = 2;

}  // namespace

void NodeWatch::AddCopy(uint32_t copy) {
  if (copy >= nodes_.size()) nodes_.resize(copy + 1);
  nodes_[copy] = std::make_unique<Node>(parts_->options.probe_failures, parts_->options.hang);
}

void NodeWatch::SetOptions() {
  for (auto& node : nodes_) {
    node->detector.set_failures(parts_->options.probe_failures);
    node->hang.set_limits(parts_->options.hang);
  }
}

NodeHealth NodeWatch::HealthOf(uint32_t copy) const {
  const NodeHealth seen = nodes_[copy]->detector.health();
  return seen == NodeHealth::kUnknown && parts_->copies->link(copy).up() ? NodeHealth::kUp : seen;
}

void NodeWatch::OnLinkUp(uint32_t copy) {
  nodes_[copy]->left_script = false;
  nodes_[copy]->detector.OnAnswer(parts_->env->NowMs());
}

void NodeWatch::OnLinkEnd(uint32_t copy) {
  lost_script_ = false;
  nodes_[copy]->hang.OnLinkEnd();
}

void NodeWatch::OnLinkRefused(uint32_t copy) {
  nodes_[copy]->detector.OnHardError(parts_->env->NowMs());
}

// What the outcome makes of the node's health.
NodeHealth NodeWatch::Judge(uint32_t copy, ProbeOutcome probe, uint64_t began_ms) {
  Node& node = *nodes_[copy];
  const Link& link = parts_->copies->link(copy);
  const uint64_t now_ms = parts_->env->NowMs();
  switch (probe) {
    case ProbeOutcome::kSent:
      node.hang.OnProbeSent();
      break;
    case ProbeOutcome::kVoid:
      node.hang.OnProbeVoid();
      break;
    case ProbeOutcome::kBusy:
    case ProbeOutcome::kAnswer:
      node.runs_script = probe == ProbeOutcome::kBusy;
      node.end_script_wish |= node.runs_script && node.left_script;
      node.hang.OnProbeAnswer(now_ms);
      return node.detector.OnAnswer(now_ms);
    case ProbeOutcome::kTimeout:
      return MayBeBusy(copy, began_ms) ? node.detector.OnBusy(now_ms)
                                       : node.detector.OnTimeout(now_ms);
    case ProbeOutcome::kHardError:
      node.hang.OnProbeVoid();
      // It may be about a process that is gone: since then the link heard from one that lives.
      if (link.up() && began_ms <= link.times().heard_ms()) break;
      return node.detector.OnHardError(now_ms);
  }
  return node.detector.health();
}

void NodeWatch::OnProbe(uint32_t copy, ProbeOutcome probe, uint64_t began_ms) {
  const NodeHealth before = nodes_[copy]->detector.health();
  const NodeHealth after = Judge(copy, probe, began_ms);
  if (after == before) return;
  const Link& link = parts_->copies->link(copy);
  if (!parts_->copies->info(copy).drained()) {
    parts_->Note(after == NodeHealth::kDown ? NoteLevel::kWarn : NoteLevel::kInfo,
                 "node " + link.name() + " is " + std::string(NodeHealthName(after)));
  }
  // A link to a node that is down would only keep what is in it waiting. Nothing waits for a copy
  // that is not in sync; it may be busy for long with emptying itself, at the beginning of a
  // resync.
  const bool patient =
      probe == ProbeOutcome::kTimeout && !parts_->copies->InSync(copy) && link.line().empty();
  if (after == NodeHealth::kDown && !patient) {
    EndLinks(copy, "the node does not answer its health checks");
  }
  parts_->roles->Reconcile();
}

bool NodeWatch::TakeProbeWish(uint32_t copy) {
  return std::exchange(nodes_[copy]->probe_wish, false);
}

bool NodeWatch::TakeEndScriptWish(uint32_t copy) {
  return std::exchange(nodes_[copy]->end_script_wish, false);
}

void NodeWatch::OnScriptEnded(uint32_t copy) {
  ++ended_scripts_;
  nodes_[copy]->script_ended_ms = parts_->env->NowMs();
  nodes_[copy]->left_script = false;
}

// A script that does not end takes the node from everybody until it is ended; where that can be
// done the link, with all that waits in it, need not be given up.
bool NodeWatch::MayTakeLonger(const Link& link, uint64_t overdue_ms) {
  Node& copy = *nodes_[link.index()];
  if (copy.script_ended_ms != 0) {
    // The node may keep its answer until it has run the scripts behind it, and each has its time.
    const uint64_t due_ms = copy.script_ended_ms + parts_->options.wait_ms;
    if (parts_->env->NowMs() < due_ms) return true;
    overdue_ms = parts_->env->NowMs() - due_ms;
  }
  if (overdue_ms >= kEndScriptMs || !HasScript(link)) return false;
  copy.end_script_wish = true;
  return true;
}

bool NodeWatch::HasScript(const Link& link) {
  bool found = false;
  link.line().ForEach(kWorkedOn, [&](LinkItem* item, std::string_view sent) {
    // What EXEC runs counts as well.
    const bool first = item->item_kind == LinkItem::Kind::kState;
    const std::string_view work =
        first ? parts_->first->WorkOf(*static_cast<Op*>(item)) : std::string_view();
    const CommandRow* row = frame_.SplitWithRow(work.empty() ? sent : work);
    found = row != nullptr && row->RunsCode();
    return !found;
  });
  return found;
}

bool NodeWatch::Waiting() const {
  for (uint32_t i = 0; i < parts_->copies->count(); ++i) {
    if (!parts_->copies->link(i).line().empty()) return true;
  }
  return false;
}

// A probe was not answered in time: is there another reason for it than the node's end? It may
// stand behind requests, which WatchNodes judges; the link may have heard from the node since; and
// where nobody could take its place, the end of the link would help nobody.
bool NodeWatch::MayBeBusy(uint32_t index, uint64_t probe_began_ms) const {
  const Link& link = parts_->copies->link(index);
  const Link& side = parts_->aside->link(index);
  return link.up() &&
         (!link.line().empty() || !side.line().empty() ||
          std::max(link.times().heard_ms(), side.times().heard_ms()) > probe_began_ms ||
          !CanDoWithout(index));
}

void NodeWatch::Tick(uint64_t now_ms) {
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    Node& copy = *nodes_[i];
    const Link& link = parts_->copies->link(i);
    const Link& side = parts_->aside->link(i);
    copy.hang.Observe(now_ms, {link.up() && !link.line().empty(), link.times().waiting_since_ms(),
                               std::max(link.times().heard_ms(), side.times().heard_ms())});
    if (copy.hang.stalled_ms() < kBeginsMs) {
      copy.worked_on = std::min(link.line().size(), kWorkedOn);
      copy.side_worked_on = std::min(side.line().size(), kWorkedOn);
      copy.work = Work::kUnknown;
      copy.script_ended_ms = 0;
    }
  }
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    HangDetector& hang = nodes_[i]->hang;
    if (hang.silent_ms() > 0 && !CanDoWithout(i)) hang.Excuse();
    switch (hang.Judge()) {
      case HangDetector::Verdict::kWell:
        break;
      case HangDetector::Verdict::kAsk:
        nodes_[i]->probe_wish = true;
        break;
      case HangDetector::Verdict::kHangs:
        if (hang.Judge(PatienceWith(i, now_ms)) == HangDetector::Verdict::kHangs) GiveUp(i);
        break;
    }
  }
}

// Is there another copy to go on with? Without one the end of the link would only turn what waits
// into errors: that is left to the link's own timeout.
bool NodeWatch::CanDoWithout(uint32_t copy) const {
  if (!parts_->copies->InSync(copy)) return true;
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    const HangDetector& other = nodes_[i]->hang;
    if (i != copy && parts_->copies->Serves(i) && other.stalled_ms() * 2 < other.LimitMs() &&
        other.silent_ms() * 2 < other.LimitMs()) {
      return true;
    }
  }
  return false;
}

// How long a silent copy is waited for in any case, though another one could take its place.
uint64_t NodeWatch::PatienceWith(uint32_t index, uint64_t now_ms) {
  Node& copy = *nodes_[index];
  if (copy.work == Work::kUnknown) copy.work = WorkOf(index);
  switch (copy.work) {
    case Work::kUnknown:
    case Work::kShort:
      return 0;
    case Work::kLong: {
      // The others have it behind them: did it take them long?
      uint64_t busy_ms = 0;
      for (uint32_t i = 0; i < nodes_.size(); ++i) {
        if (i != index) busy_ms = std::max(busy_ms, nodes_[i]->hang.BusyMs(now_ms));
      }
      return std::max(copy.hang.most_ms(), busy_ms * kAsLongAgain);
    }
    case Work::kLongAlone:
      return parts_->options.wait_ms;
    case Work::kScript:
      return parts_->options.wait_ms + kEndScriptMs;
  }
  return 0;
}

void NodeWatch::GiveUp(uint32_t copy) {
  const Link& link = parts_->copies->link(copy);
  nodes_[copy]->detector.OnHang(parts_->env->NowMs());
  const std::string silence = std::to_string(nodes_[copy]->hang.silent_ms()) + " ms";
  parts_->Note(
      NoteLevel::kWarn,
      "node " + link.name() + " is down: no answer to requests and health checks for " + silence);
  EndLinks(copy, "the node hangs: no answer to requests and health checks for " + silence);
}

// The main one first: what the side link gives back must not come to this copy again.
void NodeWatch::EndLinks(uint32_t copy, const std::string& why) {
  Link& link = parts_->copies->link(copy);
  if (link.up()) link.Fail(why);
  parts_->aside->OnNodeDown(copy, why);
}

NodeWatch::Work NodeWatch::WorkOf(uint32_t copy) {
  const Node& node = *nodes_[copy];
  return std::max(WorkIn(parts_->copies->link(copy), node.worked_on),
                  WorkIn(parts_->aside->link(copy), node.side_worked_on));
}

bool NodeWatch::MayNotRunAgain(uint32_t copy, const Request& request) {
  if (request.row == nullptr || !request.row->RunsCode()) return false;
  const bool first = !std::exchange(lost_script_, true);
  if (!first && !nodes_[copy]->runs_script) return false;
  nodes_[copy]->left_script = true;
  return true;
}

// The node alone has been sent the write, or another one has what follows behind it.
NodeWatch::Work NodeWatch::WorkOfFirst(const Op& op) {
  const std::string_view frame = parts_->first->WorkOf(op);
  const bool large = parts_->first->IsLarge(op);
  const Work usual = large ? Work::kLong : Work::kShort;
  if (frame.empty()) return usual;
  const CommandRow* row = frame_.SplitWithRow(frame);
  if (row != nullptr && row->RunsCode()) return Work::kScript;
  // Of small keys nothing takes long; what it brings along may.
  const bool alone =
      row == nullptr || frame.size() >= Hedger::kManyBytes || (large && row->MayTakeLong());
  return alone ? Work::kLongAlone : usual;
}

// What may the node be working on, of the first in its line?
NodeWatch::Work NodeWatch::WorkIn(const Link& link, size_t first) {
  Work work = Work::kShort;
  link.line().ForEach(first, [&](LinkItem* item, std::string_view frame) {
    if (item->item_kind == LinkItem::Kind::kState) {
      work = std::max(work, WorkOfFirst(*static_cast<Op*>(item)));
      return work != Work::kScript;
    }
    // Small keys, of which many are repaired and deleted where nodes remove keys.
    if (item->item_kind == LinkItem::Kind::kRemoval) return true;
    if (item->item_kind == LinkItem::Kind::kRepair &&
        parts_->way_back->repairs().IsShort(*static_cast<Op*>(item))) {
      return true;
    }
    if (item->item_kind == LinkItem::Kind::kCompare &&
        static_cast<Op*>(item)->repair_step == Comparison::kBrief) {
      return true;
    }
    const CommandRow* row = frame_.SplitWithRow(frame);
    if (row != nullptr && !Hedger::MayTakeLong(*row, frame) && !parts_->aside->IsGiant(row, frame))
      return true;
    const bool alone =
        item->item_kind != LinkItem::Kind::kWrite && item->item_kind != LinkItem::Kind::kCompare;
    const bool script = alone && row != nullptr && row->RunsCode();
    work = std::max(work, script ? Work::kScript : alone ? Work::kLongAlone : Work::kLong);
    return !script;
  });
  return work;
}

}  // namespace gemel
