#include "backend/shard/hold.h"

#include <string>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "backend/shard/aside.h"
#include "backend/shard/at_most_once.h"
#include "backend/shard/audience.h"
#include "backend/shard/copies.h"
#include "backend/shard/first_writes.h"
#include "backend/shard/read_path.h"
#include "backend/shard/role_edits.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/watches.h"
#include "backend/shard/way_back.h"
#include "backend/shard/write_path.h"

namespace gemel {

bool Hold::CanRead() const { return parts_->copies->readable() != 0; }

bool Hold::CanWrite() const { return !paused_ && parts_->roles->MayWrite(); }

void Hold::Submit(Request* request) {
  if (parts_->aside->IsTooLong(*request)) {
    AnswerError(request, "ERR Protocol error: invalid bulk length");
    return;
  }
  if (request->kind != RequestKind::kRead) request->tried = 0;
  if (leaving_ && Stays(*request)) [[unlikely]] {
    Add(request);
    return;
  }
  const ShardGate::Verdict verdict = AskGate(*request);
  if (verdict == ShardGate::Verdict::kRefuse) {
    AnswerError(request, gate_->Refusal());
    return;
  }
  if (held_.HasSession(request->session) || parts_->aside->MustWaitFor(*request) ||
      parts_->way_back->TouchesLockedKey(*request) || parts_->first->MustWait(*request) ||
      (request->guarded && parts_->watches->MustWait(*request))) {
    Add(request);
    return;
  }
  if (verdict == ShardGate::Verdict::kPass && CanBeSent(*request)) {
    Send(request);
  } else if (parts_->roles->Hopeful()) {
    Add(request);
  } else {
    AnswerError(request, DownText());
  }
}

// What may be done at most once is for the primary alone.
bool Hold::CanBeSent(const Request& request) const {
  const Channels& channels = parts_->audience->channels();
  if (request.kind != RequestKind::kRead) return CanWrite() && channels.MayBeSent(request);
  if (IsAtMostOnce(request)) return CanWrite() && channels.MayPublish();
  return CanRead() && (!request.block || channels.MayBeSent(request));
}

void Hold::Send(Request* request) {
  if (request->kind == RequestKind::kRead) {
    if (!parts_->aside->Take(request)) parts_->reads->Send(request);
    return;
  }
  uint32_t room_mb = 0;
  if (parts_->aside->NeedsRoom(*request, &room_mb)) {
    Add(request);
    return;
  }
  if (request->guarded && parts_->watches->IsTouched(*request)) {
    request->sink->OnReply(request, Reply{"_\r\n", nullptr});
    return;
  }
  parts_->aside->OnSent(*request);
  if (request->kind == RequestKind::kFirstWrite && parts_->copies->members() > 1) {
    parts_->first->Send(request);
  } else {
    parts_->writes->Send(request, room_mb);
  }
}

bool Hold::RefusedAsFull(Request* request) {
  if (!held_.full()) return false;
  AnswerError(request, "TRYAGAIN shard '" + parts_->options.name +
                           "' is changing its roles and too many requests wait for it already");
  return true;
}

void Hold::Add(Request* request) {
  if (RefusedAsFull(request)) return;
  ++held_count_;
  parts_->shard->LeaveShortWay();  // nothing overtakes it
  held_.Push(request, parts_->env->NowMs());
}

void Hold::TakeBack(Request* request, std::string_view frame, uint64_t sent_ms) {
  const bool executed = request->kind != RequestKind::kRead && request->tried != 0;
  if (!executed && parts_->cut.empty() && RefusedAsFull(request)) return;
  if (request->extra != nullptr && frame.data() != request->extra->owned.view().data()) {
    request->extra->owned.Clear();
  }
  request->frame = frame;
  ++held_count_;
  parts_->shard->LeaveShortWay();
  if (releasing_) blocked_.insert(request->session);
  held_.PushReturned(request, parts_->env->NowMs(), sent_ms);
}

std::string Hold::WhyNotSent(const Request& request) const {
  if (parts_->first->MayHaveBeenExecuted(request)) return parts_->first->UnknownText(request);
  if (!CanRead() || !CanWrite()) return DownText();
  return "TRYAGAIN shard '" + parts_->options.name +
         "': others that came before it had its keys for " +
         std::to_string(parts_->options.wait_ms) + " ms";
}

ShardGate::Verdict Hold::MayGo(HeldQueue::Held* held) {
  const Request& request = *held->request;
  const bool read = request.kind == RequestKind::kRead;
  uint32_t room_mb = 0;
  // Not all keys are looked at each time: they may be very many.
  if (parts_->way_back->repairs().IsUnderWay(held->lock) || parts_->first->IsLocking(held->lock) ||
      parts_->way_back->TouchesLockedKey(request, &held->lock) ||
      parts_->first->MustWait(request, &held->lock) || parts_->aside->MustWaitFor(request) ||
      (request.guarded && parts_->watches->MustWait(request)) || !CanBeSent(request) ||
      (!read && parts_->aside->NeedsRoom(request, &room_mb))) {
    return ShardGate::Verdict::kHold;
  }
  return AskGate(request);
}

void Hold::Release() {
  const bool hopeful = parts_->roles->Hopeful();
  if (releasing_ || (!CanRead() && !CanWrite() && hopeful)) return;
  if (leaving_ && !HasToSend()) return;
  releasing_ = true;
  parts_->first->BeginRound();
  parts_->way_back->BeginRound();
  blocked_.clear();
  // Once every session that has something here must wait, the rest need not be looked at.
  for (held_.BeginRound(); held_.visiting() && blocked_.size() < held_.session_count();) {
    HeldQueue::Held held = held_.Pop();
    Request* request = held.request;
    if (leaving_ && Stays(*request)) {
      held_.PushAgain(held);
      continue;
    }
    if (request->kind == RequestKind::kRead && parts_->env->IsGone(request->session)) {
      AnswerError(request, "ERR the client is gone");
      continue;
    }
    const ShardGate::Verdict verdict =
        blocked_.contains(request->session) ? ShardGate::Verdict::kHold : MayGo(&held);
    if (verdict == ShardGate::Verdict::kPass && parts_->first->MayHaveBeenExecuted(*request)) {
      AnswerError(request, WhyNotSent(*request));
    } else if (verdict == ShardGate::Verdict::kPass) {
      held_.NoteSent(request->session, parts_->env->NowMs());
      Send(request);
    } else if (verdict == ShardGate::Verdict::kRefuse) {
      AnswerError(request, gate_->Refusal());
    } else if (hopeful) {
      blocked_.insert(request->session);
      held_.PushAgain(held);
    } else {
      AnswerError(request, WhyNotSent(*request));
    }
  }
  held_.EndRound();
  releasing_ = false;
}

void Hold::Tick(uint64_t now_ms) {
  // While the shard leaves, what waits does so for what is in flight, which has as long.
  const uint64_t wait_ms = uint64_t{parts_->options.wait_ms} * (leaving_ ? 2 : 1);
  while (Request* request = held_.PopDue(now_ms, wait_ms)) {
    AnswerError(request, WhyNotSent(*request));
  }
  if (!held_.empty()) parts_->shard->Refresh();
}

bool Hold::Stays(const Request& request) const {
  return !parts_->cut.empty() || !parts_->blocked->IsPutBack(request);
}

bool Hold::HasToSend() const {
  bool any = false;
  held_.ForEach([&](const Request* request) {
    any |= !Stays(*request) || parts_->first->MayHaveBeenExecuted(*request);
  });
  return any;
}

std::vector<Request*> Hold::TakeAll() {
  std::vector<Request*> all;
  while (!held_.empty()) all.push_back(held_.Pop().request);
  return all;
}

void Hold::Stop() {
  while (!held_.empty()) {
    Request* request = held_.Pop().request;
    AnswerError(request, parts_->first->MayHaveBeenExecuted(*request)
                             ? WhyNotSent(*request)
                             : "CLUSTERDOWN shard '" + parts_->options.name + "' is being stopped");
  }
}

void Hold::Pause(std::function<void()> drained) {
  paused_ = true;
  parts_->shard->Refresh();
  parts_->writes->generations().WhenDrained(std::move(drained));
}

void Hold::Resume() {
  paused_ = false;
  parts_->writes->generations().ForgetDrained();
  parts_->shard->Refresh();
}

void Hold::AnswerError(Request* request, std::string_view text) {
  ++errors_;
  std::string reply;
  AppendError(&reply, text);
  request->sink->OnReply(request, Reply{reply, nullptr});
}

std::string Hold::DownText() const {
  const Copies& copies = *parts_->copies;
  const std::string& name = parts_->options.name;
  std::string text = "CLUSTERDOWN shard '" + name + "' is down: ";
  for (uint32_t i = 0; i < copies.count(); ++i) {
    const Link& link = copies.link(i);
    if (i > 0) text += "; ";
    text += link.name();
    text += i == copies.primary() ? " (primary) " : " (replica) ";
    if (!copies.InSync(i)) {
      text += "is stale: " + copies.info(i).reason;
    } else if (!link.up()) {
      text +=
          "cannot be reached: " + (link.last_error().empty() ? "not tried yet" : link.last_error());
    } else if (i == copies.primary() && parts_->roles->HoldsOldData()) {
      text +=
          "was the only copy in sync and restarted, and the data that it came back with may be "
          "old; PROXY PROMOTE " +
          name + " " + link.name() + " FORCE accepts it as it is";
    } else {
      text += copies.Is(i, CopyStage::kReplaced) ? "has restarted and may hold old data" : "is up";
    }
  }
  if (!parts_->edits->error().empty()) {
    text += "; the state cannot be saved: " + parts_->edits->error();
  }
  return text;
}

}  // namespace gemel
