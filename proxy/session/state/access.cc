#include "proxy/session/state/access.h"

#include <utility>

namespace gemel {

namespace {

constexpr std::string_view kProtectedMode =
    "DENIED gemel is running in protected mode because no password is set. In this mode only "
    "clients on its own machine are served (loopback addresses and Unix sockets). To serve others: "
    "1) set [proxy] password in the config file, or with CONFIG SET requirepass from its own "
    "machine; 2) or set [proxy] protected_mode = false in the config file, but only if nobody you "
    "do not trust can reach its listeners.";

}  // namespace

Access::Access(const StateContext* context, const std::string* peer)
    : context_(context), peer_(peer), local_peer_(IsLocalPeer(*peer)) {
  Reset();
}

void Access::LeaveMeter() {
  if (meter_ != nullptr) meter_->Leave();
  meter_.reset();
}

// False, and it stays what it is: it would be one more than `most`; 0: that does not matter.
bool Access::Become(AclUserPtr account, uint32_t most) {
  if (!let_in_) {
    LeaveMeter();
  } else if (account->meter != meter_) {
    if (!account->meter->Enter(most)) return false;
    LeaveMeter();
    meter_ = account->meter;
  }
  account_ = std::move(account);
  all_ = account_->AllowsAll() && account_->prefix.empty();
  scripts_ = all_ || account_->AllowsScripts(context_->pool->users().catalog());
  const UserLimits& limits = account_->limits;
  limited_ = let_in_ && (limits.requests_per_s != 0 || limits.bytes_per_s != 0);
  free_ = let_in_ && all_ && !limited_;
  return true;
}

void Access::Reset() {
  let_in_ = NoPassword() && !Protected();
  const AclUserPtr& first = context_->pool->users().first();
  full_ = !Become(first, first->limits.max_clients);
  if (!full_) return;
  let_in_ = false;  // it is let go
  Become(first, 0);
}

bool Access::OnUsers() {
  const AclUsers& users = context_->pool->users();
  AclUserPtr account = let_in_ ? users.Find(account_->name()) : users.first();
  if (account == nullptr || account->prefix != account_->prefix) return false;
  if (account != account_) Become(std::move(account), 0);  // who is here stays
  return true;
}

bool Access::MustWait(uint64_t bytes) {
  const uint64_t wait_ms = account_->meter->Take(account_->limits, bytes, context_->now_ms);
  if (wait_ms == 0) {
    paid_ = true;
    return false;
  }
  context_->stats->user_pauses.Add(1);
  slow_until_ms_ = context_->now_ms + wait_ms;
  return true;
}

bool Access::Protected() const {
  return !local_peer_ && NoPassword() && context_->pool->config().protected_mode;
}

Access::Verdict Access::Judge(const CommandRow& row) const {
  if (let_in_) return Verdict::kServed;
  if (Protected()) return Verdict::kTurnedAway;
  return NoPassword() || (row.flags & kCmdNoAuth) != 0 ? Verdict::kServed : Verdict::kPasswordFirst;
}

std::string_view Access::TurnAway() {
  context_->stats->rejected.Add(1);
  context_->stats->denials.Add(1);
  if (context_->access != nullptr) {
    context_->access->Note(Rejection::kProtectedMode, *peer_, context_->now_ms);
  }
  return kProtectedMode;
}

void Access::NoteCutOff() {
  context_->stats->cross_protocol.Add(1);
  if (context_->access != nullptr) {
    context_->access->Note(Rejection::kCrossProtocol, *peer_, context_->now_ms);
  }
}

bool Access::PutOff() {
  if (context_->access == nullptr) return false;
  if (due_ms_ != 0) {  // it has waited
    due_ms_ = 0;
    return false;
  }
  const uint64_t wait_ms = context_->access->WaitMs(*peer_, wrong_, context_->now_ms);
  if (wait_ms == 0) return false;
  due_ms_ = context_->now_ms + wait_ms;
  put_off_ = true;
  return true;
}

bool Access::TakePutOff() { return std::exchange(put_off_, false); }

bool Access::Right(AclUserPtr account) {
  const bool before = std::exchange(let_in_, true);
  const uint32_t most = account->limits.max_clients;
  if (!Become(std::move(account), most)) {
    let_in_ = before;
    return false;
  }
  wrong_ = 0;
  return true;
}

void Access::Wrong() {
  ++wrong_;
  context_->stats->denied_auth.Add(1);
  if (context_->access != nullptr) {
    context_->access->Note(Rejection::kPassword, *peer_, context_->now_ms);
  }
}

}  // namespace gemel
