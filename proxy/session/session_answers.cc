// What the proxy itself answers to a command.

#include <string>
#include <utility>

#include "backend/resp/resp_writer.h"
#include "proxy/seen/shown_args.h"
#include "proxy/session/session.h"
#include "proxy/session/session_commands.h"

namespace gemel {

Request* SessionCommands::Reserve(const CommandRow* row) {
  if (answers_ != nullptr) return answers_->Reserve(row);
  Request* place = replies_.Reserve(row);
  if (context_->seen->keeps_args())
    replies_.account().Note(place, nullptr, input_.reader().frame());
  return place;
}

void SessionCommands::ReplyNow(std::string_view frame) {
  if (answers_ != nullptr) {
    answers_->Answer(frame);
    return;
  }
  const CommandRow& row = *facts_.last_command;
  ClientsSeen* seen = context_->seen;
  const uint64_t took_us = begun_us_ != 0 ? seen->ClockUs() - begun_us_ : 0;
  seen->OnDone(row, took_us);
  if (frame.starts_with('-')) seen->OnFailed(row);
  if (seen->shards().on()) [[unlikely]]
    seen->users().OnDone(state_.access.account(), took_us, frame.size(), frame.starts_with('-'));
  if (seen->IsSlow(took_us)) [[unlikely]] {
    seen->NoteSlow(row, took_us, replies_.account().who(), {},
                   [&](std::string* args) { AppendShownArgs(&row, context_->args, args); });
  }
  Tell(frame);
}

void SessionCommands::ReplyError(std::string_view text) {
  std::string frame;
  AppendError(&frame, text);
  ReplyNow(frame);
}

void SessionCommands::Tell(std::string_view frame) {
  pace_.Made(frame.size());
  replies_.Answer(frame, facts_.last_command);
}

void SessionCommands::TellError(std::string_view text) {
  std::string frame;
  AppendError(&frame, text);
  Tell(frame);
}

void SessionCommands::AwaitSync(Request* place, std::shared_ptr<SyncTicket> ticket) {
  Account::NoteWaits(place);
  if (answers_ != nullptr) {
    ticket->ended = true;
  } else {
    waits_.ForCopies(place, std::move(ticket));
  }
}

void SessionCommands::RunFor(LocalAnswers* answers, const CommandRow& row,
                             std::span<const std::string_view> args) {
  answers_ = answers;
  context_->local->Run(session_, row, args);
  if (state_.access.TakePutOff()) {
    ReplyError("WRONGPASS too many wrong passwords of late: try again outside a transaction");
  }
  answers_ = nullptr;
}

void SessionCommands::RejectInSubscriber(const CommandRow& row) {
  Reject(&row, "ERR Can't execute '" + std::string(row.name) +
                   "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
                   "this context");
}

void SessionCommands::Reject(const CommandRow* row, std::string_view text) {
  carried_out_ = false;
  if (row != nullptr) context_->seen->OnRejected(*row);
  if (row != nullptr && row->local == LocalCommand::kExec) {
    state_.transaction.Reset();
    state_.watched.Reset();
    const std::string_view why = text.starts_with("ERR ") ? text.substr(4) : text;
    TellError("EXECABORT Transaction discarded because of: " + std::string(why));
  } else {
    state_.transaction.Abort();
    if (!state_.transaction.open()) state_.tracking.EndCaching();
    TellError(text);
  }
}

// What is not for it at all is rejected; what only turns out to be wrong has failed.
void SessionCommands::Refuse(const CommandRow& row, std::string_view error) {
  if (row.split == Split::kNotSupported || error.starts_with("CROSSSLOT")) {
    carried_out_ = false;
    context_->seen->OnRejected(row);
    TellError(error);
  } else {
    ReplyError(error);
  }
}

}  // namespace gemel
