// Bytes in, replies out, in order.

#include "proxy/session/session.h"

#include <algorithm>
#include <new>

#include "backend/bytes/budget.h"
#include "backend/resp/resp_writer.h"
#include "proxy/session/errors.h"

namespace gemel {

namespace {

// What a client may hold that has not authenticated: of a request, and of replies.
constexpr size_t kStrangerInput = 64 * 1024;
constexpr size_t kStrangerOutput = 16 * 1024;

SessionFacts FactsOf(uint64_t now_ms, uint64_t id, std::string peer, std::string local) {
  SessionFacts facts;
  facts.active_ms = facts.created_ms = now_ms;
  facts.id = id;
  facts.peer = std::move(peer);
  facts.local = std::move(local);
  return facts;
}

}  // namespace

Session::Session(SessionContext* context, uint64_t id, std::string peer, std::string local)
    : context_(context),
      facts_(FactsOf(context->now_ms, id, std::move(peer), std::move(local))),
      state_(context, &facts_.peer),
      replies_(context, &state_, id) {}

void Session::set_transport(SessionTransport* transport) {
  transport_ = transport;
  replies_.set_transport(transport);
}

bool Session::OutputFull() const {
  const LimitsConfig& limits = context_->pool->config().limits;
  const uint64_t held = replies_.Held();
  return held > std::min(limits.client_output, limits.client_output_hard) ||
         (held > kStrangerOutput && !state_.access.authenticated());
}

bool Session::MustPause() const {
  const LimitsConfig& limits = context_->pool->config().limits;
  return replies_.pending() >= limits.client_pending || OutputFull() ||
         replies_.Promised() > limits.client_output || replies_.awaits_order() || pace_.waiting() ||
         (Budget::Tight() && !replies_.Idle()) ||
         pace_.Congested(*context_->dispatcher, replies_.pending(),
                         replies_.forecast().expects_large()) ||
         pace_.MadeEnough() || state_.access.Waits() || context_->pause.all();
}

void Session::Pause() {
  paused_ = true;
  context_->again |= pace_.MadeEnough();
  context_->stats->paused_clients.Add(1);
  transport_->PauseReading();
}

void Session::Wait(bool wait) {
  if (!pace_.SetWaiting(wait)) return;
  facts_.taken_ms = context_->now_ms;
  if (wait && !paused_ && !closing_) Pause();
}

size_t Session::MissingInput() const {
  return closing_ || (paused_ && !pace_.waiting()) ? 0 : input_.Missing();
}

// Handles the whole requests in the bytes; returns how many bytes are used up. What is left is an
// unfinished request, or belongs to a session that is paused or closing.
size_t Session::Parse(const char* data, size_t size) {
  RequestReader& reader = input_.reader();
  size_t used = 0;
  while (used < size && !closing_) {
    if (MustPause()) {
      Pause();
      break;
    }
    switch (
        reader.Read(data + used, size - used, context_->pool->request_limits(), &context_->args)) {
      case RequestReader::Status::kCommand:
        if (!TakeCommand()) [[unlikely]] {  // it is read again later
          paused_ = true;
          transport_->PauseReading();
          return used;
        }
        used += reader.consumed();
        continue;
      case RequestReader::Status::kNothing:
        used += reader.consumed();
        continue;
      case RequestReader::Status::kNeedMore:
        if (!state_.access.authenticated() && reader.needed() > kStrangerInput) {
          ReplyError("ERR Protocol error: unauthenticated bulk length");
          BeginClosing();
          return size;
        }
        return used;
      case RequestReader::Status::kError:
        context_->stats->protocol_errors.Add(1);
        ReplyError(reader.error());
        BeginClosing();
        return size;
    }
  }
  return closing_ ? size : used;
}

// Where there is no memory for what it asks for, it gets that as the answer.
bool Session::TakeCommand() {
  Request* const last = replies_.last();
  try {
    const bool handled = Handle(input_.reader().frame());
    if (handled) state_.reply_mode.Next();
    return handled;
  } catch (const std::bad_alloc&) {
    Request* const now = replies_.last();
    if (now == last || now == nullptr) {
      ReplyError(kNoMemory);
    } else if (!now->submitted && !now->answered) {
      replies_.AnswerNoMemory(now);
    } else {
      replies_.Overrun();  // it is not known how far it went: the connection ends
    }
    return true;
  }
}

void Session::OnData(const char* data, size_t size) {
  context_->stats->input_bytes.Add(size);
  facts_.active_ms = context_->now_ms;
  if (closing_) return;
  if (!input_.empty()) {
    input_.Append({data, size});
    ParseInput();
    return;
  }
  const size_t used = Parse(data, size);
  if (used == size) return;
  input_.Keep({data + used, size - used}, /*more_of_it=*/!paused_);
}

char* Session::DirectSpace(size_t* size) {
  return paused_ || closing_ ? nullptr : input_.DirectSpace(size);
}

void Session::OnDirect(size_t size) {
  context_->stats->input_bytes.Add(size);
  facts_.active_ms = context_->now_ms;
  input_.Commit(size);
  ParseInput();
}

void Session::ParseInput() {
  if (paused_) return;
  input_.Use([this](const char* data, size_t size) { return Parse(data, size); });
}

void Session::Resume() {
  if (!paused_ || replies_.fenced()) return;
  pace_.NewTurn();
  if (MustPause()) return;
  paused_ = false;
  ParseInput();
  if (input_.ended()) OnHangUp();
  if (paused_) return;
  if (input_.ended()) {
    Drain();
  } else {
    transport_->ResumeReading();
  }
}

void Session::OnInputEnd() {
  input_.End();
  OnHangUp();
  if (!paused_) Drain();
}

// As Redis does: nothing is taken for who hangs up while it waits, nor done that it asked behind.
void Session::OnHangUp() {
  if (!blocked()) return;
  BeginClosing();
  input_.Clear();
  replies_.Silence();
  Unblock(UnblockCargo::Why::kGone);
}

void Session::OnClosed() {
  Unblock(UnblockCargo::Why::kGone);
  BeginClosing();
  input_.Clear();
  replies_.Close();
}

void Session::Drain() {
  if (!closing_) Unblock(UnblockCargo::Why::kStopping);
  BeginClosing();
  input_.Clear();
  replies_.WantFlush();
}

void Session::TurnAwayIfProtected() {
  if (closing_ || state_.access.let_in() || !state_.access.Protected()) return;
  ReplyError(state_.access.TurnAway());
  Drain();
}

// Of a client that has not given the password; else it has been answered.
bool Session::MayGoOn(const CommandRow& row) {
  switch (state_.access.Judge(row)) {
    case Access::Verdict::kServed:
      return true;
    case Access::Verdict::kPasswordFirst:
      Reject(&row, "NOAUTH Authentication required.");
      return false;
    case Access::Verdict::kTurnedAway:
      BeginClosing();
      ReplyError(state_.access.TurnAway());
      return false;
  }
  return false;
}

void Session::ReplyNow(std::string_view frame) {
  if (answers_ != nullptr) {
    answers_->Answer(frame);
    return;
  }
  pace_.Made(frame.size());
  replies_.Answer(frame, facts_.last_command);
}

void Session::ReplyError(std::string_view text) {
  std::string frame;
  AppendError(&frame, text);
  ReplyNow(frame);
}

}  // namespace gemel
