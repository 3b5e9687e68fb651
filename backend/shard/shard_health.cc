// Which nodes answer: what the probes and the links have seen, and what follows from it.

#include <algorithm>
#include <utility>

#include "backend/resp/request_reader.h"
#include "backend/shard/shard.h"

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

NodeHealth Shard::HealthOf(uint32_t copy) const {
  const NodeHealth seen = copies_[copy]->detector.health();
  return seen == NodeHealth::kUnknown && copies_[copy]->link->up() ? NodeHealth::kUp : seen;
}

void Shard::OnProbe(uint32_t index, Probe probe, uint64_t began_ms) {
  Copy& copy = *copies_[index];
  const uint64_t now_ms = env_->NowMs();
  const NodeHealth before = copy.detector.health();
  NodeHealth after = before;
  switch (probe) {
    case Probe::kSent:
      copy.hang.OnProbeSent();
      return;
    case Probe::kVoid:
      copy.hang.OnProbeVoid();
      return;
    case Probe::kBusy:
    case Probe::kAnswer:
      copy.runs_script = probe == Probe::kBusy;
      copy.end_script_wish |= copy.runs_script && copy.left_script;
      copy.hang.OnProbeAnswer(now_ms);
      after = copy.detector.OnAnswer(now_ms);
      break;
    case Probe::kTimeout:
      after = MayBeBusy(index, began_ms) ? copy.detector.OnBusy(now_ms)
                                         : copy.detector.OnTimeout(now_ms);
      break;
    case Probe::kHardError:
      copy.hang.OnProbeVoid();
      // It may be about a process that is gone: since then the link heard from one that lives.
      if (copy.link->up() && began_ms <= copy.link->heard_ms()) return;
      after = copy.detector.OnHardError(now_ms);
      break;
  }
  if (after == before) return;
  if (!info_.copies[index].drained()) {
    env_->Note(after == NodeHealth::kDown ? NoteLevel::kWarn : NoteLevel::kInfo,
               "shard '" + info_.name + "': node " + copy.link->name() + " is " +
                   std::string(NodeHealthName(after)));
  }
  // A link to a node that is down would only keep what is in it waiting. Nothing waits for a copy
  // that is not in sync; it may be busy for long with emptying itself, at the beginning of a
  // resync.
  const bool patient =
      probe == Probe::kTimeout && (in_sync_ & Bit(index)) == 0 && copy.link->pending() == 0;
  if (after == NodeHealth::kDown && copy.link->up() && !patient) {
    copy.link->Fail("the node does not answer its health checks");
  } else {
    Reconcile();
  }
}

bool Shard::TakeProbeWish(uint32_t copy) { return std::exchange(copies_[copy]->probe_wish, false); }

bool Shard::TakeEndScriptWish(uint32_t copy) {
  return std::exchange(copies_[copy]->end_script_wish, false);
}

void Shard::OnScriptEnded(uint32_t copy) {
  ++stats_.ended_scripts;
  copies_[copy]->script_ended_ms = env_->NowMs();
  copies_[copy]->left_script = false;
}

// A script that does not end takes the node from everybody until it is ended; where that can be
// done the link, with all that waits in it, need not be given up.
bool Shard::MayTakeLonger(const Link& link, uint64_t overdue_ms) {
  Copy& copy = *copies_[link.index()];
  if (copy.script_ended_ms != 0) {
    // The node may keep its answer until it has run the scripts behind it, and each has its time.
    const uint64_t due_ms = copy.script_ended_ms + options_.wait_ms;
    if (env_->NowMs() < due_ms) return true;
    overdue_ms = env_->NowMs() - due_ms;
  }
  if (overdue_ms >= kEndScriptMs || !HasScript(link)) return false;
  copy.end_script_wish = true;
  return true;
}

bool Shard::HasScript(const Link& link) {
  bool found = false;
  link.ForEachPending(kWorkedOn, [&](LinkItem*, std::string_view frame) {
    SplitFrame(frame, &args_);
    const CommandRow* row = args_.empty() ? nullptr : table_->Find(args_);
    found = row != nullptr && row->RunsCode();
    return !found;
  });
  return found;
}

bool Shard::Waiting() const {
  for (const auto& copy : copies_) {
    if (copy->link->pending() > 0) return true;
  }
  return false;
}

// A probe was not answered in time: is there another reason for it than the node's end? It may
// stand behind requests, which WatchNodes judges; the link may have heard from the node since; and
// where nobody could take its place, the end of the link would help nobody.
bool Shard::MayBeBusy(uint32_t index, uint64_t probe_began_ms) const {
  const Link& link = *copies_[index]->link;
  const Link& side = *side_.link(index);
  return link.up() &&
         (link.pending() > 0 || side.pending() > 0 ||
          std::max(link.heard_ms(), side.heard_ms()) > probe_began_ms || !CanDoWithout(index));
}

void Shard::WatchNodes(uint64_t now_ms) {
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    Copy& copy = *copies_[i];
    const Link& link = *copy.link;
    const Link& side = *side_.link(i);
    copy.hang.Observe(now_ms, {link.up() && link.pending() > 0, link.waiting_since_ms(),
                               std::max(link.heard_ms(), side.heard_ms())});
    if (copy.hang.stalled_ms() < kBeginsMs) {
      copy.worked_on = std::min(link.pending(), kWorkedOn);
      copy.side_worked_on = std::min(side.pending(), kWorkedOn);
      copy.work = Work::kUnknown;
      copy.script_ended_ms = 0;
    }
  }
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    HangDetector& hang = copies_[i]->hang;
    if (hang.silent_ms() > 0 && !CanDoWithout(i)) hang.Excuse();
    switch (hang.Judge()) {
      case HangDetector::Verdict::kWell:
        break;
      case HangDetector::Verdict::kAsk:
        copies_[i]->probe_wish = true;
        break;
      case HangDetector::Verdict::kHangs:
        if (hang.Judge(PatienceWith(i, now_ms)) == HangDetector::Verdict::kHangs) GiveUp(i);
        break;
    }
  }
}

// Is there another copy to go on with? Without one the end of the link would only turn what waits
// into errors: that is left to the link's own timeout.
bool Shard::CanDoWithout(uint32_t copy) const {
  if ((in_sync_ & Bit(copy)) == 0) return true;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const HangDetector& other = copies_[i]->hang;
    if (i != copy && (readable_ & Bit(i)) != 0 && other.stalled_ms() * 2 < other.LimitMs() &&
        other.silent_ms() * 2 < other.LimitMs()) {
      return true;
    }
  }
  return false;
}

// How long a silent copy is waited for in any case, though another one could take its place.
uint64_t Shard::PatienceWith(uint32_t index, uint64_t now_ms) {
  Copy& copy = *copies_[index];
  if (copy.work == Work::kUnknown) copy.work = WorkOf(index);
  switch (copy.work) {
    case Work::kUnknown:
    case Work::kShort:
      return 0;
    case Work::kLong: {
      // The others have it behind them: did it take them long?
      uint64_t busy_ms = 0;
      for (uint32_t i = 0; i < copies_.size(); ++i) {
        if (i != index) busy_ms = std::max(busy_ms, copies_[i]->hang.BusyMs(now_ms));
      }
      return std::max(copy.hang.most_ms(), busy_ms * kAsLongAgain);
    }
    case Work::kLongAlone:
      return options_.wait_ms;
    case Work::kScript:
      return options_.wait_ms + kEndScriptMs;
  }
  return 0;
}

void Shard::GiveUp(uint32_t index) {
  Copy& copy = *copies_[index];
  copy.detector.OnHang(env_->NowMs());
  const std::string silence = std::to_string(copy.hang.silent_ms()) + " ms";
  env_->Note(NoteLevel::kWarn, "shard '" + info_.name + "': node " + copy.link->name() +
                                   " is down: no answer to requests and health checks for " +
                                   silence);
  copy.link->Fail("the node hangs: no answer to requests and health checks for " + silence);
}

Shard::Work Shard::WorkOf(uint32_t index) {
  const Copy& copy = *copies_[index];
  return std::max(WorkIn(*copy.link, copy.worked_on),
                  WorkIn(*side_.link(index), copy.side_worked_on));
}

// What may the node be working on, of the first in its line?
Shard::Work Shard::WorkIn(const Link& link, size_t first) {
  Work work = Work::kShort;
  link.ForEachPending(first, [&](LinkItem* item, std::string_view frame) {
    SplitFrame(frame, &args_);
    const CommandRow* row = args_.empty() ? nullptr : table_->Find(args_);
    if (row != nullptr && !MayTakeLong(*row, frame) && !IsGiant(row, frame)) return true;
    const bool alone =
        item->item_kind != LinkItem::Kind::kWrite && item->item_kind != LinkItem::Kind::kCompare;
    const bool script = alone && row != nullptr && row->RunsCode();
    work = std::max(work, script ? Work::kScript : alone ? Work::kLongAlone : Work::kLong);
    return !script;
  });
  return work;
}

}  // namespace gemel
