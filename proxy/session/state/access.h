// Whether a client is served: the password that it gave, passwords that wait, protected mode.

#ifndef GEMEL_PROXY_SESSION_STATE_ACCESS_H_
#define GEMEL_PROXY_SESSION_STATE_ACCESS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "backend/acl/acl_users.h"
#include "backend/command/command_table.h"
#include "proxy/session/state/state_context.h"

namespace gemel {

class Access {
 public:
  enum class Verdict : uint8_t { kServed, kPasswordFirst, kTurnedAway };

  // Both outlive it. `peer` is the client's address.
  Access(const StateContext* context, const std::string* peer);
  ~Access() { LeaveMeter(); }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  // It gave the password, or there was none when it connected: it stays let in, as with Redis.
  bool let_in() const { return let_in_; }
  // Let in, and its user may do all: nothing more is to be looked at.
  bool free() const { return free_; }
  // Its user has had its part: the command, of so many bytes, is to be read again when it is time.
  bool SlowsDown(uint64_t bytes) { return limited_ && !paid_ && MustWait(bytes); }
  // A command is handled.
  void Handled() { paid_ = false; }
  // It took so much of its answers.
  void Spend(uint64_t bytes) {
    if (limited_) account_->meter->Spend(bytes);
  }
  // More clients are its user than may be.
  bool full() const { return full_; }
  // By the config in effect: let in, or no password is asked for.
  bool authenticated() const { return let_in_ || NoPassword(); }
  // What a client that is not let in may do: the config may have changed since it came.
  Verdict Judge(const CommandRow& row) const;
  // No password is set, and it is not on this machine.
  bool Protected() const;
  // It is turned away for that: counts and tells it, and returns the answer.
  std::string_view TurnAway();
  // It is cut off for a browser's request: counts and tells it.
  void NoteCutOff();

  // Whose rules count for it.
  const AclUserPtr& account() const { return account_; }
  const std::string& user() const { return account_->name(); }
  // It may all, of all keys.
  bool allows_all() const { return all_; }
  // Its keys have a prefix that it does not see.
  bool prefixed() const { return !account_->prefix.empty(); }
  const std::string& prefix() const { return account_->prefix; }
  bool allows_scripts() const { return scripts_; }
  // The users are those of another pool now. False: its own is gone, or has another prefix.
  bool OnUsers();
  bool local_peer() const { return local_peer_; }

  // True: the password that comes is not looked at yet, and the command that has it is to be read
  // again when it is time. Its handler returns without a reply.
  bool PutOff();
  // It was, since this was asked last.
  bool TakePutOff();
  // One waits for its time still.
  bool Waits() const { return context_->now_ms < std::max(due_ms_, slow_until_ms_); }
  // It gave the password, and is that user now. False: as many clients as may be are that already.
  bool Right(AclUserPtr account);
  void Wrong();
  // As it was in another process: that user, who gave the password or not.
  void Restore(AclUserPtr account, bool let_in) {
    let_in_ = let_in;
    full_ = false;
    Become(std::move(account), 0);
  }

  // As it was when it connected.
  void Reset();

 private:
  bool NoPassword() const { return context_->pool->users().first()->open(); }
  bool Become(AclUserPtr account, uint32_t most);
  bool MustWait(uint64_t bytes);
  void LeaveMeter();

  const StateContext* context_;
  const std::string* peer_;
  AclUserPtr account_;
  std::shared_ptr<UserMeter> meter_;  // in which it is counted; null: in none
  uint64_t slow_until_ms_ = 0;
  uint64_t due_ms_ = 0;  // of a password that waits; 0: none does
  uint32_t wrong_ = 0;   // passwords since the last right one
  bool let_in_ = false;
  bool free_ = false;
  bool limited_ = false;  // in requests or bytes
  bool paid_ = false;     // the command at hand is counted
  bool full_ = false;
  bool all_ = false;
  bool scripts_ = false;
  bool put_off_ = false;
  bool local_peer_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_ACCESS_H_
