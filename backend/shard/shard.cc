// The data path: requests out, replies back.

#include "backend/shard/shard.h"

#include <bit>
#include <utility>

#include "backend/command/key_finder.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/same_reply.h"
#include "backend/shard/shard_control.h"

namespace gemel {

namespace {

// Above this a frame is shared by the links instead of copied to each.
constexpr size_t kShareFrom = ChunkPool::kStandard;
// A write of more keys than this that turns out to differ costs the copy its place.
constexpr size_t kMaxRepairKeys = 64;
constexpr size_t kMaxRepairJobs = 1024;
static_assert(sizeof(Request::tried) * 8 >= kMaxCopies);

// A node that cannot serve reads just now; another copy may.
// A node that applies no such writes just now: it has not applied this one.
bool IsUnfitToWrite(std::string_view reply) {
  return reply.starts_with("-READONLY") || reply.starts_with("-MASTERDOWN") ||
         reply.starts_with("-LOADING") || reply.starts_with("-OOM") ||
         reply.starts_with("-MISCONF") || reply.starts_with("-NOREPLICAS") ||
         reply.starts_with("-BUSY ") || IsProtocolError(reply);
}

// A node that cannot serve reads just now; another copy may. Some reads are writes to Redis (SORT,
// GEORADIUS, BITFIELD GET) and are refused like these.
bool IsUnfitToRead(std::string_view reply) {
  return IsUnfitToWrite(reply) || reply.starts_with("-NOAUTH") || reply.starts_with("-CLUSTERDOWN");
}

}  // namespace

Shard::Shard(ShardOptions options, ShardInfo info, const CommandTable* table, ChunkPool* pool,
             ShardEnv* env)
    : options_(std::move(options)),
      table_(table),
      pool_(pool),
      env_(env),
      side_(this, pool),
      held_(options_.held_limit),
      repair_(this, kMaxRepairJobs) {
  for (uint32_t i = 0; i < options_.nodes.size(); ++i) {
    auto copy = std::make_unique<Copy>(options_.probe_failures, options_.hang);
    copy->link = std::make_unique<Link>(this, i, pool_, options_.nodes[i]);
    copies_.push_back(std::move(copy));
    side_.MakeLink(i, options_.nodes[i]);
  }
  if (options_.home.empty() && !options_.nodes.empty()) options_.home = options_.nodes[0].name;
  SetInfo(info);
  control_ = std::make_unique<ShardControl>(this, env_);
}

Shard::~Shard() = default;

void Shard::Start() {
  started_ms_ = env_->NowMs();
  for (auto& copy : copies_) copy->link->Start(started_ms_);
}

void Shard::Stop() {
  stopped_ = true;
  control_->Stop();
  side_.Stop("CLUSTERDOWN shard '" + options_.name + "' is being stopped");
  for (auto& copy : copies_) copy->link->Stop();
  // Nobody will mark stale now what these missed.
  std::vector<Op*> waiting = std::move(waiting_);
  waiting_.clear();
  for (Op* op : waiting) {
    if (Request* request = std::exchange(op->request, nullptr); request != nullptr) {
      AnswerError(request, UnknownOutcomeText(*op));
    }
    OpEnded(op);
  }
  while (!held_.empty()) {
    Request* request = held_.Pop().request;
    AnswerError(request, "CLUSTERDOWN shard '" + options_.name + "' is being stopped");
  }
}

void Shard::Tick(uint64_t now_ms, uint32_t random) {
  for (auto& copy : copies_) copy->link->Tick(now_ms, random += 0x9e3779b9u);
  WatchNodes(now_ms);
  HedgeReads();
  side_.Tick(now_ms, random, options_.wait_ms);
  if (!heavy_.empty()) heavy_.Forget(now_ms);
  if (careful_until_ms_ != 0 && now_ms >= careful_until_ms_) {
    careful_until_ms_ = 0;
    UpdatePlainReads();
  }
  ExpireHeld(now_ms);
  Reconcile();
  Mend(now_ms);
  WatchLoss(now_ms);
  control_->Tick(now_ms);
}

void Shard::Transmit(LinkItem* item, Request* request, CopyMask to) {
  if (request->frame.size() < kShareFrom) {
    for (; to != 0; to &= to - 1) {
      copies_[static_cast<uint32_t>(std::countr_zero(to))]->link->Send(item, request->frame);
    }
    return;
  }
  ChunkRef chunk;
  if (request->owns_frame()) {
    chunk = ChunkRef(pool_->Adopt(std::move(request->extra->owned)));
  } else {
    chunk = ChunkRef(pool_->New(request->frame.size()));
    std::memcpy(chunk->data, request->frame.data(), request->frame.size());
    chunk->size = request->frame.size();
  }
  for (; to != 0; to &= to - 1) {
    copies_[static_cast<uint32_t>(std::countr_zero(to))]->link->SendShared(item, chunk.get());
  }
}

int Shard::PickRead(CopyMask among, bool primary_only, bool also_silent) const {
  among &= readable_;
  if (among == 0) return -1;
  if (silent_ != 0 && !primary_only && !also_silent && (among & ~silent_) != 0) [[unlikely]]
    among &= ~silent_;
  const bool has_primary = (among & Bit(primary_)) != 0;
  if (has_primary &&
      (primary_only || options_.read_from == ReadFrom::kPrimary || among == Bit(primary_))) {
    return static_cast<int>(primary_);
  }
  CopyMask rest = among;
  if (options_.read_from == ReadFrom::kReplica && rest != Bit(primary_)) rest &= ~Bit(primary_);
  // Of the rest the one with the fewest requests pending; equal ones take turns.
  int best = -1;
  size_t best_pending = 0;
  const uint32_t count = static_cast<uint32_t>(copies_.size());
  ++rotor_;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t copy = (i + rotor_) % count;
    if ((rest & Bit(copy)) == 0) continue;
    const size_t pending = copies_[copy]->link->pending();
    if (best < 0 || pending < best_pending) {
      best = static_cast<int>(copy);
      best_pending = pending;
    }
  }
  return best;
}

// The copy that is asked first.
int Shard::PickFirst(const Request& request) const {
  // While a copy is silent, one that may take long does not take the last one that is not.
  const bool stays = silent_ != 0 && std::popcount(readable_ & ~silent_) == 1 &&
                     StaysWhereItIs(request, request.frame);
  return PickRead(~CopyMask{0}, request.primary_only, stays);
}

void Shard::SendRead(Request* request) {
  uint32_t copy = primary_;
  if (!PrimaryServes(*request)) {
    const int picked = PickFirst(*request);
    if (picked < 0) {
      AnswerError(request, DownText());
      return;
    }
    copy = static_cast<uint32_t>(picked);
  }
  ++stats_.reads;
  request->tried = static_cast<uint16_t>(Bit(copy));
  if (request->frame.size() < kShareFrom) [[likely]] {
    copies_[copy]->link->Send(request, request->frame);
  } else {
    Transmit(request, request, Bit(copy));
  }
}

void Shard::SendWrite(Request* request, uint32_t room_mb) {
  ++stats_.writes;
  ++writes_in_flight_;
  ++writes_sent_;
  if (journaling_ != 0) [[unlikely]]
    RecordWrite(*request);
  Op* op = ops_.New();
  op->request = request;
  op->session = request->session;
  op->joining = joining_;
  if (room_mb != 0) [[unlikely]] {
    op->room_mb = room_mb;
    room_mb_ += room_mb;
  }
  op->sent = op->pending = targets_;
  Transmit(op, request, targets_);
}

void Shard::SubmitSlow(Request* request) {
  if (request->kind == RequestKind::kReport) {
    Report(request);
    return;
  }
  if (request->kind == RequestKind::kExplain) {
    Explain(request);
    return;
  }
  if (request->kind == RequestKind::kControl) {
    control_->Submit(request);
    return;
  }
  if (request->kind == RequestKind::kAudit) {
    if (audit_) {
      audit_(request);
    } else {
      AnswerError(request, "ERR shard '" + options_.name + "' has no audit");
    }
    return;
  }
  if (request->frame.size() >= plain_bytes_ && IsTooLong(*request)) {
    ++stats_.refused_large;
    AnswerError(request, "ERR Protocol error: invalid bulk length");
    return;
  }
  const ShardGate::Verdict verdict = AskGate(*request);
  if (verdict == ShardGate::Verdict::kRefuse) {
    AnswerError(request, gate_->Refusal());
    return;
  }
  if (held_.HasSession(request->session) || WaitsForAside(*request) || TouchesLockedKey(*request)) {
    Hold(request);
    return;
  }
  const bool read = request->kind == RequestKind::kRead;
  if (verdict == ShardGate::Verdict::kPass && (read ? CanRead() : CanWrite())) {
    SendPlain(request);
  } else if (Hopeful()) {
    Hold(request);
  } else {
    AnswerError(request, DownText());
  }
}

// On the slow way, or one that was held.
void Shard::SendPlain(Request* request) {
  if (request->kind == RequestKind::kRead) {
    if (GoesAside(request)) return;
    SendRead(request);
    return;
  }
  uint32_t room_mb = 0;
  if (!heavy_.empty() && NeedsRoom(*request, &room_mb)) {
    Hold(request);
    return;
  }
  if (request->frame.size() >= HeavyReads::kLarge) {
    NoteHeavy(request->row, request->frame, request->frame.size());
  }
  SendWrite(request, room_mb);
}

void Shard::Answer(Op* op, const Reply& reply) {
  Request* request = op->request;
  op->request = nullptr;
  if (request != nullptr) request->sink->OnReply(request, reply);
}

void Shard::AnswerKept(Op* op) {
  if (op->request != nullptr) Answer(op, Reply{op->reply(), op->large_reply()});
}

void Shard::AnswerError(Request* request, std::string_view text) {
  ++stats_.errors;
  std::string reply;
  AppendError(&reply, text);
  request->sink->OnReply(request, Reply{reply, nullptr});
}

void Shard::OpEnded(Op* op) {
  if (op->item_kind == LinkItem::Kind::kWrite) --writes_in_flight_;
  const uint32_t room_mb = op->room_mb;
  ops_.Free(op);
  if (room_mb != 0) [[unlikely]] {
    room_mb_ -= room_mb;
    if (!held_.empty() && !losing_) ReleaseHeld();
  }
  if (writes_in_flight_ == 0 && drained_) [[unlikely]] {
    std::function<void()> drained = std::move(drained_);
    drained_ = nullptr;
    drained();
  }
}

void Shard::OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) {
  switch (item->item_kind) {
    case LinkItem::Kind::kRequest: {
      Request* request = static_cast<Request*>(item);
      if (IsDoubtful(link->index(), reply) && Retry(request, frame)) [[unlikely]]
        return;
      if (reply.bytes.size() >= HeavyReads::kLarge) [[unlikely]]
        NoteHeavy(request->row, frame, reply.bytes.size());
      if (link->rest_unread()) [[unlikely]]
        LearnFromRefusal(link->index(), reply.bytes, frame);
      request->sink->OnReply(request, reply);
      return;
    }
    case LinkItem::Kind::kWrite:
      OnWriteReply(link->index(), static_cast<Op*>(item), reply, frame);
      return;
    case LinkItem::Kind::kRepair: {
      Op* op = static_cast<Op*>(item);
      if (op->repair_job == KeyRepair::kNoJob) {
        OnDeleted(link->index(), reply.bytes[0] != '-');
      } else if (op->repair_job == KeyRepair::kScanJob) {
        OnScanReply(*op, reply.bytes);
      } else {
        repair_.OnReply(link->index(), *op, reply.bytes);
      }
      OpEnded(op);
      return;
    }
    case LinkItem::Kind::kCompare:
      OnCompareReply(link->index(), static_cast<Op*>(item), reply.bytes);
      return;
    case LinkItem::Kind::kHedge:
      OnHedgeReply(link->index(), static_cast<Hedge*>(item), reply, frame);
      return;
  }
}

// A copy may have come into doubt since it was asked.
bool Shard::IsDoubtful(uint32_t copy, const Reply& reply) const {
  return (readable_ & Bit(copy)) == 0 || (reply.bytes[0] == '-' && IsUnfitToRead(reply.bytes));
}

// Sends a read to another copy; false if there is none that it was not sent to.
bool Shard::Retry(Request* request, std::string_view frame) {
  const int picked = PickRead(~CopyMask{request->tried}, /*primary_only=*/false);
  if (picked < 0) return false;
  ++stats_.fallbacks;
  request->tried |= static_cast<uint16_t>(Bit(static_cast<uint32_t>(picked)));
  copies_[static_cast<uint32_t>(picked)]->link->Send(request, frame);
  return true;
}

void Shard::OnWriteReply(uint32_t copy, Op* op, const Reply& reply, std::string_view frame) {
  op->pending &= ~Bit(copy);
  if (copies_[copy]->link->rest_unread()) [[unlikely]]
    LearnFromRefusal(copy, reply.bytes, frame);
  if (reply.bytes[0] == '-' && copies_.size() > 1 && IsUnfitToWrite(reply.bytes)) [[unlikely]] {
    op->refused |= Bit(copy);
    // Another server's replica: what it has right is that one's.
    if (reply.bytes.starts_with("-READONLY")) ForgetJournal(copy);
    if ((op->joining & Bit(copy)) == 0) {
      if (op->refusal == nullptr) op->refusal = std::make_unique<std::string>(reply.bytes);
      // One that is stale by now has nothing left to be judged by.
      if ((in_sync_ & Bit(copy)) != 0) copies_[copy]->refusing = true;
      UpdateOpen();
    }
    if (op->pending == 0) FinishWrite(op, frame);
    return;
  }
  op->applied |= Bit(copy);
  if (!op->HasReply() && op->pending == 0 && (op->lost | op->refused) == 0) {
    // The only copy: nothing to wait for or to compare with.
    Answer(op, reply);
    OpEnded(op);
    return;
  }
  // Under ack = "any" and "primary" the client need not wait, unless a copy lags too far behind.
  const bool joining = (op->joining & Bit(copy)) != 0;
  if (options_.ack != Ack::kAll && op->request != nullptr && op->pending != 0 && !joining &&
      (options_.ack == Ack::kAny || copy == primary_)) {
    size_t lag = 0;
    for (CopyMask rest = op->pending; rest != 0; rest &= rest - 1) {
      lag += copies_[static_cast<uint32_t>(std::countr_zero(rest))]->link->pending_bytes();
    }
    if (lag < options_.lag_bytes) {
      if (op->kept < Op::Kept::kReal) {
        CompareWithJoining(op, reply.bytes);
        op->KeepReply(Reply{reply.bytes, nullptr});
        op->kept = Op::Kept::kReal;
      }
      Answer(op, Reply{reply.bytes, nullptr});
    }
  }
  const Op::Kept worth = joining ? Op::Kept::kJoining : Op::Kept::kReal;
  if (op->kept < worth) {
    CompareWithJoining(op, reply.bytes);
    op->KeepReply(reply);
    op->kept = worth;
  } else if (joining && op->kept != Op::Kept::kReal) {
    op->differ |= Bit(copy);  // nobody to compare with who is in sync
  } else if (op->reply() != reply.bytes &&
             !(op->reply()[0] == '-' && reply.bytes[0] == '-')) {  // two refusals are no difference
    const bool differs = !DifferInFormatAlone(op->reply(), reply.bytes);
    if (copy == primary_) {
      if (differs) op->differ |= op->applied & ~Bit(copy);
      op->KeepReply(reply);
    } else if (differs) {
      op->differ |= Bit(copy);
    }
  }
  if (op->pending == 0) FinishWrite(op, frame);
}

// The copies that joined were quicker to answer than one that is in sync.
void Shard::CompareWithJoining(Op* op, std::string_view bytes) {
  if (op->kept == Op::Kept::kJoining && op->reply() != bytes &&
      !DifferInFormatAlone(op->reply(), bytes)) {
    op->differ |= op->applied & op->joining;
  }
}

void Shard::ForgiveRefusals(const Op& op) {
  for (CopyMask rest = op.refused; rest != 0; rest &= rest - 1) {
    copies_[static_cast<uint32_t>(std::countr_zero(rest))]->refusing = false;
  }
}

void Shard::FinishWrite(Op* op, std::string_view frame) {
  op->differ &= ~scanning_;  // they may, and its keys are in their journals
  if ((op->lost | op->refused | op->differ) != 0) [[unlikely]] {
    RecordKeys(op->sent, frame);
    for (CopyMask rest = op->refused & joining_; rest != 0; rest &= rest - 1) {
      LeaveJoin(static_cast<uint32_t>(std::countr_zero(rest)), "it refused a write");
    }
    // One that joined has come to count since, if it is in sync by now.
    if (((op->applied | op->lost) & ~(op->joining & ~in_sync_)) == 0) {
      // Nobody who counts has applied it: no harm is done.
      ForgiveRefusals(*op);
      if (op->refusal != nullptr) {
        Answer(op, Reply{*op->refusal, nullptr});
      } else if (op->unread && op->applied == 0 && op->lost == 0 && op->request != nullptr) {
        HoldAgain(std::exchange(op->request, nullptr), frame);
      } else {
        AnswerKept(op);
      }
      OpEnded(op);
      UpdateOpen();
      return;
    }
  }
  for (CopyMask rest = op->applied != 0 ? op->refused & in_sync_ : 0; rest != 0; rest &= rest - 1) {
    MarkUnsure(static_cast<uint32_t>(std::countr_zero(rest)),
               "it refused a write that another copy applied");
  }
  CopyMask differ = op->differ & in_sync_;
  // The primary changed on the way: what is compared with the new one is not known any more.
  if ((differ & Bit(primary_)) != 0) differ = op->applied & in_sync_ & ~Bit(primary_);
  if (differ != 0) [[unlikely]] {
    ++stats_.diverged;
    // Against the primary's reply; without one (it was lost) the copies left are compared later.
    SplitFrame(frame, &args_);
    const CommandRow* row = table_->Find(args_);
    const bool found = row != nullptr && FindKeys(*row, args_, &keys_) && !keys_.empty() &&
                       keys_.size() <= kMaxRepairKeys && (op->applied & Bit(primary_)) != 0;
    bool begun = found;
    if (found) {
      env_->Note(NoteLevel::kWarn, "shard '" + options_.name + "': the copies answered " +
                                       std::string(args_[0]) + " differently; its " +
                                       std::to_string(keys_.size()) + " key(s) are being repaired");
      for (uint32_t key : keys_) begun = repair_.Begin(args_[key], primary_, differ) && begun;
    }
    if (!begun) {
      for (CopyMask rest = differ; rest != 0; rest &= rest - 1) {
        MarkUnsure(static_cast<uint32_t>(std::countr_zero(rest)),
                   "it answered " + std::string(args_[0]) + " otherwise than the primary");
      }
    }
    // Such a copy does not have the write: the answer waits until it has it, or is durably stale.
    op->differ = differ;
    op->applied &= ~differ;
    UpdateOpen();
  }
  if (Missing(*op) == 0) {
    AnswerKept(op);
    OpEnded(op);
    if (differ != 0) Reconcile();
    return;
  }
  // A copy that is in sync on disk missed it: the answer waits until that is put right.
  op->waiting_since_ms = env_->NowMs();
  waiting_.push_back(op);
  if (!losing_ && !editing_) Reconcile();
}

void Shard::OnLinkLost(Link* link, LinkItem* item, std::string_view frame) {
  const uint32_t copy = link->index();
  // Where the node closed the connection each read in line may be why; where it was given up here,
  // what the node was working on.
  const bool suspect =
      link->closed_by_node() ? !link->rest_unread() : !losing_ && !link->told_culprit();
  losing_ = true;
  open_ = false;
  if (suspect && link->closed_by_node() && item->item_kind != LinkItem::Kind::kWrite) BeCareful();
  up_ &= ~Bit(copy);
  readable_ &= ~Bit(copy);
  if (item->item_kind == LinkItem::Kind::kRequest) {
    Request* request = static_cast<Request*>(item);
    if (link->overdue() && MayNotRunAgain(copy, *request)) {
      AnswerError(
          request,
          "ERR the node gave no answer to this script in time ([timeouts] request_ms) and its "
          "connection was ended; it is not run on another copy");
    } else {
      OnReadLost(request, frame, suspect);
    }
    return;
  }
  if (item->item_kind == LinkItem::Kind::kHedge) {
    OnHedgeLost(copy, static_cast<Hedge*>(item), frame, suspect);
    return;
  }
  Op* op = static_cast<Op*>(item);
  if (op->item_kind == LinkItem::Kind::kRepair) {
    if (op->repair_job == KeyRepair::kNoJob) {
      OnDeleted(copy, false);
    } else if (op->repair_job == KeyRepair::kScanJob) {
      OnScanLost(*op);
    } else {
      repair_.OnLost(copy, *op);
    }
    OpEnded(op);
    return;
  }
  if (op->item_kind == LinkItem::Kind::kCompare) {
    OnCompareLost(copy, op);
    return;
  }
  op->pending &= ~Bit(copy);
  if (link->rest_unread()) {
    op->unread = true;
    op->refused |= Bit(copy);
    if (op->pending == 0) FinishWrite(op, frame);
    return;
  }
  op->lost |= Bit(copy);
  if (copies_.size() > 1) RecordKeys(op->sent, frame);
  if ((in_sync_ & Bit(copy)) != 0) MarkUnsure(copy, "its connection was lost with writes in it");
  if (op->pending == 0) FinishWrite(op, frame);
}

// Its link was given up because no answer came in time: for a script that does not end? It would
// not end elsewhere either, and take that copy, too.
bool Shard::MayNotRunAgain(uint32_t copy, const Request& request) {
  if (request.row == nullptr || !request.row->RunsCode()) return false;
  const bool first = !std::exchange(lost_script_, true);
  if (!first && !copies_[copy]->runs_script) return false;
  copies_[copy]->left_script = true;
  return true;
}

// `suspect`: it may be why the connection ended.
void Shard::OnReadLost(Request* request, std::string_view frame, bool suspect) {
  if (env_->IsGone(request->session)) {
    AnswerError(request, "ERR the client is gone");
    return;
  }
  if (suspect && !stopped_ && side_.usable(primary_)) {
    if (request->extra != nullptr) request->extra->owned.Clear();
    request->frame = frame;
    ++stats_.fallbacks;
    side_.Add(request, /*ends=*/1, /*bytes=*/0, env_->NowMs());
    return;
  }
  if (Retry(request, frame)) return;
  // Nobody else now: it waits like one that has just come.
  if (Hopeful()) {
    HoldAgain(request, frame);
  } else {
    AnswerError(request, DownText());
  }
}

void Shard::HoldAgain(Request* request, std::string_view frame) {
  if (request->extra != nullptr) request->extra->owned.Clear();
  request->frame = frame;
  Hold(request);
}

std::string Shard::DownText() const {
  std::string text = "CLUSTERDOWN shard '" + options_.name + "' is down: ";
  bool first = true;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    const Link& link = *copies_[i]->link;
    if (!first) text += "; ";
    first = false;
    text += link.name();
    text += i == primary_ ? " (primary) " : " (replica) ";
    if ((in_sync_ & Bit(i)) == 0) {
      text += "is stale: " + info_.copies[i].reason;
    } else if (!link.up()) {
      text +=
          "cannot be reached: " + (link.last_error().empty() ? "not tried yet" : link.last_error());
    } else if (i == primary_ && HoldsOldData()) {
      text +=
          "was the only copy in sync and restarted, and the data that it came back with may be "
          "old; PROXY PROMOTE " +
          options_.name + " " + link.name() + " FORCE accepts it as it is";
    } else if (copies_[i]->restarted) {
      text += "has restarted and may hold old data";
    } else {
      text += "is up";
    }
  }
  if (!edit_error_.empty()) text += "; the state cannot be saved: " + edit_error_;
  return text;
}

std::string Shard::UnknownOutcomeText(const Op& op) const {
  std::string nodes;
  if (op.lost == 0) {
    return "CLUSTERDOWN shard '" + options_.name +
           "': not every copy has the write, which may or may not last";
  }
  for (CopyMask rest = op.lost; rest != 0; rest &= rest - 1) {
    if (!nodes.empty()) nodes += " and ";
    nodes += copies_[static_cast<uint32_t>(std::countr_zero(rest))]->link->name();
  }
  return "CLUSTERDOWN shard '" + options_.name + "': the connection to " + nodes +
         " was lost before it answered; the write may or may not have been applied";
}

void Shard::SendRepair(uint32_t copy, Op* op, std::string_view frame) {
  copies_[copy]->empty_at = kNotEmpty;
  copies_[copy]->link->Send(op, frame);
}

Op* Shard::NewRepairOp() {
  Op* op = ops_.New();
  op->item_kind = LinkItem::Kind::kRepair;
  return op;
}

void Shard::OnKeyRepaired(const std::string& key, CopyMask copies) {
  if (copies != 0) ++stats_.repaired;
  KeyClean(key, copies);
  if (repair_.idle()) {
    // What differed is equal by now, but for copies that could not be repaired.
    for (Op* op : waiting_) {
      for (CopyMask rest = op->differ & ~op->lost; rest != 0; rest &= rest - 1) {
        const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
        if (!copies_[copy]->unsure && !copies_[copy]->restarted) op->applied |= Bit(copy);
      }
    }
  }
  if (mending_) return;
  UpdateOpen();
  StartRepairs();
}

void Shard::OnKeyNotRepaired(const std::string& key, CopyMask copies, const std::string& why,
                             bool too_big) {
  for (CopyMask rest = copies; rest != 0; rest &= rest - 1) {
    const uint32_t copy = static_cast<uint32_t>(std::countr_zero(rest));
    // Not every repair follows a write that has been recorded: the audit's does not.
    NeedJournal(copy);
    if (copies_[copy]->journal != nullptr) copies_[copy]->journal->Add(key);
    copies_[copy]->grace_until_ms = std::min<uint64_t>(copies_[copy]->grace_until_ms, 1);
    if (too_big) {
      OnKeyTooBig(copy, key, why);
    } else if ((joining_ & Bit(copy)) != 0) {
      LeaveJoin(copy, "a key could not be repaired: " + why);
    }
  }
  for (CopyMask rest = copies & in_sync_; rest != 0; rest &= rest - 1) {
    MarkUnsure(static_cast<uint32_t>(std::countr_zero(rest)),
               "a key that differed could not be repaired: " + why);
  }
  Reconcile();
}

}  // namespace gemel
