#include "backend/shard/first_writes.h"

#include <set>
#include <utility>

#include "backend/command/block.h"
#include "backend/command/script_guard.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/blocked_clients.h"
#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/journals.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/read_path.h"
#include "backend/shard/refusals.h"
#include "backend/shard/removals.h"
#include "backend/shard/replicated_writes.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/watches.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

namespace {

constexpr size_t kMaxAtOnce = 1024;
// A script without keys.
constexpr std::string_view kMoreCopies =
    "TRYAGAIN the shard has got more copies while this was on its way";

}  // namespace

FirstWrites::FirstWrites(ShardParts* parts)
    : parts_(parts), scripts_(parts), jobs_(this, kMaxAtOnce) {}

void FirstWrites::Send(Request* request) {
  const CommandRow& row = *request->row;
  const uint32_t primary = parts_->copies->primary();
  if (!frame_.Look(*request)) {
    parts_->hold->AnswerError(request, row.refusal.empty() ? std::string(kMoreCopies)
                                                           : "ERR " + std::string(row.refusal));
  } else if (CollectKeys(row) > StateCopy::kMaxKeys && DifferentKeys() > StateCopy::kMaxKeys) {
    parts_->hold->AnswerError(request, StateCopy::kTooManyKeys);
  } else if (!scripts_.MayRun(frame_, row, primary)) {
    parts_->hold->AnswerError(request, kCannotConfine);
  } else {
    ++begun_;
    Op* write = parts_->writes->Open(request);
    write->waiting_since_ms = parts_->env->NowMs();
    write->alone =
        jobs_.idle() && parts_->way_back->repairs().idle() && scripts_.MustBeAlone(frame_, row);
    if (write->alone) ++alone_;
    BeginOn(primary, write, request->frame);
    if (parts_->blocked->wants()) parts_->blocked->Serve();
  }
}

bool FirstWrites::MustBeAlone(const Request& request) {
  if (request.kind != RequestKind::kFirstWrite ||
      (!request.block && request.row->arg_rule != ArgRule::kScript) ||
      parts_->copies->members() == 1) {
    return false;
  }
  return frame_.Look(request) && scripts_.MustBeAlone(frame_, *request.row);
}

size_t FirstWrites::CollectKeys(const CommandRow& row) {
  keys_.clear();
  size_t written = 0;
  for (const bool writes : {true, false}) {
    frame_.ForEachCommand(&row, 0, [&](const FrameKeys::Command& command) {
      if (command.row == nullptr || command.MayWrite() != writes) return;
      for (uint32_t i = command.begin; i < command.end; ++i) keys_.push_back(frame_.key(i));
    });
    if (writes) written = keys_.size();
  }
  return written;
}

size_t FirstWrites::DifferentKeys() const {
  return std::set<std::string_view>(keys_.begin(), keys_.end()).size();
}

void FirstWrites::BeginOn(uint32_t copy, Op* write, std::string_view frame) {
  const CommandRow& row = *write->request->row;
  frame_.Split(frame);
  frame_.Find(&row, write->database);
  parts_->shard->LeaveShortWay();
  if (copy != parts_->copies->primary()) parts_->reads->NoteElsewhere();
  write->sent = write->pending = Bit(copy);
  const size_t written = CollectKeys(row);
  const bool single = !frame_.is_block();
  ScriptScope scope;
  if (write->alone || scripts_.Witness(copy) != StateCopy::kNoCopy) scope = scripts_.Scope();
  scope.tells = write->alone;
  std::string first = scripts_.Confined(frame_, row, scope);
  if (write->request->cursors) {
    first = std::string(parts_->reads->cursors().FrameFor(copy, first.empty() ? frame : first));
  }
  for (StateCopy::Script& script : scripts_.scripts()) {
    if (single) script.database = write->database;
  }
  jobs_.Begin({write, write->session, write->database, frame, first, keys_, written,
               single ? row.rewrite : nullptr, single ? row.ask : nullptr, row.ask_before,
               single && row.RunsCode(), write->alone, scripts_.scripts()},
              copy);
}

void FirstWrites::OnReply(const Link& link, Op* op, const Reply& reply) {
  jobs_.OnReply(link.index(), *op, reply.bytes);
  parts_->ops->Free(op);
}

void FirstWrites::OnLost(const Link& link, Op* op) {
  jobs_.OnLost(link.index(), *op);
  parts_->ops->Free(op);
}

bool FirstWrites::MustWait(const Request& request, uint32_t* lock) {
  if (request.kind == RequestKind::kFirstWrite && (barrier_ || jobs_.full())) return true;
  if (jobs_.alone() != StateCopy::kNoJob) {
    if (lock != nullptr) *lock = jobs_.alone();
    return true;
  }
  if (MustBeAlone(request) && (!jobs_.idle() || parts_->way_back->MustWaitForRepairs())) {
    return barrier_ = true;
  }
  if (jobs_.idle()) return false;
  if (!frame_.Look(request)) {
    // The copies have what is under way at different places in the order: it comes before or after.
    if (request.kind == RequestKind::kRead) return jobs_.HasSession(request.session);
    return barrier_ = true;
  }
  return frame_.AnyOf([&](std::string_view key) {
    const uint32_t found = jobs_.LockOn(key);
    if (found != StateCopy::kNoJob && lock != nullptr) *lock = found;
    return found != StateCopy::kNoJob;
  });
}

void FirstWrites::OnUndone(CopyMask copies) {
  parts_->hold->ForEach([copies](Request* request) {
    if (request->kind == RequestKind::kFirstWrite) {
      request->tried &= static_cast<uint16_t>(~copies);
    }
  });
}

bool FirstWrites::MayHaveBeenExecuted(const Request& request) const {
  return request.kind == RequestKind::kFirstWrite &&
         (request.tried & parts_->copies->in_sync()) != 0;
}

std::string FirstWrites::UnknownText(const Request& request) const {
  return parts_->writes->UnknownText(request.tried);
}

void FirstWrites::HoldInFront(Op* write, CopyMask executed_by, std::string_view frame) {
  ++again_;
  Request* request = std::exchange(write->request, nullptr);
  request->tried |= static_cast<uint16_t>(executed_by);
  // Before anything lets those go on that wait behind it.
  parts_->hold->TakeBack(request, frame, write->waiting_since_ms);
  parts_->writes->End(write);
}

bool FirstWrites::MayExecute(uint32_t copy) { return parts_->copies->Serves(copy); }

Op* FirstWrites::NewStateOp() {
  Op* op = parts_->ops->New();
  op->item_kind = LinkItem::Kind::kState;
  return op;
}

void FirstWrites::SendState(uint32_t copy, Op* op, std::string_view frame) {
  parts_->roles->OnOverwritten(copy);
  parts_->copies->link(copy).Send(op, frame);
}

void FirstWrites::FailState(uint32_t copy, const std::string& why) {
  parts_->copies->link(copy).Fail(why);
}

void FirstWrites::OnNotExecuted(Op* write, uint32_t copy, std::string_view frame,
                                std::string_view error) {
  // One that applies no writes just now: another may, and then this one is the one that missed it.
  if (IsUnfitToWrite(error) &&
      !(copy == parts_->copies->primary() && parts_->writes->oom().Has(copy, error))) {
    write->refused |= Bit(copy);
    const CopyMask others = parts_->copies->readable() & ~write->refused;
    frame_.Split(frame);
    frame_.Find(write->request->row, write->database);
    for (uint32_t other = 0; other < parts_->copies->count(); ++other) {
      if ((others & Bit(other)) == 0 || !scripts_.MayRun(frame_, *write->request->row, other))
        continue;
      BeginOn(other, write, frame);
      return;
    }
  }
  write->refused = 0;
  Request* request = std::exchange(write->request, nullptr);
  request->ShowFrame(frame);
  request->sink->OnReply(request, Reply{error, nullptr});
  parts_->writes->End(write);
}

void FirstWrites::OnFirstLost(Op* write, uint32_t copy, std::string_view frame, bool sent) {
  if (!sent) {
    HoldInFront(write, 0, frame);
    return;
  }
  // Whoever of them turns out to be the truth.
  const Copies& copies = *parts_->copies;
  const CopyMask concerned = copies.targets() | parts_->journals->recording() | Bit(copy);
  if (write->alone) {
    parts_->journals->RecordAllKeys(concerned);
  } else {
    parts_->journals->RecordKeys(concerned, frame, write->database);
  }
  // Another copy must have been in sync, or nobody's data would count without the write; and once
  // is enough: it may be why the node ended. A script that does not end would not end elsewhere.
  const Request& request = *write->request;
  const bool again = (copies.in_sync() & ~Bit(copy)) != 0 && request.tried == 0;
  const bool script =
      copies.link(copy).end().overdue && parts_->nodes->MayNotRunAgain(copy, request);
  const bool held = again && !script && !parts_->roles->stopped();
  if (held) HoldInFront(write, Bit(copy), frame);
  parts_->roles->MarkUnsure(copy, "its connection was lost with writes in it");
  if (held) return;
  write->lost = Bit(copy);
  parts_->writes->AnswerUnknown(write);
  parts_->writes->End(write);
}

CopyMask FirstWrites::OnExecuted(Op* write, uint32_t copy, std::string_view frame,
                                 std::string_view told, std::string_view reply, bool known) {
  const Copies& copies = *parts_->copies;
  Request* request = write->request;
  request->frame = told;
  if ((copies.in_sync() & ~parts_->edits->leaving() & Bit(copy)) == 0 ||
      copies.Is(copy, CopyStage::kUnsure)) {
    // It does not count any more what this copy has, or soon will not.
    parts_->journals->RecordKeys(copies.targets() | parts_->journals->recording() | Bit(copy), told,
                                 write->database);
    HoldInFront(write, Bit(copy) & copies.in_sync(), frame);
    return 0;
  }
  if (parts_->journals->recording() != 0) parts_->journals->RecordWrite(*request);
  write->KeepReply(parts_->writes->ReplyOf(copy, *write, Reply{reply, nullptr}, frame));
  write->kept = Op::Kept::kReal;
  if (parts_->removals->Watches(*request)) parts_->removals->OnWrite(*request);
  const bool by_state = request->block || request->row->rewrite == nullptr;
  if (by_state) {
    frame_.Split(told);
    if (frame_.Find(request->row, request->database)) parts_->removals->OnStateSent(frame_);
  }
  if (write->alone) OnTold(*request);
  request->frame = frame;  // who sent it counts its bytes
  const CopyMask pending = ShareOut(write, copy, by_state, known);
  parts_->writes->OnExecuted(copy, write, told);
  return pending;
}

// Whoever hears of the keys of a write when it begins has not heard of all of these.
void FirstWrites::OnTold(const Request& request) {
  if (parts_->replicated->watching()) parts_->replicated->OnWrite(request);
  if (parts_->watches->idle() && parts_->blocked->idle()) return;
  frame_.Split(request.frame);
  frame_.Find(request.row, request.database);
  for (size_t i = 0; i < frame_.size(); ++i) {
    parts_->watches->OnKeyTold(frame_.key(i));
    parts_->blocked->OnKeyTold(frame_.key(i));
  }
}

uint32_t FirstWrites::OnStopped(uint32_t copy, std::string_view frame) {
  const CommandRow* row = frame_.SplitWithRow(frame);
  frame_.Find(row, 0);
  if (row != nullptr) scripts_.OnStopped(frame_, *row);
  return scripts_.Witness(copy);
}

void FirstWrites::OnUndone(Op* write, std::string_view frame) {
  frame_.Split(frame);
  if (frame_.Find(write->request->row, write->database)) parts_->removals->OnStateSent(frame_);
  HoldInFront(write, 0, frame);
}

// Who is sent what follows, who lacks it, and whose keys are repaired one by one.
CopyMask FirstWrites::ShareOut(Op* write, uint32_t first, bool by_state, bool known) {
  const Copies& copies = *parts_->copies;
  const NodeIdentity& source = copies.link(first).identity();
  const CopyMask targets = copies.targets() & ~Bit(first);
  write->joining = copies.joining();
  write->sent = targets | Bit(first);
  write->pending = write->refused = 0;
  write->applied = Bit(first);
  ForEachCopy(targets, [&](uint32_t to) {
    const Link& link = copies.link(to);
    const bool follows = known && (!by_state || !CannotRead(link.identity(), source));
    if (!link.up() || (!follows && to == copies.primary())) {
      write->lost |= Bit(to);
      parts_->roles->MarkUnsure(to, "it missed a write");
    } else if (!follows) {
      write->applied |= Bit(to);
      write->differ |= Bit(to);
    } else {
      write->pending |= Bit(to);
    }
  });
  return write->pending;
}

void FirstWrites::OnFollowed(Op* write, uint32_t copy, std::string_view frame) {
  parts_->writes->OnApplied(copy, write, frame);
}

void FirstWrites::OnNotFollowed(Op* write, uint32_t copy, std::string_view frame,
                                std::string_view error) {
  // The primary's data would count against those of the one that executed it.
  const bool full = parts_->writes->oom().Has(copy, error);
  if ((IsUnfitToWrite(error) && !full) || copy == parts_->copies->primary()) {
    parts_->writes->OnRefused(copy, write, error, frame);
  } else {
    write->differ |= Bit(copy);
    parts_->writes->OnApplied(copy, write, frame);
  }
}

void FirstWrites::OnFollowerLost(Op* write, uint32_t copy, std::string_view frame) {
  parts_->writes->OnLost(copy, write, frame);
}

void FirstWrites::OnExpiryTime(std::string_view key, int64_t unix_ms) {
  // The others may have none of it, and whoever becomes the primary is right.
  parts_->removals->OnExpiryTime(key, unix_ms, KeyDoubts::kPrimary);
}

void FirstWrites::OnStateUnlocked() {
  if (parts_->copies->losing()) return;
  // Who waits for what a script brought is served before the next command.
  if (parts_->blocked->wants() && jobs_.alone() == StateCopy::kNoJob) parts_->blocked->Serve();
  parts_->shard->Refresh();
}

}  // namespace gemel
