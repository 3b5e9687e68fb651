#include "proxy/session/exec_reply.h"

#include <new>
#include <utility>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/refusals.h"
#include "proxy/session/errors.h"

namespace gemel {

namespace {

// What a node refused when it was queued, or at EXEC: nothing was executed, and Redis says it so.
bool IsNodesRefusal(std::string_view error) {
  for (const std::string_view refusal :
       {"-NOPERM", "-NOAUTH", "-ERR unknown command", "-ERR unknown subcommand",
        "-ERR wrong number of arguments"}) {
    if (error.starts_with(refusal)) return true;
  }
  return IsUnfitToWrite(error);
}

}  // namespace

ExecReply::ExecReply(Session* session, Request* place, std::unique_ptr<QueuedBlock> block,
                     std::vector<uint32_t> element_of, std::shared_ptr<WatchTicket> ticket)
    : session_(session),
      place_(place),
      block_(std::move(block)),
      element_of_(std::move(element_of)),
      ticket_(std::move(ticket)) {
  if (place_->form != Resp2Form::kNothing) place_->form = Resp2Form::kAsItIs;
}

void ExecReply::Begin(std::unique_ptr<ExecReply> reply, Request* request) {
  ExecReply* self = reply.release();
  self->request_ = request;
  if (request == nullptr) {
    self->OnBlock("*0\r\n");
    return;
  }
  request->sink = self;
  self->session_->context().dispatcher->Submit(request);
}

void ExecReply::OnReply(Request* request, const Reply& reply) {
  Dispatcher* dispatcher = session_->context().dispatcher;
  if (request->submitted) dispatcher->Answered(*request);
  if (request == request_) {
    from_shard_ = reply.bytes;
    request_ = nullptr;  // the next may be made at the same place
    dispatcher->Free(request);
    OnBlock(from_shard_);
    return;
  }
  // Of a command of the proxy's own, which was answered later.
  Answer(reply.bytes);
  dispatcher->Free(request);
  if (!running_) {
    ++next_;
    GoOn();
  }
}

void ExecReply::OnBlock(std::string_view reply) {
  if (reply[0] == '-') {
    std::string error;
    if (IsNodesRefusal(reply)) {
      AppendError(&error,
                  "EXECABORT Transaction discarded because of: " + std::string(ReplyText(reply)));
    }
    Finish(error.empty() ? reply : error);
  } else if (IsNullReply(reply) || !SplitArray(reply, &elements_)) {
    Finish(session_->state().protocol.is_resp3() ? "_\r\n" : "*-1\r\n");
  } else {
    AppendArrayHeader(&whole_, static_cast<int64_t>(block_->commands.size()));
    GoOn();
  }
}

void ExecReply::GoOn() {
  const bool wanted = Wanted();
  for (; next_ < block_->commands.size(); ++next_) {
    const QueuedBlock::Command& command = block_->commands[next_];
    if (!command.local) {
      const uint32_t element = element_of_[next_];
      if (element < elements_.size()) Append(elements_[element]);
    } else if (!command.error.empty()) {
      std::string error;
      AppendError(&error, command.error);
      Append(error);
    } else if (wanted && !RunLocal(command)) {
      return;
    }
  }
  Finish(whole_);
}

bool ExecReply::RunLocal(const QueuedBlock::Command& command) {
  SplitFrame(block_->FrameOf(command), &args_);
  running_ = true;
  answered_ = false;
  session_->RunFor(this, *command.row, args_);
  running_ = false;
  return answered_;
}

void ExecReply::Answer(std::string_view frame) {
  answered_ = true;
  Append(frame);
}

Request* ExecReply::Reserve(const CommandRow* row) {
  Request* request = session_->context().dispatcher->New();
  request->sink = this;
  request->row = row;
  request->session = place_->session;
  request->database = session_->state().database.index();
  request->reply_log2 = place_->reply_log2;
  return request;
}

// Each is of the protocol that is spoken by then: HELLO may be one of them.
void ExecReply::Append(std::string_view element) {
  const QueuedBlock::Command& command = block_->commands[next_];
  try {
    if (session_->state().protocol.is_resp3()) {
      whole_ += element;
      return;
    }
    if (!command.local) SplitFrame(block_->FrameOf(command), &args_);
    AppendInResp2(element, command.row->FormIn2(args_.size()), &whole_);
  } catch (const std::bad_alloc&) {
    no_memory_ = true;
  }
}

void ExecReply::Finish(std::string_view reply) {
  if (ticket_ != nullptr) ticket_->dropped = true;
  std::string error;
  if (no_memory_) AppendError(&error, kNoMemory);
  place_->sink->OnReply(place_, Reply{no_memory_ ? error : reply, nullptr});
  delete this;
}

}  // namespace gemel
