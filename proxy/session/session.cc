// Bytes in, replies out, in order.

#include "proxy/session/session.h"

#include <utility>

#include "backend/spaces/space_channels.h"
#include "proxy/session/errors.h"
#include "proxy/session/rights.h"

namespace gemel {

namespace {

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
      replies_(context, &state_, &facts_.peer, id),
      reading_(context, &state_, &replies_, &pace_),
      waits_(context, &replies_),
      commands_(this, {context, &input_, &facts_, &state_, &replies_, &pace_, &waits_}) {}

void Session::set_transport(SessionTransport* transport) {
  reading_.set_transport(transport);
  replies_.set_transport(transport);
}

void Session::Wait(bool wait) {
  if (!pace_.SetWaiting(wait)) return;
  facts_.taken_ms = context_->now_ms;
  if (wait && !reading_.paused() && !closing_) reading_.Pause();
}

size_t Session::MissingInput() const {
  return closing_ || (reading_.paused() && !pace_.waiting()) ? 0 : input_.Missing();
}

// Handles the whole requests in the bytes; returns how many bytes are used up. What is left is an
// unfinished request, or belongs to a session that is paused or closing.
size_t Session::Parse(const char* data, size_t size) {
  RequestReader& reader = input_.reader();
  size_t used = 0;
  while (used < size && !closing_) {
    if (reading_.MustPause()) {
      reading_.Pause();
      break;
    }
    const Pool& pool = *context_->pool;
    const RequestLimits& limits =
        state_.access.authenticated() ? pool.request_limits() : pool.stranger_limits();
    switch (reader.Read(data + used, size - used, limits, &context_->args)) {
      case RequestReader::Status::kCommand:
        if (!commands_.Take()) [[unlikely]] {  // it is read again later
          reading_.PutOff();
          return used;
        }
        used += reader.consumed();
        continue;
      case RequestReader::Status::kNothing:
        used += reader.consumed();
        continue;
      case RequestReader::Status::kNeedMore:
        return used;
      case RequestReader::Status::kError:
        context_->stats->protocol_errors.Add(1);
        commands_.TellError(reader.error());
        CloseAfterReplies();
        return size;
    }
  }
  return closing_ ? size : used;
}

void Session::OnData(const char* data, size_t size) {
  context_->stats->input_bytes.Add(size);
  facts_.active_ms = context_->now_ms;
  state_.read_turn = context_->turn;
  if (closing_) return;
  if (!input_.empty()) {
    input_.Append({data, size});
    ParseInput();
    return;
  }
  const size_t used = Parse(data, size);
  if (used == size) return;
  input_.Keep({data + used, size - used}, /*more_of_it=*/!reading_.paused());
}

char* Session::DirectSpace(size_t* size) {
  return reading_.paused() || closing_ ? nullptr : input_.DirectSpace(size);
}

void Session::OnDirect(size_t size) {
  context_->stats->input_bytes.Add(size);
  facts_.active_ms = context_->now_ms;
  state_.read_turn = context_->turn;
  input_.Commit(size);
  ParseInput();
}

void Session::ParseInput() {
  if (reading_.paused()) return;
  input_.Use([this](const char* data, size_t size) { return Parse(data, size); });
}

void Session::Resume() {
  if (!reading_.paused() || replies_.stops().fenced()) return;
  pace_.NewTurn();
  if (reading_.MustPause()) return;
  reading_.Resume();
  ParseInput();
  if (input_.ended()) OnHangUp();
  if (reading_.paused()) return;
  if (input_.ended()) {
    Drain();
  } else {
    reading_.GoOn();
  }
}

void Session::OnInputEnd() {
  input_.End();
  OnHangUp();
  if (!reading_.paused()) Drain();
}

// As Redis does: nothing is taken for who hangs up while it waits, nor done that it asked behind;
// also if it waits for the end of CLIENT PAUSE.
void Session::OnHangUp() {
  // Who is held for another process to go on with it is not made to wait.
  const bool put_off = reading_.paused() && !context_->pause.holding() &&
                       (context_->pause.all() || reading_.held_by_pause());
  if (!waits_.active() && !put_off) return;
  CloseAfterReplies();
  input_.Clear();
  replies_.out().Silence();
  waits_.End(UnblockCargo::Why::kGone);
}

void Session::OnClosed() {
  waits_.End(UnblockCargo::Why::kGone);
  CloseAfterReplies();
  input_.Clear();
  replies_.Close();
}

void Session::Drain() {
  if (!closing_) waits_.End(UnblockCargo::Why::kStopping);
  CloseAfterReplies();
  input_.Clear();
  replies_.out().WantFlush();
}

void Session::CloseAfterReplies() {
  closing_ = true;
  reading_.Close();
  state_.subscriptions.Reset();
  state_.tracking.Close();
  state_.monitoring.Reset();
}

void Session::CutOff() {
  closing_ = cut_off_ = true;
  reading_.Close();
  replies_.out().Silence();
}

// Who has subscribed is closed by Redis's rule: if a channel is missing that its user had.
bool Session::OnUsers() {
  const AclUserPtr before = state_.access.account();
  if (!state_.access.OnUsers()) return false;
  const AclUserPtr& now = state_.access.account();
  if (state_.monitoring.on() && before != now) {
    const std::string_view args[] = {"monitor"};
    if (!RefusalOf(context_, state_, *context_->pool->table().FindByName(args[0]), args)
             .error.empty()) {
      return false;
    }
  }
  if (before == now || !state_.subscriptions.any() || !before->LosesChannels(*now)) return true;
  for (const ChannelKind kind :
       {ChannelKind::kChannel, ChannelKind::kPattern, ChannelKind::kShardChannel}) {
    for (const std::string& name : state_.subscriptions.Names(kind)) {
      const std::string channel = ChannelOfClient(kind, TextOfChannel(name), now->prefix);
      if (!now->AllowsChannel(channel, kind == ChannelKind::kPattern)) return false;
    }
  }
  return true;
}

void Session::TurnAwayIfProtected() {
  if (!closing_ && state_.access.full()) {
    context_->stats->rejected.Add(1);
    commands_.TellError(kUserIsFull);
    Drain();
  }
  if (closing_ || state_.access.let_in() || !state_.access.Protected()) return;
  commands_.TellError(state_.access.TurnAway());
  Drain();
}

}  // namespace gemel
