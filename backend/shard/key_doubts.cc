#include "backend/shard/key_doubts.h"

#include <iterator>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/journals.h"
#include "backend/shard/refusals.h"
#include "backend/shard/removals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

// What a node that takes no writes refused is tried again so often, and for so much of the time
// that a request may wait.
constexpr uint64_t kDoubtRetryMs = 20;
constexpr uint32_t kPatiencePart = 4;

}  // namespace

void KeyDoubts::Add(std::string key, uint32_t source, bool evicted) {
  parts_->shard->LeaveShortWay();
  parts_->removals->Miss(parts_->journals->known(), key);
  doubts_.try_emplace(std::move(key), Doubt{source, evicted, false, 0});
}

bool KeyDoubts::OnTold(std::string_view key, uint32_t copy, bool evicted) {
  const auto doubt = doubts_.find(key);
  if (doubt == doubts_.end()) return false;
  // Of several that removed it the primary's state counts.
  if (copy == parts_->copies->primary()) doubt->second.source = copy;
  doubt->second.evicted |= evicted;
  return true;
}

void KeyDoubts::Wait() { retry_ms_ = parts_->env->NowMs() + kDoubtRetryMs; }

void KeyDoubts::Resolve() {
  if (doubts_.empty() || resolving_ || parts_->copies->losing() || parts_->roles->stopped() ||
      parts_->env->NowMs() < retry_ms_) {
    return;
  }
  resolving_ = true;
  for (auto doubt = doubts_.begin(); doubt != doubts_.end();) {
    bool done = false;
    const bool more = ResolveOne(doubt->first, &doubt->second, &done);
    doubt = done ? doubts_.erase(doubt) : std::next(doubt);
    if (!more) break;
  }
  resolving_ = false;
  OnLessInDoubt();
}

// Whoever waits for all that is locked need not wait for these.
void KeyDoubts::OnLessInDoubt() {
  if (!doubts_.empty()) return;
  if (parts_->way_back->NothingLocked()) parts_->writes->OnAllRepaired();
  parts_->shard->Refresh();
}

bool KeyDoubts::ResolveOne(const std::string& key, Doubt* doubt, bool* done) {
  const Copies& copies = *parts_->copies;
  const uint32_t source = doubt->source;
  // One that is about to leave, or has just refused a write, may lack what counts.
  if (parts_->removals->IsLocked(key) || parts_->edits->leaving() != 0 ||
      copies.Is(source, CopyStage::kRefused)) {
    return true;
  }
  if (!copies.Is(source, CopyStage::kInSync)) {
    OnSourceLost(key, doubt, done);
    return true;
  }
  // Whoever left since it was in doubt may have it wrong.
  parts_->removals->Miss(parts_->journals->recording(), key);
  const CopyMask targets = copies.in_sync() & ~Bit(source);
  if (targets == 0) {
    *done = true;
    return true;
  }
  bool up = copies.link(source).up();
  ForEachCopy(targets, [&](uint32_t copy) { up &= copies.link(copy).up(); });
  if (!up) return true;
  if (!parts_->way_back->Repair(key, source, targets)) return false;
  ++doubted_;
  repairing_[key] = *doubt;
  *done = true;
  return true;
}

// The primary has it right, unless it was the primary that is lost.
void KeyDoubts::OnSourceLost(const std::string& key, Doubt* doubt, bool* done) {
  const Copies& copies = *parts_->copies;
  const uint32_t primary = copies.primary();
  if (doubt->source != primary && doubt->source != lost_primary_) {
    doubt->source = primary;
    return;
  }
  if (doubt->evicted) {
    parts_->removals->DeleteEverywhere(key);
    *done = true;
    return;
  }
  const uint32_t judge = copies.Is(primary, CopyStage::kInSync)
                             ? primary
                             : static_cast<uint32_t>(__builtin_ctz(copies.in_sync()));
  if (doubt->judged || !copies.Is(judge, CopyStage::kInSync) || !copies.link(judge).up()) return;
  doubt->judged = true;
  Op* op = parts_->ops->New();
  op->item_kind = LinkItem::Kind::kRemoval;
  op->repair_step = kJudge;
  parts_->copies->link(judge).Send(op, CommandFrame({"PTTL", key}));
}

// How long the key lives where it may be what it was before it expired on the primary that is lost.
void KeyDoubts::OnJudged(std::string_view reply, std::string_view frame) {
  frame_.Split(frame);
  const std::string key(frame_.args()[1]);
  const auto doubt = doubts_.find(key);
  if (doubt == doubts_.end()) return;
  int64_t left_ms = 0;
  const bool known = reply[0] == ':' && ParseInteger(ReplyText(reply), &left_ms);
  const bool lives = known && (left_ms == -1 || left_ms > kClocksMs);
  if (doubt->second.evicted || !lives) {
    parts_->removals->DeleteEverywhere(key);
    doubts_.erase(doubt);
  } else {
    doubt->second = Doubt{parts_->copies->primary(), false, false, 0};
  }
  Resolve();
  OnLessInDoubt();
}

void KeyDoubts::OnJudgeLost(std::string_view frame) {
  frame_.Split(frame);
  if (const auto doubt = doubts_.find(frame_.args()[1]); doubt != doubts_.end()) {
    doubt->second.judged = false;
  }
}

void KeyDoubts::OnRepaired(const std::string& key) {
  parts_->removals->OnMadeEqual(key);
  repairing_.erase(key);
  // Something was heard of it meanwhile.
  if (Has(key)) parts_->removals->Miss(parts_->journals->known(), key);
  Resolve();
}

bool KeyDoubts::RepairLater(std::string_view key, uint32_t source) {
  if (!repairing_.contains(key)) return false;
  parts_->shard->LeaveShortWay();
  doubts_.insert_or_assign(std::string(key), Doubt{source, false, false, 0});
  return true;
}

bool KeyDoubts::OnNotRepaired(const std::string& key, std::string_view why) {
  const auto found = repairing_.find(key);
  if (found == repairing_.end()) return false;
  Doubt doubt = found->second;
  repairing_.erase(found);
  const uint32_t primary = parts_->copies->primary();
  if (parts_->copies->InSync(doubt.source) && parts_->copies->link(doubt.source).up()) {
    // A target is to blame. One that takes no writes just now gets time, as with others' writes;
    // and better another copy leaves than the primary.
    const uint64_t now_ms = parts_->env->NowMs();
    const bool unfit = IsUnfitToWrite("-" + std::string(why));
    if (unfit && doubt.until_ms == 0)
      doubt.until_ms = now_ms + parts_->options.wait_ms / kPatiencePart;
    if (unfit && now_ms < doubt.until_ms) {
      retry_ms_ = now_ms + kDoubtRetryMs;
    } else if (doubt.source == primary) {
      return false;
    } else {
      doubt.source = primary;
    }
  }
  parts_->shard->LeaveShortWay();
  doubts_.try_emplace(key, doubt);
  return true;
}

void KeyDoubts::OnRoles() {
  const uint32_t primary = parts_->copies->primary();
  if (const uint32_t before = std::exchange(was_primary_, primary);
      before != primary && !parts_->copies->InSync(before)) {
    lost_primary_ = before;
  }
}

}  // namespace gemel
