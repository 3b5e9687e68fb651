#include "backend/shard/write_path.h"

#include <utility>

#include "backend/shard/aside.h"
#include "backend/shard/hold.h"
#include "backend/shard/read_path.h"
#include "backend/shard/refusals.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

// A write of more keys than this that turns out to differ costs the copy its place.
constexpr size_t kMaxRepairKeys = 64;

// Of a reply, by which it is seen whether the write changed anything.
constexpr size_t kBeginning = 64;

// Copies that join and answered otherwise: the keys are made equal there with the others'. Not so
// where nobody follows what copies remove: then they go to the journals.
CopyMask MakeJoiningEqual(const ShardParts& parts, const Op& op, std::string_view frame,
                          FrameKeys* keys) {
  const CopyMask joining = op.differ & ~(op.lost | op.refused) & parts.copies->joining();
  if (joining == 0 || parts.removals->feeds().none() ||
      !keys->Find(keys->SplitWithRow(frame), op.database) || keys->size() > kMaxRepairKeys) {
    return 0;
  }
  for (size_t i = 0; i < keys->size(); ++i) parts.removals->doubts().Ask(keys->key(i));
  return joining;
}

CopyMask Differing(const Copies& copies, const Op& op) {
  const CopyMask in_sync = copies.in_sync();
  const CopyMask primary = Bit(copies.primary());
  // The primary changed on the way: what is compared with the new one is not known any more.
  if ((op.differ & in_sync & primary) != 0) return op.applied & in_sync & ~primary;
  return op.differ & in_sync;
}

// What was sent is gone before it is answered, and may be told of then. (Of what is large the name
// will do.)
void KeepFrame(Op* op, std::string_view frame) {
  if (op->request == nullptr || frame.size() >= kShareFrom) return;
  op->request->frame = frame;
  op->request->OwnFrame();
}

// Copies that are in sync, or about to be, and do not have it.
CopyMask Missing(const ShardParts& parts, const Op& op) {
  return (parts.copies->in_sync() | parts.edits->entering()) & op.sent & ~op.applied;
}

static_assert(sizeof(Request::tried) * 8 >= kMaxCopies);

}  // namespace

void WritePath::Answer(Op* op, const Reply& reply, std::string_view frame) {
  Request* request = std::exchange(op->request, nullptr);
  if (!parts_->watches->idle()) [[unlikely]]
    parts_->watches->OnAnswer(op, reply.bytes);
  if (request != nullptr && !frame.empty()) request->ShowFrame(frame);
  if (!op->tracked) [[likely]] {
    if (request != nullptr) request->sink->OnReply(request, reply);
    return;
  }
  // The buffer is the client's then. Of one command the beginning tells all.
  const std::string bytes(op->block ? reply.bytes : reply.bytes.substr(0, kBeginning));
  if (request != nullptr) request->sink->OnReply(request, reply);
  parts_->tracked->OnAnswer(op, bytes);
}

void WritePath::AnswerKept(Op* op, std::string_view frame) {
  if (op->request != nullptr) Answer(op, Reply{op->reply(), op->large_reply()}, frame);
}

void WritePath::AnswerUnknown(Op* op) {
  Request* request = std::exchange(op->request, nullptr);
  parts_->watches->OnUnknown(op);
  if (request != nullptr) parts_->hold->AnswerError(request, UnknownText(op->lost));
  parts_->tracked->OnUnknown(op);
}

std::string WritePath::UnknownText(CopyMask lost) const {
  if (!parts_->cut.empty()) {
    return "CLUSTERDOWN " + parts_->cut + "; the write may or may not have been applied";
  }
  const std::string shard = "CLUSTERDOWN shard '" + parts_->options.name + "': ";
  if (lost == 0) return shard + "not every copy has the write, which may or may not last";
  std::string nodes;
  ForEachCopy(lost, [&](uint32_t copy) {
    if (!nodes.empty()) nodes += " and ";
    nodes += parts_->copies->link(copy).name();
  });
  return shard + "the connection to " + nodes +
         " was lost before it answered; the write may or may not have been applied";
}

void WritePath::End(Op* op) {
  generations_.End(op->generation);
  differing_.Forget(op);
  if (!parts_->watches->idle()) [[unlikely]]
    parts_->watches->OnEnd(op);
  if (op->tracked) [[unlikely]]
    parts_->tracked->OnEnd(op);
  const uint32_t room_mb = op->room_mb;
  parts_->ops->Free(op);
  if (room_mb != 0) [[unlikely]] {
    room_mb_ -= room_mb;
    if (!parts_->hold->empty() && !parts_->copies->losing()) parts_->hold->Release();
  }
  generations_.TellIfDrained();
}

// The copy applies no writes now. True: that is all to be done with this reply.
bool WritePath::TakeRefusal(uint32_t copy, Op* op, const Reply& reply) {
  if (reply.bytes[0] != '-' || parts_->copies->count() == 1 || !IsUnfitToWrite(reply.bytes) ||
      oom_.Has(copy, reply.bytes)) {
    return false;
  }
  NoteRefusal(copy, op, reply.bytes);
  return true;
}

void WritePath::NoteRefusal(uint32_t copy, Op* op, std::string_view error) {
  op->refused |= Bit(copy);
  // Another server's replica: what it has right is that one's.
  if (error.starts_with("-READONLY")) parts_->journals->Forget(copy);
  if ((op->joining & Bit(copy)) != 0) return;
  if (op->refusal == nullptr) op->refusal = std::make_unique<std::string>(error);
  // One that is stale by now has nothing left to be judged by.
  if (parts_->copies->InSync(copy)) parts_->roles->OnRefused(copy);
  parts_->shard->Refresh();
}

// All copies are sent the same, and the primary's answer counts.
void WritePath::PlaceCursors(Request* request) {
  const std::string_view frame =
      parts_->reads->cursors().FrameFor(parts_->copies->primary(), request->frame);
  if (frame.data() == request->frame.data()) return;
  if (request->extra != nullptr) request->extra->owned.Clear();
  request->frame = frame;
}

Reply WritePath::ReplyOf(uint32_t copy, const Op& op, const Reply& reply, std::string_view frame) {
  const bool cursors = op.block && op.request != nullptr && op.request->cursors;
  return cursors ? parts_->reads->cursors().ReplyOf(copy, reply, frame) : reply;
}

void WritePath::OnReply(const Link& link, Op* op, const Reply& from_node, std::string_view frame) {
  const uint32_t copy = link.index();
  const Reply reply = ReplyOf(copy, *op, from_node, frame);
  op->pending &= ~Bit(copy);
  if (link.end().rest_unread) [[unlikely]]
    parts_->aside->LearnFromRefusal(copy, reply.bytes, frame);
  if (reply.bytes[0] == '-' && TakeRefusal(copy, op, reply)) [[unlikely]] {
    if (op->pending == 0) Finish(op, frame);
    return;
  }
  op->applied |= Bit(copy);
  if (op->tracked && (op->joining & Bit(copy)) == 0) [[unlikely]]
    parts_->tracked->OnExecuted(op, reply.bytes);
  if (!op->HasReply() && op->pending == 0 && (op->lost | op->refused) == 0) {
    // The only copy: nothing to wait for or to compare with.
    Answer(op, reply, frame);
    End(op);
    return;
  }
  if (parts_->options.ack != Ack::kAll && op->request != nullptr && op->pending != 0) {
    AnswerEarly(copy, op, reply, frame);
  }
  KeepOrCompare(copy, op, reply, frame);
  if (op->pending == 0) Finish(op, frame);
}

// The copies that joined were quicker to answer than one that is in sync.
void WritePath::CompareWithJoining(Op* op, std::string_view bytes, std::string_view frame) {
  if (op->kept == Op::Kept::kJoining && outcomes_.Differ(*op, op->reply(), bytes, frame)) {
    op->differ |= op->applied & op->joining;
  }
}

void WritePath::AnswerEarly(uint32_t copy, Op* op, const Reply& reply, std::string_view frame) {
  // Where the primary may yet refuse it nobody else answers.
  const bool any = parts_->options.ack == Ack::kAny && oom_.none();
  if ((op->joining & Bit(copy)) != 0 || (!any && copy != parts_->copies->primary())) return;
  size_t lag = 0;
  ForEachCopy(op->pending,
              [&](uint32_t other) { lag += parts_->copies->link(other).line().bytes(); });
  if (lag >= parts_->options.lag_bytes) return;
  if (op->kept < Op::Kept::kReal) {
    CompareWithJoining(op, reply.bytes, frame);
    op->KeepReply(Reply{reply.bytes, nullptr});
    op->kept = Op::Kept::kReal;
  }
  Answer(op, Reply{reply.bytes, nullptr}, frame);
}

void WritePath::KeepOrCompare(uint32_t copy, Op* op, const Reply& reply, std::string_view frame) {
  const bool joining = (op->joining & Bit(copy)) != 0;
  const Op::Kept worth = joining ? Op::Kept::kJoining : Op::Kept::kReal;
  if (op->kept < worth) {
    CompareWithJoining(op, reply.bytes, frame);
    op->KeepReply(reply);
    op->kept = worth;
    return;
  }
  if (joining && op->kept != Op::Kept::kReal) {
    op->differ |= Bit(copy);  // nobody to compare with who is in sync
    return;
  }
  if (op->reply() == reply.bytes) return;
  if (op->reply()[0] == '-' && reply.bytes[0] == '-') return;  // the first is as good
  const bool differs = outcomes_.Differ(*op, op->reply(), reply.bytes, frame);
  if (copy == parts_->copies->primary()) {
    if (differs) {
      differing_.Keep(op, op->applied & ~Bit(copy) & ~op->differ, op->reply());
      op->differ |= op->applied & ~Bit(copy);
    }
    op->KeepReply(reply);
  } else if (differs) {
    differing_.Keep(op, Bit(copy), reply.bytes);
    op->differ |= Bit(copy);
  }
}

// Nobody who counts has applied it: no harm is done.
bool WritePath::EndIfNobodyApplied(Op* op, std::string_view frame) {
  // One that joined has come to count since, if it is in sync by now.
  const CopyMask counts = ~(op->joining & ~parts_->copies->in_sync());
  if (((op->applied | op->lost) & counts) != 0) return false;
  parts_->roles->Forgive(op->refused);
  if (op->refusal != nullptr) {
    Answer(op, Reply{*op->refusal, nullptr}, frame);
  } else if (op->unread && op->applied == 0 && op->lost == 0 && op->request != nullptr) {
    op->request->tried = 0;
    if (op->request->cursors) frame = parts_->reads->cursors().FromStart(frame);
    parts_->hold->TakeBack(std::exchange(op->request, nullptr), frame, parts_->env->NowMs());
  } else {
    AnswerKept(op, frame);
  }
  End(op);
  parts_->shard->Refresh();
  return true;
}

// Every copy that it was sent to has answered, or was lost.
void WritePath::Finish(Op* op, std::string_view frame) {
  op->differ &=
      ~parts_->copies->stages().scanned();  // they may, and its keys are in their journals
  if ((op->lost | op->refused | op->differ) != 0) [[unlikely]] {
    const CopyMask equal = MakeJoiningEqual(*parts_, *op, frame, &frame_);
    parts_->journals->RecordKeys(op->sent & ~equal, frame, op->database);
    if ((op->applied & Bit(parts_->copies->primary())) == 0) parts_->reads->NoteElsewhere();
    ForEachCopy(op->refused & parts_->copies->joining(),
                [this](uint32_t copy) { parts_->way_back->Leave(copy, "it refused a write"); });
    if (EndIfNobodyApplied(op, frame)) return;
  }
  if (op->applied != 0 && op->refused != 0) [[unlikely]] {
    ForEachCopy(op->refused & parts_->copies->in_sync(), [this](uint32_t copy) {
      parts_->roles->MarkUnsure(copy, "it refused a write that another copy applied");
    });
  }
  const CopyMask differ = op->differ != 0 ? Differing(*parts_->copies, *op) : 0;
  if (differ != 0) [[unlikely]]
    RepairDiffering(op, differ, frame);
  if (Missing(*parts_, *op) == 0) {
    AnswerKept(op, frame);
    End(op);
    if (differ != 0) parts_->roles->Reconcile();
    return;
  }
  // A copy that is in sync on disk missed it: the answer waits until that is put right.
  KeepFrame(op, frame);
  waiting_.Add(op, parts_->env->NowMs());
  if (!parts_->copies->losing() && !parts_->edits->editing()) parts_->roles->Reconcile();
}

// The keys of a write are made equal on the copies that answered otherwise.
void WritePath::RepairDiffering(Op* op, CopyMask differ, std::string_view frame) {
  ++diverged_;
  const uint32_t primary = parts_->copies->primary();
  // Against the primary's reply; without one (it was lost) the copies left are compared later.
  const bool found = frame_.Find(frame_.SplitWithRow(frame), op->database) &&
                     frame_.size() <= kMaxRepairKeys && (op->applied & Bit(primary)) != 0;
  const std::string name(frame_.is_block()       ? "EXEC"
                         : frame_.args().empty() ? std::string_view()
                                                 : frame_.args()[0]);
  bool begun = found;
  if (found) {
    const std::string note = differing_.NoteOf(name, frame_.size(), parts_->env->NowMs());
    if (!note.empty()) parts_->Note(NoteLevel::kWarn, note);
    const bool ask = !parts_->removals->feeds().none();
    for (size_t i = 0; i < frame_.size(); ++i) {
      const std::string_view key = frame_.key(i);
      if (ask) {
        parts_->removals->doubts().Ask(key);
      } else if (!parts_->way_back->Repair(key, primary, differ)) {
        begun = false;
        continue;
      }
      differing_.Await(op, key);
    }
  }
  if (!begun) {
    ForEachCopy(differ, [&](uint32_t copy) {
      parts_->roles->MarkUnsure(copy, "it answered " + name + " otherwise than the primary");
    });
  }
  // Such a copy does not have the write: the answer waits until it has it, or is durably stale.
  op->differ = differ;
  op->applied &= ~differ;
  parts_->shard->Refresh();
}

void WritePath::OnLost(const Link& link, Op* op, std::string_view frame) {
  const uint32_t copy = link.index();
  if (link.end().rest_unread) {
    op->pending &= ~Bit(copy);
    op->unread = true;
    op->refused |= Bit(copy);
    if (op->pending == 0) Finish(op, frame);
    return;
  }
  OnLost(copy, op, frame);
}

void WritePath::OnLost(uint32_t copy, Op* op, std::string_view frame) {
  op->pending &= ~Bit(copy);
  op->lost |= Bit(copy);
  if (parts_->copies->count() > 1) parts_->journals->RecordKeys(op->sent, frame, op->database);
  parts_->roles->MarkUnsure(copy, "its connection was lost with writes in it");
  if (op->pending == 0) Finish(op, frame);
}

void WritePath::OnExecuted(uint32_t copy, Op* op, std::string_view frame) {
  if (op->tracked) [[unlikely]]
    parts_->tracked->OnExecuted(op, op->reply());
  if (op->pending == 0) {
    Finish(op, frame);
  } else if (parts_->options.ack != Ack::kAll) {
    AnswerEarly(copy, op, Reply{op->reply(), nullptr}, frame);
  }
}

void WritePath::OnApplied(uint32_t copy, Op* op, std::string_view frame) {
  op->pending &= ~Bit(copy);
  op->applied |= Bit(copy);
  if (op->pending == 0) Finish(op, frame);
}

void WritePath::OnRefused(uint32_t copy, Op* op, std::string_view error, std::string_view frame) {
  op->pending &= ~Bit(copy);
  NoteRefusal(copy, op, error);
  if (op->pending == 0) Finish(op, frame);
}

void WritePath::OnKeySettled(std::string_view key) {
  differing_.OnSettled(key, [this](Op* op) { WaitingWrites::TakeForApplied(*parts_->copies, op); });
}

void WritePath::Settle() {
  const uint64_t now_ms = parts_->env->NowMs();
  for (Op* op : waiting_.TakeAll()) {
    const CopyMask missing = Missing(*parts_, *op);
    // One that answered otherwise than the primary, which is gone, has applied it, too.
    const bool somebody = (op->applied & parts_->copies->in_sync()) != 0 || differing_.Waits(op);
    if (missing == 0 && somebody) {
      AnswerKept(op, {});
    } else if (!somebody || now_ms >= op->waiting_since_ms + parts_->options.wait_ms) {
      // Nobody who has it is left, or nobody can say so durably.
      if (op->applied == 0) parts_->roles->Forgive(op->refused);
      AnswerUnknown(op);
    } else {
      waiting_.AddAgain(op);
      continue;
    }
    End(op);
  }
}

void WritePath::Tick(uint64_t now_ms) {
  if (waiting_.IsAnyDue(now_ms, parts_->options.wait_ms)) Settle();
}

void WritePath::Stop() {
  for (Op* op : waiting_.TakeAll()) {
    AnswerUnknown(op);
    End(op);
  }
}

}  // namespace gemel
