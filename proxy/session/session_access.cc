// Who is served: passwords, protected mode, and who is cut off.

#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr std::string_view kProtectedMode =
    "DENIED gemel is running in protected mode because no password is set. In this mode only "
    "clients "
    "on its own machine are served (loopback addresses and Unix sockets). To serve others: 1) set "
    "[proxy] password in the config file, or with CONFIG SET requirepass from its own machine; 2) "
    "or "
    "set [proxy] protected_mode = false in the config file, but only if nobody you do not trust "
    "can "
    "reach its listeners.";

}  // namespace

bool Session::Protected() const {
  return !local_peer_ && NoPassword() && context_->pool->config().protected_mode;
}

bool Session::TurnAway() {
  context_->stats->rejected.Add(1);
  context_->stats->denials.Add(1);
  if (context_->access != nullptr) {
    context_->access->Note(Rejection::kProtectedMode, peer_, context_->now_ms);
  }
  ReplyError(kProtectedMode);
  return false;
}

void Session::TurnAwayIfProtected() {
  if (closing_ || authenticated_ || !Protected()) return;
  TurnAway();
  Drain();
}

// Of a client that has not given the password: the config may have changed since it came.
bool Session::MayGoOn(const CommandRow& row) {
  if (Protected()) {
    closing_ = true;
    return TurnAway();
  }
  if (NoPassword() || (row.flags & kCmdNoAuth) != 0) return true;
  ReplyError("NOAUTH Authentication required.");
  return false;
}

void Session::CutOff() {
  context_->stats->cross_protocol.Add(1);
  if (context_->access != nullptr) {
    context_->access->Note(Rejection::kCrossProtocol, peer_, context_->now_ms);
  }
  closing_ = true;
  cut_off_ = true;
  WantFlush();
}

bool Session::PutOffPassword() {
  if (context_->access == nullptr) return false;
  if (password_due_ms_ != 0) {  // it has waited
    password_due_ms_ = 0;
    return false;
  }
  const uint32_t wrong = rare_ != nullptr ? rare_->wrong_passwords : 0;
  const uint64_t wait_ms = context_->access->WaitMs(peer_, wrong, context_->now_ms);
  if (wait_ms == 0) return false;
  password_due_ms_ = context_->now_ms + wait_ms;
  put_back_ = true;
  --commands_;  // it is counted when it comes again
  context_->stats->commands.Sub(1);
  return true;
}

void Session::RightPassword() {
  authenticated_ = true;
  if (rare_ != nullptr) rare_->wrong_passwords = 0;
}

void Session::WrongPassword() {
  ++MakeRare().wrong_passwords;
  context_->stats->denied_auth.Add(1);
  if (context_->access != nullptr) {
    context_->access->Note(Rejection::kPassword, peer_, context_->now_ms);
  }
}

}  // namespace gemel
