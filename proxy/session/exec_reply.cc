#include "proxy/session/exec_reply.h"

#include <new>
#include <utility>

#include "backend/resp/reply_names.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/shard/refusals.h"
#include "proxy/scripts/function_store.h"
#include "proxy/seen/monitor_line.h"
#include "proxy/seen/shown_args.h"
#include "proxy/session/errors.h"
#include "proxy/session/keyless_block.h"
#include "proxy/session/merge.h"

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
      ticket_(std::move(ticket)),
      begun_us_(session->context().now_us),
      monitor_args_(std::exchange(session->context().monitor->draft(), {})) {
  if (place_->form != Resp2Form::kNothing) place_->form = Resp2Form::kAsItIs;
}

void ExecReply::Begin(std::unique_ptr<ExecReply> reply, Request* request) {
  ExecReply* self = reply.release();
  self->request_ = request;
  if (request == nullptr) {
    self->OnBlock("*0\r\n");
    return;
  }
  self->shard_ = request->shard;
  request->sink = self;
  if (self->block_->plan.confined() && KeylessBlock::IsFor(*request)) {
    KeylessBlock::Begin(&self->session_->context(), request);
  } else {
    self->session_->context().dispatcher->Submit(request);
  }
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

// The nodes that were sent the block may have its libraries, which are not loaded behind it now.
void ExecReply::RenewLibraries() {
  SessionContext& context = session_->context();
  if (!block_->calls_loaded) return;
  for (const TextStore::Text& library : block_->libraries) {
    context.functions->Renew(FunctionStore::NameIn(*library));
  }
  for (const PoolShard& shard : context.pool->shards()) {
    Request* request = context.dispatcher->New();
    request->kind = RequestKind::kLibraries;
    request->shard = static_cast<uint16_t>(shard.slot);
    request->frame = {};
    request->sink = context.dispatcher->unanswered();
    context.dispatcher->SubmitApart(request);
  }
}

void ExecReply::OnBlock(std::string_view reply) {
  took_us_ = session_->context().now_us - begun_us_;
  if (reply[0] == '-') {
    RenewLibraries();
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
      if (element < elements_.size()) AppendOfShard(*command.row, elements_[element]);
    } else if (!command.answer.empty()) {
      Append(command.answer);
    } else if (wanted && !RunLocal(command)) {
      return;
    }
  }
  Finish(whole_);
}

void ExecReply::AppendOfShard(const CommandRow& row, std::string_view element) {
  if (row.split != Split::kCursor) {
    Append(element);
    return;
  }
  std::string whole;
  AppendScanReply({{}, element, {}}, shard_, std::nullopt, &whole);
  Append(whole);
}

bool ExecReply::RunLocal(const QueuedBlock::Command& command) {
  SplitFrame(block_->FrameOf(command), &args_);
  running_ = true;
  answered_ = false;
  session_->commands().RunFor(this, *command.row, args_);
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
void ExecReply::Append(std::string_view of_nodes) {
  const QueuedBlock::Command& command = block_->commands[next_];
  try {
    std::string own;
    std::string_view element = of_nodes;
    if (!block_->prefix.empty() && command.row->names != ReplyNames::kNone) {
      AppendWithoutPrefix(of_nodes, command.row->names, block_->prefix, &own);
      element = own;
    }
    Count(command, element);
    if (session_->context().monitor->any()) [[unlikely]]
      TellMonitors(command);
    if (!command.local) SplitFrame(block_->FrameOf(command), &args_);
    const Resp2Form form = session_->state().protocol.is_resp3()
                               ? Resp2Form::kAsItIs
                               : command.row->FormIn2(args_.size());
    // Those of subscriptions may be several frames.
    if (form == Resp2Form::kAsItIs) {
      whole_ += element;
    } else {
      AppendInResp2(element, form, &whole_);
    }
  } catch (const std::bad_alloc&) {
    no_memory_ = true;
  }
}

// Its client had to wait for the whole block, each command took a part.
void ExecReply::Count(const QueuedBlock::Command& command, std::string_view reply) {
  ClientsSeen* seen = session_->context().seen;
  const CommandRow& row = *command.row;
  const bool failed = reply.starts_with('-');
  if (failed) seen->OnError(reply);
  if (failed && IsRejection(reply)) {
    seen->OnRejected(row);
    return;
  }
  seen->OnDone(row, took_us_ / block_->commands.size());
  if (failed) seen->OnFailed(row);
  if (!seen->IsSlow(took_us_)) return;
  seen->NoteSlow(row, took_us_, session_->replies().account().who(), {}, [&](std::string* args) {
    AppendShownFrame(&row, block_->FrameOf(command), args);
  });
}

void ExecReply::TellMonitors(const QueuedBlock::Command& command) {
  if (!IsMonitored(*command.row)) return;
  std::vector<std::string_view> args;
  SplitFrame(block_->FrameOf(command), &args);
  MonitorFeed* feed = session_->context().monitor;
  feed->Drop();
  AppendMonitorArgs(*command.row, args, &feed->draft());
  session_->commands().TellMonitors();
}

void ExecReply::Finish(std::string_view reply) {
  if (!monitor_args_.empty()) {
    session_->context().monitor->draft() = std::move(monitor_args_);
    session_->commands().TellMonitors();
  }
  if (ticket_ != nullptr) ticket_->dropped = true;
  std::string error;
  if (no_memory_) AppendError(&error, kNoMemory);
  place_->sink->OnReply(place_, Reply{no_memory_ ? error : reply, nullptr});
  delete this;
}

}  // namespace gemel
