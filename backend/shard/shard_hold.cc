// What a shard cannot send just now waits, in order and with a bound in number and time.

#include <unordered_set>

#include "backend/command/key_finder.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/shard.h"

namespace gemel {

bool Shard::CanRead() const { return readable_ != 0; }

bool Shard::CanWrite() const {
  return !paused_ && (!editing_ || entering_ != 0 || adding_) && in_sync_ == readable_ &&
         !Starting();
}

// Until the nodes are heard from, writes wait: two empty copies can still begin as equals.
bool Shard::Starting() const {
  if (!info_.adopted || member_count() == 1) return false;
  if (env_->NowMs() >= started_ms_ + options_.start_ms) return false;
  for (const auto& copy : copies_) {
    if (!copy->link->up() && copy->link->hopeful()) return true;
  }
  return false;
}

// Is there reason to think that what waits can be sent soon?
bool Shard::Hopeful() const {
  if (stopped_) return false;
  if (!edit_error_.empty() && !editing_) return false;
  if (paused_ || editing_ || Starting()) return true;
  if (options_.on_data_loss == OnDataLoss::kMiss && HoldsOldData()) return true;
  if (bool awaited = false; EqualOfPrimary(&awaited) >= 0 || awaited) return true;
  for (uint32_t i = 0; i < copies_.size(); ++i) {
    if ((in_sync_ & Bit(i)) == 0) continue;
    if ((up_ & Bit(i)) != 0) return true;
    if (!copies_[i]->link->up() && copies_[i]->link->hopeful()) return true;
  }
  return false;
}

void Shard::Hold(Request* request) {
  if (held_.full()) {
    AnswerError(request, "TRYAGAIN shard '" + options_.name +
                             "' is changing its roles and too many requests wait for it already");
    return;
  }
  ++stats_.held;
  held_.Push(request, env_->NowMs());
}

void Shard::ReleaseHeld() {
  const bool can_read = CanRead();
  const bool can_write = CanWrite();
  const bool hopeful = Hopeful();
  if (releasing_ || (!can_read && !can_write && hopeful)) return;
  releasing_ = true;
  // One round over what waits now. What still cannot go is held again, and with it whatever the
  // same session sent behind it.
  std::unordered_set<uint32_t> blocked;
  for (size_t left = held_.size(); left > 0; --left) {
    HeldQueue::Held held = held_.Pop();
    Request* request = held.request;
    if (request->kind == RequestKind::kRead && env_->IsGone(request->session)) {
      AnswerError(request, "ERR the client is gone");
      continue;
    }
    const bool read = request->kind == RequestKind::kRead;
    ShardGate::Verdict verdict = ShardGate::Verdict::kHold;
    // Not all keys are looked at each time: they may be very many.
    if (!blocked.contains(request->session) && !repair_.IsUnderWay(held.lock) &&
        !TouchesLockedKey(*request, &held.lock) && !WaitsForAside(*request) &&
        (read ? can_read : can_write) && !(read ? false : WaitsForRoom(*request))) {
      verdict = AskGate(*request);
    }
    if (verdict == ShardGate::Verdict::kRefuse) {
      AnswerError(request, gate_->Refusal());
      continue;
    }
    if (verdict == ShardGate::Verdict::kHold) {
      if (hopeful) {
        blocked.insert(request->session);
        held_.PushAgain(held);
      } else {
        AnswerError(request, DownText());
      }
      continue;
    }
    SendPlain(request);
  }
  releasing_ = false;
}

void Shard::set_gate(ShardGate* gate) {
  gate_ = gate;
  UpdateOpen();
}

bool Shard::SendAhead(Request* write) {
  if (stopped_ || !CanWrite()) return false;
  SendWrite(write);
  return true;
}

void Shard::ReleaseGated() {
  // While a link hands back what it lost, what is held waits for the end of that.
  if (!losing_ && !held_.empty()) ReleaseHeld();
}

void Shard::ExpireHeld(uint64_t now_ms) {
  while (!held_.empty() && now_ms >= held_.front().since_ms + options_.wait_ms) {
    AnswerError(held_.Pop().request, DownText());
  }
  if (!held_.empty()) UpdateOpen();
  bool expired = false;
  for (const Op* op : waiting_) expired |= now_ms >= op->waiting_since_ms + options_.wait_ms;
  if (expired) SettleWaiting();
}

bool Shard::TouchesLockedKey(const Request& request, uint32_t* lock) {
  if (repair_.idle()) return false;
  SplitFrame(request.frame, &args_);
  if (request.row == nullptr || !FindKeys(*request.row, args_, &keys_) || keys_.empty())
    return true;
  for (uint32_t key : keys_) {
    const uint32_t found = repair_.LockOn(args_[key]);
    if (found == KeyRepair::kNoJob) continue;
    if (lock != nullptr) *lock = found;
    return true;
  }
  return false;
}

}  // namespace gemel
