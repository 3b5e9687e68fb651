// Keys in doubt: what made them so is in removals.cc, here they are made equal.

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

// What a node that takes no writes refused is tried again for so much of the time that a request
// may wait.
constexpr uint32_t kPatiencePart = 4;

}  // namespace

void Removals::Doubt(std::string_view key, uint32_t source, bool evicted) {
  std::vector<std::string> keys{std::string(key)};
  if (!recent_.Spread(&keys)) {
    Audit("too many writes of several keys since a copy removed a key");
  }
  parts_->shard->LeaveShortWay();
  for (std::string& doubtful : keys) {
    Miss(parts_->journals->known(), doubtful);
    gone_.erase(doubtful);
    doubts_.try_emplace(std::move(doubtful), DoubtfulKey{source, evicted});
  }
}

void Removals::Resolve() {
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
void Removals::OnLessInDoubt() {
  if (!doubts_.empty()) return;
  if (parts_->way_back->NothingLocked()) parts_->writes->OnAllRepaired();
  parts_->shard->Refresh();
}

bool Removals::ResolveOne(const std::string& key, DoubtfulKey* doubt, bool* done) {
  const Copies& copies = *parts_->copies;
  const uint32_t source = doubt->source;
  // One that is about to leave, or has just refused a write, may lack what counts.
  if (IsLocked(key) || barriers_ < doubt->barrier || parts_->edits->leaving() != 0 ||
      copies.Is(source, CopyStage::kRefused)) {
    return true;
  }
  if (!copies.Is(source, CopyStage::kInSync)) {
    OnSourceLost(key, doubt, done);
    return true;
  }
  // Whoever left since it was in doubt may have it wrong.
  Miss(parts_->journals->recording(), key);
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
  parts_->writes->OnSource(key, source);
  *done = true;
  return true;
}

// The primary has it right, unless it was the primary that is lost.
void Removals::OnSourceLost(const std::string& key, DoubtfulKey* doubt, bool* done) {
  const Copies& copies = *parts_->copies;
  const uint32_t primary = copies.primary();
  if (doubt->source != primary && doubt->source != lost_primary_) {
    doubt->source = primary;
    return;
  }
  if (doubt->evicted) {
    DeleteEverywhere(key);
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
void Removals::OnJudged(std::string_view reply, std::string_view frame) {
  frame_.Split(frame);
  const std::string key(frame_.args()[1]);
  const auto doubt = doubts_.find(key);
  if (doubt == doubts_.end()) return;
  int64_t left_ms = 0;
  const bool known = reply[0] == ':' && ParseInteger(ReplyText(reply), &left_ms);
  const bool lives = known && (left_ms == -1 || left_ms > kClocksMs);
  if (doubt->second.evicted || !lives) {
    DeleteEverywhere(key);
    doubts_.erase(doubt);
  } else {
    doubt->second = DoubtfulKey{parts_->copies->primary()};
  }
  Resolve();
  OnLessInDoubt();
}

void Removals::DeleteEverywhere(const std::string& key) {
  CopyMask up = 0;
  ForEachCopy(parts_->copies->targets(), [&](uint32_t copy) {
    if (parts_->copies->link(copy).up()) up |= Bit(copy);
  });
  Delete(up, {key});
  Miss(parts_->journals->known(), key);
  recent_.Add(key);
}

CopyMask Removals::TakeGoneAgain(const std::string& key, CopyMask copies) {
  const auto found = gone_again_.find(key);
  if (found == gone_again_.end()) return 0;
  const CopyMask gone = found->second & copies;
  found->second &= ~copies;
  if (found->second == 0) gone_again_.erase(found);
  return gone;
}

void Removals::OnRepaired(const std::string& key) {
  recent_.Add(key);
  repairing_.erase(key);
  // Something was heard of it meanwhile.
  if (IsInDoubt(key)) Miss(parts_->journals->known(), key);
  Resolve();
}

bool Removals::AskWhoRemoved(std::string_view key) {
  if (following_ == 0) return false;
  const uint64_t barrier = barriers_ + (barrier_.under_way ? 2 : 1);
  wanted_barriers_ = std::max(wanted_barriers_, barrier);
  if (!doubts_.contains(key)) {
    // One whose repair is under way has a source: that is asked after again behind it.
    Doubt(key, parts_->copies->primary(), /*evicted=*/false);
    doubts_.find(key)->second.told = false;
  }
  doubts_.find(key)->second.barrier = barrier;
  StepBarrier();
  return true;
}

bool Removals::RepairLater(std::string_view key, uint32_t source) {
  if (!repairing_.contains(key)) return false;
  parts_->shard->LeaveShortWay();
  doubts_.insert_or_assign(std::string(key), DoubtfulKey{source});
  return true;
}

bool Removals::OnNotRepaired(const std::string& key, std::string_view why) {
  const auto found = repairing_.find(key);
  if (found == repairing_.end()) return false;
  DoubtfulKey doubt = found->second;
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
      retry_ms_ = now_ms + kRetryMs;
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

}  // namespace gemel
