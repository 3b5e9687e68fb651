#include "proxy/session/client_wait.h"

#include <utility>

namespace gemel {

void ClientWait::ForKeys(const CommandRow& row, std::string_view frame, uint32_t shard,
                         uint64_t timeout_ms, bool tracked) {
  if (std::exchange(continues_, false)) timeout_ms = left_ms_;
  end_ms_ = timeout_ms == 0 ? 0 : context_->now_ms + timeout_ms;
  auto cargo = std::make_unique<BlockingCargo>();
  cargo->ticket = std::make_shared<BlockTicket>();
  cargo->timeout_ms = timeout_ms;
  Request* request = replies_->Reserve(&row);
  Account::NoteMayWait(request);
  // What comes of waiting for nothing is this null, whatever the command is.
  if (request->form == Resp2Form::kPlain) request->form = Resp2Form::kNullArray;
  ticket_ = cargo->ticket;
  shard_ = shard;
  sync_ = nullptr;
  request->kind = RequestKind::kBlocking;
  request->shard = static_cast<uint16_t>(shard);
  request->frame = frame;
  request->OwnFrame();
  request->extra->cargo = std::move(cargo);
  if (tracked) {
    request->kind = RequestKind::kTracked;
    request->becomes = TrackedAs::kBlocking;
  }
  replies_->stops().AwaitOrder(request, &context_->stats->blocked_clients);
  context_->dispatcher->SubmitApart(request);
}

void ClientWait::ForCopies(Request* place, std::shared_ptr<SyncTicket> ticket) {
  sync_ = std::move(ticket);
  ticket_ = nullptr;
  replies_->stops().AwaitOrder(place, &context_->stats->blocked_clients);
}

void ClientWait::ForOther(Request* place) {
  ticket_ = nullptr;
  sync_ = nullptr;
  replies_->stops().AwaitOrder(place);
}

void ClientWait::End(UnblockCargo::Why why) {
  if (!active()) return;
  if (sync_ != nullptr) {
    sync_->with_error = why == UnblockCargo::Why::kError;
    sync_->ended = true;
    return;
  }
  auto cargo = std::make_unique<UnblockCargo>();
  cargo->ticket = ticket_;
  cargo->why = why;
  Request* request = context_->dispatcher->New();
  request->kind = RequestKind::kUnblock;
  request->shard = static_cast<uint16_t>(shard_);
  request->frame = {};
  request->Extra().cargo = std::move(cargo);
  request->sink = context_->dispatcher->unanswered();
  context_->dispatcher->SubmitApart(request);
}

}  // namespace gemel
