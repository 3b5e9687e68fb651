#include "backend/shard/removals.h"

#include <algorithm>
#include <iterator>

#include "backend/command/expiry_time.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

// Single keys are recorded as long as something was removed so lately.
constexpr uint64_t kQuietMs = 10 * 1000;
// The clocks of the nodes and of this process are apart by less, all in all.
constexpr int64_t kClocksMs = 3000;
// What a node that is gone had sent is here by then.
constexpr uint64_t kRestMs = 10;
// A barrier costs each node a PING: no more often than that.
constexpr uint64_t kBarrierMs = 2;
constexpr size_t kBatch = 128;
constexpr size_t kMaxWhilePaused = 100 * 1000;

}  // namespace

void Removals::AddCopy(uint32_t copy, const LinkOptions& node) {
  if (copy >= feeds_.size()) feeds_.resize(copy + 1);
  feeds_[copy] = std::make_unique<RemovalFeed>(static_cast<RemovalFeed::Host*>(this), copy,
                                               parts_->pool, node);
}

// --- feeds ---

void Removals::StartFeed(uint32_t copy, uint64_t now_ms) {
  RemovalFeed& feed = *feeds_[copy];
  if (!parts_->copies->IsMember(copy) || parts_->copies->members() == 1) {
    if (feed.started()) feed.Stop();
  } else if (!feed.started() && parts_->copies->link(copy).up()) {
    feed.Start(now_ms);
  }
}

void Removals::Tick(uint64_t now_ms, uint32_t random) {
  for (uint32_t i = 0; i < feeds_.size(); ++i) {
    StartFeed(i, now_ms);
    feeds_[i]->Tick(now_ms, random += 0x9e3779b9u);
  }
  if (recent_.recording() && now_ms >= heard_ms_ + kQuietMs) recent_.End();
  if (!parts_->hold->paused()) while_paused_.clear();
  StepBarrier();
  Flush();
  Resolve();
}

void Removals::Stop() {
  for (const auto& feed : feeds_) feed->Stop();
}

void Removals::OnMainUp(uint32_t copy) {
  StartFeed(copy, parts_->env->NowMs());
  Resolve();
}

void Removals::OnMainDown(uint32_t copy) {
  if (copy == parts_->copies->primary() && feeds_[copy]->following()) {
    rest_until_ms_ = parts_->env->NowMs() + kRestMs;
  }
}

bool Removals::AwaitsRest() const {
  const uint32_t primary = parts_->copies->primary();
  return feeds_[primary]->following() && !parts_->copies->link(primary).up() &&
         parts_->env->NowMs() < rest_until_ms_;
}

void Removals::OnFollowing(uint32_t copy, bool missed) {
  following_ |= Bit(copy);
  if (!missed) return;
  const std::string& node = parts_->copies->info(copy).node;
  if (parts_->copies->InSync(copy)) {
    Audit("node " + node + " evicted keys while its notifications were not heard");
  } else if (parts_->journals->of(copy) != nullptr) {
    parts_->Note(NoteLevel::kWarn,
                 node + " evicted keys meanwhile, and it is not known which: all will be copied");
    if (parts_->scans->IsCopying(copy)) {
      parts_->way_back->Leave(copy, "it evicted keys, and it is not known which");
    } else {
      parts_->journals->Forget(copy);
    }
  }
}

void Removals::OnFeedEnd(uint32_t copy) {
  following_ &= ~Bit(copy);
  barrier_.feed &= ~Bit(copy);
  Flush();
  if (copy == parts_->copies->primary()) parts_->roles->Reconcile();
}

std::string Removals::Note(uint32_t copy) const {
  RemovalFeed& feed = *feeds_[copy];
  if (feed.following() || parts_->copies->members() == 1) return {};
  return feed.refusal().empty() ? feed.link().last_error() : feed.refusal();
}

void Removals::Audit(const std::string& why) {
  parts_->Note(NoteLevel::kWarn, why + ": all keys are being compared");
  if (audit_) audit_(why);
}

// --- what is written ---

void Removals::OnWrite(const Request& request) {
  const CommandRow* row = request.row;
  if (row != nullptr) {
    frame_.Split(request.frame);
  } else {
    row = frame_.Split(request.frame, *parts_->table);
  }
  if (!frame_.Find(row)) return;  // of all keys or of none: it leaves the copies alike
  if (row->expiry != ExpiryRule::kNone) {
    OnExpiryTime(frame_.key(0), ExpiryTimeMs(*row, frame_.args()));
  }
  keys_.clear();
  for (size_t i = 0; i < frame_.size(); ++i) keys_.push_back(frame_.key(i));
  if (keys_.size() > 1 && row->split != Split::kEachKey) {
    recent_.AddTogether(keys_);
  } else {
    for (const std::string_view key : keys_) recent_.Add(key);
  }
}

// Where that is past already the node deletes the key at once, and says so to nobody. By the clock
// of one node it may be past, and by another's not yet.
void Removals::OnExpiryTime(std::string_view key, int64_t unix_ms) {
  const int64_t now_ms = parts_->env->UnixMs();
  if (following_ == 0 || now_ms == 0 || unix_ms < now_ms - kClocksMs ||
      unix_ms > now_ms + kClocksMs) {
    return;
  }
  Doubt(key);
}

void Removals::StepBarrier() {
  const Copies& copies = *parts_->copies;
  if (!barrier_.under_way) {
    const uint64_t now_ms = parts_->env->NowMs();
    if (recent_.empty() || now_ms < barrier_.next_ms) return;
    barrier_.next_ms = now_ms + kBarrierMs;
    recent_.Close();
    barrier_.under_way = true;
    barrier_.line = barrier_.feed = 0;
    barrier_.marks.assign(copies.count(), 0);
    for (uint32_t i = 0; i < copies.count(); ++i) {
      if (!copies.IsMember(i)) continue;
      barrier_.line |= Bit(i);
      barrier_.marks[i] = copies.link(i).line().last_place();
    }
  }
  ForEachCopy(barrier_.line, [&](uint32_t copy) {
    const bool member = copies.IsMember(copy);
    if (member && copies.link(copy).line().answered_place() < barrier_.marks[copy]) return;
    barrier_.line &= ~Bit(copy);
    if (!member || !feeds_[copy]->following()) return;
    barrier_.feed |= Bit(copy);
    feeds_[copy]->Ping();
  });
  if ((barrier_.line | barrier_.feed) != 0) return;
  barrier_.under_way = false;
  recent_.Drop();
}

void Removals::OnPong(uint32_t copy) {
  barrier_.feed &= ~Bit(copy);
  if (barrier_.under_way && (barrier_.line | barrier_.feed) == 0) StepBarrier();
}

// --- what is gone ---

bool Removals::IsLocked(std::string_view key) const {
  return parts_->way_back->repairs().IsLocked(key) || parts_->first->IsLocked(key);
}

// Copies with journals that are not sent what follows here.
void Removals::Miss(CopyMask copies, std::string_view key) {
  ForEachCopy(copies, [&](uint32_t copy) { parts_->journals->Miss(copy, key); });
}

void Removals::OnRemoved(uint32_t copy, std::string_view key) {
  ++removed_;
  heard_ms_ = parts_->env->NowMs();
  Miss(Bit(copy) & parts_->journals->known(), key);
  if (parts_->hold->paused() && while_paused_.size() < kMaxWhilePaused) {
    while_paused_.emplace_back(copy, key);
  }
  if (!parts_->copies->InSync(copy)) return;
  recent_.Begin();
  if (IsInDoubt(key)) return;
  if (IsLocked(key) || recent_.MayHave(key)) {
    Doubt(key);
  } else if ((recent_.GoneOn(key) & Bit(copy)) == 0) {
    const auto found = gone_.find(key);
    if (found != gone_.end()) {
      found->second |= Bit(copy);
    } else {
      gone_.emplace(std::string(key), Bit(copy));
    }
  }
}

void Removals::OnRemovedEnd(uint32_t) {
  StepBarrier();
  Flush();
  Resolve();
}

// What is gone on one copy is deleted on the others.
void Removals::Flush() {
  if (gone_.empty()) return;
  const Copies& copies = *parts_->copies;
  KeyMap<CopyMask> gone;
  gone.swap(gone_);
  const CopyMask members = copies.targets() | parts_->journals->recording();
  for (uint32_t copy = 0; copy < copies.count(); ++copy) {
    if ((copies.targets() & Bit(copy)) == 0) continue;
    keys_.clear();
    for (const auto& [key, on] : gone) {
      if ((on & Bit(copy)) == 0) keys_.push_back(key);
    }
    if (keys_.empty()) continue;
    if (copies.link(copy).up()) {
      Delete(Bit(copy), keys_);
    } else {
      // It may be back with what it had.
      const std::vector<std::string_view> keys = keys_;
      for (const std::string_view key : keys) Doubt(key);
    }
  }
  for (const auto& [key, on] : gone) {
    Miss(parts_->journals->recording() & ~copies.targets(), key);
    recent_.NoteGone(key, on | members);
  }
  followed_ += gone.size();
}

// On the links of these copies, which are up.
void Removals::Delete(CopyMask copies, const std::vector<std::string_view>& keys) {
  std::vector<std::string_view> args;
  for (size_t first = 0; first < keys.size(); first += kBatch) {
    args.assign({"DEL"});
    const size_t last = std::min(first + kBatch, keys.size());
    args.insert(args.end(), keys.begin() + static_cast<ptrdiff_t>(first),
                keys.begin() + static_cast<ptrdiff_t>(last));
    const std::string frame = CommandFrame(args);
    ForEachCopy(copies, [&](uint32_t copy) {
      Op* op = parts_->ops->New();
      op->item_kind = LinkItem::Kind::kRemoval;
      parts_->roles->OnOverwritten(copy);
      parts_->copies->link(copy).Send(op, frame);
    });
  }
}

void Removals::OnReply(uint32_t copy, std::string_view reply, std::string_view frame) {
  if (reply[0] != '-') return;
  parts_->journals->RecordKeys(Bit(copy), frame);
  if (!parts_->copies->InSync(copy)) return;
  parts_->roles->MarkUnsure(copy, "it refused to delete keys that are gone on another copy: " +
                                      std::string(ReplyText(reply)));
  parts_->roles->Reconcile();
}

// Whether it deleted them is not known.
void Removals::OnLost(uint32_t copy, std::string_view frame) {
  parts_->journals->RecordKeys(Bit(copy), frame);
  if (!parts_->copies->InSync(copy)) return;
  frame_.Split(frame);
  for (size_t i = 1; i < frame_.args().size(); ++i) Doubt(frame_.args()[i]);
}

// --- doubts ---

void Removals::Doubt(std::string_view key) {
  std::vector<std::string> keys{std::string(key)};
  if (!recent_.Spread(&keys)) {
    Audit("too many writes of several keys since a copy removed a key");
  }
  parts_->shard->LeaveShortWay();
  const uint32_t primary = parts_->copies->primary();
  for (std::string& doubtful : keys) {
    Miss(parts_->journals->known(), doubtful);
    gone_.erase(doubtful);
    doubts_.try_emplace(std::move(doubtful), primary);
  }
}

void Removals::Resolve() {
  if (doubts_.empty() || resolving_ || parts_->copies->losing() || parts_->roles->stopped()) return;
  resolving_ = true;
  for (auto doubt = doubts_.begin(); doubt != doubts_.end();) {
    bool done = false;
    const bool more = ResolveOne(doubt->first, doubt->second, &done);
    doubt = done ? doubts_.erase(doubt) : std::next(doubt);
    if (!more) break;
  }
  resolving_ = false;
  if (doubts_.empty()) parts_->shard->Refresh();
}

bool Removals::ResolveOne(const std::string& key, uint32_t source, bool* done) {
  const Copies& copies = *parts_->copies;
  if (IsLocked(key)) return true;
  if (!copies.Is(source, CopyStage::kInSync) && !copies.Is(source, CopyStage::kRefused)) {
    DeleteEverywhere(key);
    *done = true;
    return true;
  }
  const CopyMask targets = copies.in_sync() & ~Bit(source);
  if (targets == 0) {
    *done = true;
    return true;
  }
  if (!copies.link(source).up()) return false;
  bool up = true;
  ForEachCopy(targets, [&](uint32_t copy) { up &= copies.link(copy).up(); });
  if (!up) return true;
  if (!parts_->way_back->Repair(key, source, targets)) return false;
  ++doubted_;
  repairing_[key] = source;
  *done = true;
  return true;
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

void Removals::OnRepaired(const std::string& key) {
  recent_.Add(key);
  repairing_.erase(key);
  // Something was heard of it meanwhile.
  if (IsInDoubt(key)) Miss(parts_->journals->known(), key);
  Resolve();
}

bool Removals::OnNotRepaired(const std::string& key) {
  const auto found = repairing_.find(key);
  if (found == repairing_.end()) return false;
  const uint32_t source = found->second;
  repairing_.erase(found);
  if (parts_->copies->InSync(source) && parts_->copies->link(source).up()) return false;
  parts_->shard->LeaveShortWay();
  doubts_.try_emplace(key, source);
  return true;
}

void Removals::OnRoles() {
  const CopyMask entered = parts_->copies->in_sync() & ~was_in_sync_;
  was_in_sync_ = parts_->copies->in_sync();
  if (entered != 0 && !while_paused_.empty()) {
    // No write was sent meanwhile.
    for (const auto& [on, key] : while_paused_) {
      if (!parts_->copies->InSync(on)) continue;
      const bool newcomers = (entered & Bit(on)) != 0;
      gone_[key] |= newcomers ? Bit(on) : parts_->copies->in_sync() & ~entered;
    }
    Flush();
  }
  Resolve();
}

}  // namespace gemel
