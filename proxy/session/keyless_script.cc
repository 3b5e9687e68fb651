#include "proxy/session/keyless_script.h"

#include <string_view>

#include "backend/command/script_guard.h"
#include "proxy/session/session.h"

namespace gemel {

KeylessScript::KeylessScript(Session* session, Request* place, const CommandRow& row,
                             const Plan& plan)
    : session_(session),
      place_(place),
      row_(row),
      shard_(plan.shard),
      primary_only_(plan.by_cursor),
      args_(session->context().args.begin(), session->context().args.end()) {}

void KeylessScript::Begin(Session* session, Request* place, const CommandRow& row,
                          const Plan& plan) {
  const std::vector<std::string_view>& args = session->context().args;
  ScriptScope scope;
  scope.others = ScriptScope::Others::kAll;
  const bool function = row.script == ScriptRule::kFunction;
  const std::string frame = function ? ConfineCallTo(scope, args) : ConfineScriptTo(scope, args);
  // NOLINTNEXTLINE: it is gone when it has answered
  (new KeylessScript(session, place, row, plan))->Send(RequestKind::kRead, frame);
}

void KeylessScript::Send(RequestKind kind, const std::string& frame) {
  SessionContext& context = session_->context();
  Request* request = context.dispatcher->NewFor(*place_, this);
  request->Extra().owned.Append(frame);
  request->frame = request->extra->owned.view();
  request->kind = kind;
  request->row = &row_;
  request->shard = static_cast<uint16_t>(shard_);
  request->primary_only = primary_only_;
  session_->pace().Sent(shard_);
  context.dispatcher->Submit(request);
}

void KeylessScript::OnReply(Request* request, const Reply& reply) {
  Dispatcher* dispatcher = session_->context().dispatcher;
  dispatcher->Answered(*request);
  if (GoesOn(reply)) {
    dispatcher->Free(request);
    return;
  }
  if (stops_ && IsStopped(reply.bytes)) {
    const std::string refusal = WithoutStop(reply.bytes);
    place_->sink->OnReply(place_, Reply{refusal, nullptr});
  } else {
    place_->sink->OnReply(place_, reply);
  }
  dispatcher->Free(request);
  delete this;
}

bool KeylessScript::GoesOn(const Reply& reply) {
  if (!stops_ || !IsStopped(reply.bytes) || !Wanted()) return false;
  const std::string key = StoppedAt(reply.bytes);
  if (session_->context().pool->ShardOf(key) != shard_) return false;
  stops_ = false;
  const std::vector<std::string_view> args(args_.begin(), args_.end());
  Send(RequestKind::kFirstWrite, WithHiddenKey(args, key, row_.script == ScriptRule::kFunction));
  return true;
}

}  // namespace gemel
