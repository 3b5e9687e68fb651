#include "backend/shard/removals.h"

#include <algorithm>
#include <iterator>

#include "backend/command/expiry_time.h"
#include "backend/link/node_identity.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/refusals.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/scan_copies.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

// Single keys are recorded as long as something was removed so lately.
constexpr uint64_t kQuietMs = 10 * 1000;
// A main link that waits so long is silent.
constexpr uint64_t kSilentMs = 1000;
// What a node that is gone had sent is here by then.
constexpr uint64_t kRestMs = 10;
// A barrier costs each node a PING: no more often than that.
constexpr uint64_t kBarrierMs = 2;
constexpr size_t kBatch = 128;
constexpr size_t kMaxWhilePaused = 100 * 1000;

}  // namespace

void Removals::AddCopy(uint32_t copy, const LinkOptions& node) {
  if (copy >= feeds_.size()) {
    feeds_.resize(copy + 1);
    notifying_.resize(copy + 1);
  }
  notifying_[copy] = 0;
  feeds_[copy] = std::make_unique<RemovalFeed>(static_cast<RemovalFeed::Host*>(this), copy,
                                               parts_->pool, node);
}

// --- feeds ---

void Removals::StartFeed(uint32_t copy, uint64_t now_ms) {
  RemovalFeed& feed = *feeds_[copy];
  if (!parts_->copies->IsMember(copy) || parts_->copies->members() == 1) {
    if (feed.started()) feed.Stop();
  } else if (!feed.started() && parts_->copies->link(copy).up()) {
    feed.Start(now_ms, parts_->copies->link(copy).identity());
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
  const uint64_t now_ms = parts_->env->NowMs();
  RemovalFeed& feed = *feeds_[copy];
  // Of the process that is gone, whose end nobody has told yet.
  if (feed.following() && ProcessOf(feed.link().identity().run_id) !=
                              ProcessOf(parts_->copies->link(copy).identity().run_id)) {
    feed.Restart(now_ms, parts_->copies->link(copy).identity());
  }
  StartFeed(copy, now_ms);
  Resolve();
}

void Removals::OnMainDown(uint32_t copy) {
  if (copy != parts_->copies->primary() || !feeds_[copy]->following() ||
      !parts_->copies->link(copy).end().by_node) {
    return;  // what a node that hangs has told was heard while it was waited for
  }
  const uint64_t now_ms = parts_->env->NowMs();
  if (now_ms >= rest_until_ms_) rest_until_ms_ = now_ms + kRestMs;
  // Nor is any other copy read from: it may have what was gone.
  parts_->copies->set_readable(0);
}

// The node's main link waits for it.
bool Removals::IsSilent(uint32_t copy) {
  const Link& link = parts_->copies->link(copy);
  return link.up() && link.pending() > 0 &&
         parts_->env->NowMs() >= link.times().waiting_since_ms() + kSilentMs;
}

void Removals::SetNotifying(uint32_t copy, uint64_t since) {
  if (std::exchange(notifying_[copy], since) == since || since == 0) return;
  feeds_[copy]->Restart(parts_->env->NowMs(), parts_->copies->link(copy).identity());
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

bool Removals::AllHeard(uint64_t* ticket) {
  if (following_ == 0) return true;
  if (*ticket == 0) {
    *ticket = barriers_ + (barrier_.under_way ? 2 : 1);
    wanted_barriers_ = std::max(wanted_barriers_, *ticket);
    StepBarrier();
  }
  return barriers_ >= *ticket && doubts_.empty() && repairing_.empty();
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
  if (const size_t count = keys_.size(); count > 1 && row->split != Split::kEachKey) {
    recent_.AddTogether(keys_, row->written == WrittenKeys::kLast ? count - 1 : 0,
                        row->written == WrittenKeys::kFirst ? 1 : count);
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
  Doubt(key, parts_->copies->primary(), /*evicted=*/false);
}

void Removals::StepBarrier() {
  const Copies& copies = *parts_->copies;
  if (!barrier_.under_way) {
    const uint64_t now_ms = parts_->env->NowMs();
    const bool wanted = !recent_.empty() || barriers_ < wanted_barriers_;
    if (!wanted || now_ms < barrier_.next_ms) return;
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
  ++barriers_;
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

void Removals::OnRemoved(uint32_t copy, std::string_view key, bool evicted) {
  ++removed_;
  heard_ms_ = parts_->env->NowMs();
  // One that joins has all that is not in its journal: what it removes of that is gone, as with a
  // copy in sync, unless it may have been written since.
  const bool joins = parts_->copies->Is(copy, CopyStage::kJoining) &&
                     !parts_->journals->Has(copy, key) && !IsInDoubt(key) && !IsLocked(key) &&
                     recent_.recording() && !recent_.MayHave(key);
  if (!joins) Miss(Bit(copy) & parts_->journals->known(), key);
  if (parts_->hold->paused() && while_paused_.size() < kMaxWhilePaused) {
    while_paused_.emplace_back(copy, key);
  }
  if (!parts_->copies->InSync(copy) && !joins) {
    // It may have removed what its repair had just brought.
    if (parts_->way_back->repairs().IsLocked(key)) gone_again_[std::string(key)] |= Bit(copy);
    return;
  }
  recent_.Begin();
  if (const auto doubt = doubts_.find(key); doubt != doubts_.end()) {
    // Of several that removed it the primary's state counts.
    if (copy == parts_->copies->primary() || !std::exchange(doubt->second.told, true)) {
      doubt->second.source = copy;
    }
    doubt->second.evicted |= evicted;
  } else if (IsLocked(key) || recent_.MayHave(key)) {
    Doubt(key, copy, evicted);
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
      for (const std::string_view key : keys) {
        const CopyMask on = gone.find(key)->second;
        Doubt(key, static_cast<uint32_t>(__builtin_ctz(on)), /*evicted=*/true);
      }
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
      op->repair_step = 0;
      parts_->roles->OnOverwritten(copy);
      parts_->copies->link(copy).Send(op, frame);
    });
  }
}

void Removals::OnReply(uint32_t copy, const Op& op, std::string_view reply,
                       std::string_view frame) {
  if (op.repair_step == kJudge) {
    OnJudged(reply, frame);
    return;
  }
  if (reply[0] != '-') return;
  parts_->journals->RecordKeys(Bit(copy), frame);
  const CopyMask others = parts_->copies->in_sync() & ~Bit(copy);
  if (!parts_->copies->InSync(copy) || others == 0) return;
  if (IsUnfitToWrite(reply)) {
    DoubtAll(copy, frame);
    retry_ms_ = parts_->env->NowMs() + kRetryMs;
    return;
  }
  parts_->roles->MarkUnsure(copy, "it refused to delete keys that are gone on another copy: " +
                                      std::string(ReplyText(reply)));
  parts_->roles->Reconcile();
}

// Whether it deleted them is not known.
void Removals::OnLost(uint32_t copy, const Op& op, std::string_view frame) {
  frame_.Split(frame);
  if (op.repair_step == kJudge) {
    if (const auto doubt = doubts_.find(frame_.args()[1]); doubt != doubts_.end()) {
      doubt->second.judged = false;
    }
    return;
  }
  parts_->journals->RecordKeys(Bit(copy), frame);
  if (parts_->copies->InSync(copy)) DoubtAll(copy, frame);
}

// The keys of a deletion that did not come to pass on that copy, as far as is known.
void Removals::DoubtAll(uint32_t copy, std::string_view frame) {
  const CopyMask others = parts_->copies->in_sync() & ~Bit(copy);
  if (others == 0) return;
  const uint32_t primary = parts_->copies->primary();
  const uint32_t source = primary != copy ? primary : static_cast<uint32_t>(__builtin_ctz(others));
  frame_.Split(frame);
  const std::vector<std::string_view> args = frame_.args();
  for (size_t i = 1; i < args.size(); ++i) Doubt(args[i], source, /*evicted=*/true);
}

void Removals::OnRoles() {
  const uint32_t primary = parts_->copies->primary();
  if (const uint32_t before = std::exchange(was_primary_, primary);
      before != primary && !parts_->copies->InSync(before)) {
    lost_primary_ = before;
  }
  const CopyMask entered = parts_->copies->in_sync() & ~was_in_sync_;
  was_in_sync_ = parts_->copies->in_sync();
  if (entered != 0 && !while_paused_.empty()) {
    // Some may have been written again by what was sent before the pause.
    for (const auto& [on, key] : while_paused_) {
      if (!parts_->copies->InSync(on)) continue;
      Doubt(key, (entered & Bit(on)) != 0 ? on : primary, /*evicted=*/true);
    }
    while_paused_.clear();
  }
  Resolve();
}

}  // namespace gemel
