#include "backend/shard/key_doubts.h"

#include <bit>
#include <iterator>
#include <utility>
#include <vector>

#include "backend/keys/key_name.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/journals.h"
#include "backend/shard/read_path.h"
#include "backend/shard/refusals.h"
#include "backend/shard/removals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

// What a node that takes no writes refused is tried again so often, and for so much of the time
// that a request may wait.
constexpr uint64_t kDoubtRetryMs = 20;
constexpr uint32_t kPatiencePart = 8;

uint32_t First(CopyMask copies) { return static_cast<uint32_t>(std::countr_zero(copies)); }

}  // namespace

void KeyDoubts::Add(std::vector<std::string> keys, const Cause& cause) {
  parts_->shard->LeaveShortWay();
  uint64_t barrier = 0;
  for (std::string& key : keys) {
    // One that joins is made equal with the others.
    parts_->removals->Miss(parts_->journals->known() & ~parts_->copies->joining(), key);
    const auto [found, added] = doubts_.try_emplace(std::move(key));
    Doubt& doubt = found->second;
    if (added) {
      doubt.cause = cause;
      if (barrier == 0) barrier = parts_->removals->feeds().AskBarrier();
      doubt.barrier = barrier;
    } else {
      doubt.cause.told |= cause.told;
      doubt.cause.evicted |= cause.evicted;
      doubt.cause.overwritten |= cause.overwritten;
      doubt.cause.differed |= cause.differed;
    }
  }
}

void KeyDoubts::Ask(std::string_view key) {
  parts_->removals->Doubt(key, {.source = kPrimary, .differed = true});
}

void KeyDoubts::Wait() { retry_ms_ = parts_->env->NowMs() + kDoubtRetryMs; }

void KeyDoubts::Resolve() {
  if (doubts_.empty() || resolving_ || parts_->copies->losing() || parts_->roles->stopped() ||
      parts_->env->NowMs() < retry_ms_ || parts_->way_back->IsBarred()) {
    return;
  }
  resolving_ = true;
  std::vector<std::string> settled;
  for (auto doubt = doubts_.begin(); doubt != doubts_.end();) {
    bool done = false;
    const bool more = ResolveOne(doubt->first, &doubt->second, &done);
    if (done && !IsRepairing(doubt->first)) settled.push_back(doubt->first);
    doubt = done ? doubts_.erase(doubt) : std::next(doubt);
    if (!more) break;
  }
  resolving_ = false;
  for (const std::string& key : settled) {
    parts_->writes->differing().OnSource(key, parts_->copies->primary());
    parts_->writes->OnKeySettled(key);
    parts_->tracked->OnRepaired(key);
  }
  if (doubts_.empty()) {
    OnNoneInDoubt();
  } else if (!settled.empty()) {
    parts_->shard->Refresh();
  }
}

// Whoever waits for all that is locked need not wait for these.
void KeyDoubts::OnNoneInDoubt() {
  if (parts_->way_back->NothingLocked()) parts_->writes->waiting().OnAllRepaired(*parts_->copies);
  parts_->shard->Refresh();
}

// Nobody has seen what the others removed: the key is gone once the primary removes it.
bool KeyDoubts::IsThePrimarys(const Cause& cause) const {
  const bool replaced = cause.overwritten && (cause.told & Bit(parts_->copies->primary())) != 0;
  return cause.differed && !replaced && !parts_->reads->SeenElsewhere();
}

// See above. If a copy was lost that removed it, what is left on the others is as if its state had
// been replaced.
KeyDoubts::Verdict KeyDoubts::Decide(Doubt* doubt) const {
  const Copies& copies = *parts_->copies;
  const CopyMask in_sync = copies.in_sync();
  Cause& cause = doubt->cause;
  if (doubt->gone) return Verdict::kDelete;
  if (IsThePrimarys(cause)) {
    cause.source = kPrimary;
    return copies.Is(copies.primary(), CopyStage::kInSync) ? Verdict::kRepair : Verdict::kWait;
  }
  const bool lost = cause.told != 0 ? (cause.told & ~in_sync) != 0
                                    : cause.source == lost_primary_ && cause.source != kPrimary &&
                                          !copies.InSync(cause.source);
  if ((cause.overwritten || lost) && cause.evicted) return Verdict::kDelete;
  const CopyMask primary = Bit(copies.primary());
  if (cause.overwritten && (cause.told & in_sync & primary) != 0) {
    // The others have it from there, and it has nothing of before either.
    cause.told = primary;
  } else if (cause.overwritten || (lost && (cause.told & in_sync) == 0)) {
    return Verdict::kJudge;
  }
  cause.told &= in_sync;
  if (std::popcount(cause.told) > 1) return Verdict::kWeigh;
  if (cause.told != 0) cause.source = First(cause.told);
  const uint32_t source = SourceOf(cause);
  if (!copies.Is(source, CopyStage::kInSync) && !copies.Is(source, CopyStage::kRefused)) {
    cause.source = kPrimary;
  }
  return copies.Is(SourceOf(cause), CopyStage::kInSync) ? Verdict::kRepair : Verdict::kWait;
}

uint32_t KeyDoubts::SourceOf(const Cause& cause) const {
  return cause.source == kPrimary ? parts_->copies->primary() : cause.source;
}

bool KeyDoubts::ResolveOne(const std::string& key, Doubt* doubt, bool* done) {
  // One that is about to leave may lack what counts.
  if (doubt->weighing != 0 || doubt->judging || parts_->removals->IsLocked(key) ||
      parts_->edits->leaving() != 0 || !parts_->removals->feeds().HasEnded(doubt->barrier)) {
    return true;
  }
  switch (Decide(doubt)) {
    case Verdict::kWait:
      return true;
    case Verdict::kDelete:
      // Who is away for a moment would be back with it.
      if (!AllUp(parts_->copies->in_sync())) return true;
      parts_->removals->DeleteEverywhere(key);
      *done = true;
      return true;
    case Verdict::kJudge:
      Judge(key, doubt);
      return true;
    case Verdict::kWeigh:
      Weigh(key, doubt);
      return true;
    case Verdict::kRepair:
      return Repair(key, doubt, done);
  }
  return true;
}

bool KeyDoubts::Repair(const std::string& key, Doubt* doubt, bool* done) {
  const Copies& copies = *parts_->copies;
  const uint32_t source = SourceOf(doubt->cause);
  const CopyMask targets = (copies.in_sync() | copies.Reachable(copies.joining())) & ~Bit(source);
  // Whoever left since it was in doubt may have it wrong.
  parts_->removals->Miss(parts_->journals->recording() & ~targets, key);
  if (targets == 0) {
    *done = true;
    return true;
  }
  if (!AllUp(targets | Bit(source))) return true;
  if (!parts_->way_back->Repair(key, source, targets)) return false;
  ++doubted_;
  repairing_[key] = *doubt;
  parts_->writes->differing().OnSource(key, source);
  *done = true;
  return true;
}

bool KeyDoubts::AllUp(CopyMask copies) const { return parts_->copies->Reachable(copies) == copies; }

void KeyDoubts::Question(uint32_t copy, uint8_t step, std::string_view command,
                         const std::string& key) {
  Op* op = parts_->ops->New();
  op->item_kind = LinkItem::Kind::kRemoval;
  op->database = DatabaseOf(key);
  op->repair_step = step;
  parts_->copies->link(copy).Send(op, CommandFrame({command, KeyOf(key)}));
}

// How long does the key live where it may be what it was before it expired elsewhere?
void KeyDoubts::Judge(const std::string& key, Doubt* doubt) {
  const Copies& copies = *parts_->copies;
  const uint32_t primary = copies.primary();
  const uint32_t judge = copies.Is(primary, CopyStage::kInSync) ? primary : First(copies.in_sync());
  if (!copies.Is(judge, CopyStage::kInSync) || !copies.link(judge).up()) return;
  doubt->judging = true;
  Question(judge, kJudge, "PTTL", key);
}

void KeyDoubts::OnJudged(Doubt* doubt, std::string_view reply) {
  doubt->judging = false;
  int64_t left_ms = 0;
  const bool known = reply[0] == ':' && ParseInteger(ReplyText(reply), &left_ms);
  const bool lives = known && (left_ms == -1 || left_ms > kClocksMs);
  if (doubt->cause.evicted || !lives) {
    doubt->gone = true;
  } else {
    doubt->cause = Cause{kPrimary, 0, false, false};
  }
}

void KeyDoubts::Weigh(const std::string& key, Doubt* doubt) {
  const Copies& copies = *parts_->copies;
  const CopyMask told = doubt->cause.told;
  bool in_sync = true;
  ForEachCopy(told, [&](uint32_t copy) { in_sync &= copies.Is(copy, CopyStage::kInSync); });
  if (!in_sync || !AllUp(told)) return;
  doubt->weighing = told;
  doubt->least_on = ~0u;
  doubt->tie = doubt->unheard = false;
  ForEachCopy(told, [&](uint32_t copy) { Question(copy, kWeigh, "DUMP", key); });
}

void KeyDoubts::OnWeighed(uint32_t copy, Doubt* doubt, std::string_view reply) {
  doubt->weighing &= ~Bit(copy);
  if (IsNullReply(reply)) {
    doubt->gone = true;
  } else if (reply[0] == '$') {
    const std::string_view dump = ReplyText(reply);
    const bool first = doubt->least_on == ~0u;
    const bool less = first || dump.size() < doubt->least.size();
    const bool same = !less && dump.size() == doubt->least.size();
    doubt->tie = !less && (doubt->tie || (same && dump != doubt->least));
    if (less || (same && copy == parts_->copies->primary())) {
      doubt->least = dump;
      doubt->least_on = copy;
    }
  } else {
    doubt->cause.overwritten = true;  // it does not say
  }
  if (doubt->weighing != 0 || doubt->unheard) return;
  // Who has evicted a key may do so again.
  if (doubt->tie && doubt->cause.evicted) doubt->gone = true;
  if (doubt->least_on != ~0u) doubt->cause.told = Bit(doubt->least_on);
  doubt->least.clear();
}

void KeyDoubts::OnReply(uint32_t copy, const Op& op, std::string_view reply,
                        std::string_view frame) {
  frame_.Split(frame);
  const auto doubt = doubts_.find(MakeKeyName(op.database, frame_.args()[1]));
  if (doubt == doubts_.end()) return;
  if (op.repair_step == kJudge) {
    OnJudged(&doubt->second, reply);
  } else {
    OnWeighed(copy, &doubt->second, reply);
  }
  Resolve();
}

void KeyDoubts::OnLost(uint32_t copy, const Op& op, std::string_view frame) {
  frame_.Split(frame);
  const auto doubt = doubts_.find(MakeKeyName(op.database, frame_.args()[1]));
  if (doubt == doubts_.end()) return;
  if (op.repair_step == kJudge) {
    doubt->second.judging = false;
  } else {
    doubt->second.weighing &= ~Bit(copy);
    doubt->second.unheard = true;  // all are asked again, unless it is lost
  }
}

// What the others had expired until then they may tell of only now, behind the barrier that this
// has waited for: the primary has nothing of it.
void KeyDoubts::OnRepaired(const std::string& key) {
  const auto repaired = repairing_.extract(key);
  const bool unseen = !repaired.empty();
  if (unseen) parts_->writes->differing().OnEqual(key);
  const uint32_t primary = parts_->copies->primary();
  if (unseen && SourceOf(repaired.mapped().cause) == primary) {
    parts_->removals->NoteRight(primary, key);
  }
  parts_->removals->OnMadeEqual(key, unseen);
  // Something was heard of it meanwhile.
  if (Has(key)) parts_->removals->Miss(parts_->journals->known(), key);
  Resolve();
}

bool KeyDoubts::RepairLater(std::string_view key, uint32_t source) {
  if (!repairing_.contains(key)) return false;
  Add({std::string(key)}, {source, 0, false, false});
  return true;
}

bool KeyDoubts::OnNotRepaired(const std::string& key, std::string_view why) {
  const auto found = repairing_.find(key);
  if (found == repairing_.end()) return false;
  Doubt doubt = found->second;
  repairing_.erase(found);
  const uint32_t primary = parts_->copies->primary();
  const uint32_t source = SourceOf(doubt.cause);
  if (parts_->copies->InSync(source) && parts_->copies->link(source).up()) {
    // A target is to blame. One that takes no writes just now gets time, for all may do that; then
    // it leaves, as with a write that it missed.
    const uint64_t now_ms = parts_->env->NowMs();
    const bool unfit = IsUnfitToWrite("-" + std::string(why));
    if (unfit && doubt.until_ms == 0)
      doubt.until_ms = now_ms + parts_->options.wait_ms / kPatiencePart;
    if (unfit && now_ms < doubt.until_ms) {
      retry_ms_ = now_ms + kDoubtRetryMs;
    } else if (unfit || source == primary) {
      return false;
    } else {
      doubt.cause = {kPrimary, 0, doubt.cause.evicted, false};
    }
  }
  parts_->shard->LeaveShortWay();
  doubts_.try_emplace(key, std::move(doubt));
  return true;
}

void KeyDoubts::OnRoles() {
  const uint32_t primary = parts_->copies->primary();
  if (const uint32_t before = std::exchange(was_primary_, primary); before != primary) {
    parts_->reads->NoteElsewhere();
    if (!parts_->copies->InSync(before)) lost_primary_ = before;
  }
}

}  // namespace gemel
