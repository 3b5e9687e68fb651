// Writes: out to every target in one order, and back; answered once every copy in sync has applied
// them, or is durably stale.

#ifndef GEMEL_BACKEND_SHARD_WRITE_PATH_H_
#define GEMEL_BACKEND_SHARD_WRITE_PATH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/figures/figures.h"
#include "backend/shard/blocked_clients.h"
#include "backend/shard/copies.h"
#include "backend/shard/cursors.h"
#include "backend/shard/differing_writes.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/journals.h"
#include "backend/shard/op.h"
#include "backend/shard/outcomes.h"
#include "backend/shard/refusals.h"
#include "backend/shard/removals.h"
#include "backend/shard/replicated_writes.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/tracked_keys.h"
#include "backend/shard/transmit.h"
#include "backend/shard/waiting_writes.h"
#include "backend/shard/watches.h"
#include "backend/shard/write_generations.h"

namespace gemel {

// Logic only, the shard's thread.
class WritePath {
 public:
  explicit WritePath(ShardParts* parts) : parts_(parts) {}

  // Sends it to every target. The caller has seen to it that a write can be sent now. `room_mb`:
  // see Aside::NeedsRoom.
  void Send(Request* request, uint32_t room_mb = 0) {
    if (request->cursors) [[unlikely]]
      PlaceCursors(request);
    Op* op = Open(request);
    op->joining = parts_->copies->joining();
    if (room_mb != 0) [[unlikely]] {
      op->room_mb = room_mb;
      room_mb_ += room_mb;
    }
    op->sent = op->pending = parts_->copies->targets();
    Transmit(*parts_, op, request, op->sent);
    if (parts_->blocked->wants()) [[unlikely]]
      parts_->blocked->Serve();
  }
  void OnReply(const Link& link, Op* op, const Reply& reply, std::string_view frame);
  void OnLost(const Link& link, Op* op, std::string_view frame);

  // --- for writes that one copy executes first (first_writes.h) ---
  // A record of one, which is in flight from now on until End, or until it is answered.
  Op* Open(Request* request) {
    ++writes_;
    ++sent_;
    if (parts_->journals->recording() != 0) [[unlikely]]
      parts_->journals->RecordWrite(*request);
    if (parts_->removals->Watches(*request)) [[unlikely]]
      parts_->removals->OnWrite(*request);
    if (parts_->replicated->watching()) [[unlikely]]
      parts_->replicated->OnWrite(*request);
    Op* op = parts_->ops->New();
    op->generation = generations_.Begin();
    op->database = request->database;
    op->block = request->block;
    op->request = request;
    op->session = request->session;
    if (!parts_->watches->idle()) [[unlikely]]
      parts_->watches->OnWrite(op, *request);
    if (!parts_->tracked->idle()) [[unlikely]]
      parts_->tracked->OnWrite(op, *request);
    if (!parts_->blocked->idle()) [[unlikely]]
      parts_->blocked->OnWrite(*request);
    return op;
  }
  void End(Op* op);
  // A reply to it that may be the client's, of that copy.
  Reply ReplyOf(uint32_t copy, const Op& op, const Reply& reply, std::string_view frame);
  // The copy has executed it and its reply is kept; of those that are to follow all is known.
  void OnExecuted(uint32_t copy, Op* op, std::string_view frame);
  // One that follows has it, applies no writes now, or was lost. `op` may be gone afterwards.
  void OnApplied(uint32_t copy, Op* op, std::string_view frame);
  void OnRefused(uint32_t copy, Op* op, std::string_view error, std::string_view frame);
  void OnLost(uint32_t copy, Op* op, std::string_view frame);
  // That those were lost before they answered.
  std::string UnknownText(CopyMask lost) const;
  void AnswerUnknown(Op* op);

  // Those of waiting() that can be answered now are.
  void Settle();
  // Those that wait for too long get an answer.
  void Tick(uint64_t now_ms);
  // Answers what waits: nobody will mark stale now what it missed.
  void Stop();
  // That key is equal now on all copies.
  void OnKeySettled(std::string_view key);
  DifferingWrites& differing() { return differing_; }

  // Which refusals for want of memory are answers.
  OomAnswers& oom() { return oom_; }

  // Every write that was sent has been answered by every copy that it went to.
  bool Quiet() const { return in_flight() == 0 && waiting_.empty(); }
  WaitingWrites& waiting() { return waiting_; }
  // All that are in flight wait for a copy that missed them.
  bool AllWait() const { return in_flight() == waiting_.size(); }
  uint64_t in_flight() const {
    return generations_.in_flight() - parts_->removals->deletions_in_flight();
  }
  WriteGenerations& generations() { return generations_; }
  // Since the shard was made.
  uint64_t sent() const { return sent_; }
  // Taken by writes of large values in flight.
  uint64_t room_mb() const { return room_mb_; }
  void Trim() {
    frame_.Trim();
    outcomes_.Trim();
  }

 private:
  void PlaceCursors(Request* request);
  bool TakeRefusal(uint32_t copy, Op* op, const Reply& reply);
  void NoteRefusal(uint32_t copy, Op* op, std::string_view error);
  // Under ack = "any" and "primary" the client need not wait, unless a copy lags too far behind.
  void AnswerEarly(uint32_t copy, Op* op, const Reply& reply, std::string_view frame);
  void KeepOrCompare(uint32_t copy, Op* op, const Reply& reply, std::string_view frame);
  void CompareWithJoining(Op* op, std::string_view bytes, std::string_view frame);
  void Finish(Op* op, std::string_view frame);
  bool EndIfNobodyApplied(Op* op, std::string_view frame);
  void RepairDiffering(Op* op, CopyMask differ, std::string_view frame);
  // `frame`: what was sent, or nothing, where it is gone.
  void Answer(Op* op, const Reply& reply, std::string_view frame);
  void AnswerKept(Op* op, std::string_view frame);

  ShardParts* parts_;
  WriteGenerations generations_;
  uint64_t sent_ = 0;
  uint64_t room_mb_ = 0;
  WaitingWrites waiting_;  // that a leaving copy missed, until its mark is durable
  Outcomes outcomes_{parts_->table};
  DifferingWrites differing_;
  OomAnswers oom_;
  FrameKeys frame_{parts_->table};
  Figure writes_{parts_->figures, "writes", "Writes that were sent"};
  Figure diverged_{parts_->figures, "diverged", "Writes to which the copies' replies differed"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_WRITE_PATH_H_
