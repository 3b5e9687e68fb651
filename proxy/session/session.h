// One client's conversation: its bytes become requests, its replies go out in the order of its
// requests. The parts own what there is to remember: the input, whether it is read from, the
// command at hand, the line of replies, what is waited for, the pace, what the client has set; the
// session says what happens when.
//
// Logic only: a SessionTransport moves the bytes (uv_session.h does, and so can a simulator).

#ifndef GEMEL_PROXY_SESSION_SESSION_H_
#define GEMEL_PROXY_SESSION_SESSION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/session/client_wait.h"
#include "proxy/session/pace.h"
#include "proxy/session/reading.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_commands.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_facts.h"
#include "proxy/session/session_input.h"
#include "proxy/session/session_state.h"
#include "proxy/upgrade/handed_session.h"

namespace gemel {

class Session {
 public:
  // `id` is unique in the process. `context` outlives the session.
  Session(SessionContext* context, uint64_t id, std::string peer, std::string local);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `transport` outlives the session, or at least OnClosed.
  void set_transport(SessionTransport* transport);

  // --- for the transport ---
  // Bytes came. They need not outlive the call.
  void OnData(const char* data, size_t size);
  // A large request's rest can be read where it will lie: see Link::DirectSpace.
  char* DirectSpace(size_t* size);
  void OnDirect(size_t size);
  // The client will send no more; what it sent is still answered.
  void OnInputEnd();
  // It will send no more, which is known though it is not read from.
  void OnHangUp();
  // The client hung up, or its connection broke. Its requests in flight run on.
  void OnClosed();
  // The client has taken bytes of its replies.
  void OnTaken() { facts_.taken_ms = context_->now_ms; }
  // Tries to go on after PauseReading (see reading()).
  void Resume();
  // All is sent that will be, and the connection is to be ended.
  bool WantsClose() const { return cut_off_ || (closing_ && replies_.Idle()); }
  // It is to be ended with nothing more sent.
  bool cut_off() const { return cut_off_; }
  // It is closed and nothing refers to it any more: it may be destroyed.
  bool Finished() const { return replies_.Finished(); }
  // Ends it soon: nothing more is read, and what is in flight is answered.
  void Drain();
  // A new client from another machine is told so and let go, if the config in effect says that it
  // is not served (protected mode).
  void TurnAwayIfProtected();
  // The users are those of another pool now. False: its own is gone, or it monitors or has
  // subscribed to what it may not hear any more; it is to be ended.
  bool OnUsers();

  // --- for who sees to it that all together do not hold too much ---
  // Bytes that are held for it and would be free without it: what it sent that was not handled,
  // what it has not taken, and what it has subscribed to.
  uint64_t Held() const {
    return input_.capacity() + replies_.Held() + state_.transaction.Held() +
           state_.subscriptions.Held();
  }
  // Of a large request that has not come whole, how many bytes are missing; 0: there is none.
  size_t MissingInput() const;
  // It is not read from until it is told otherwise.
  void Wait(bool wait);

  // --- for who hands it over to another process (session_hand_over.cc) ---
  // What it waits for is ended; what it has asked besides is answered, and nothing more read
  // (SessionContext::pause holds it).
  void BeginHandOver() { waits_.HandOver(); }
  // There is nothing in flight any more; or only the order to upgrade, which it awaits.
  bool Settled() const { return replies_.pending() == 0 || AsksForUpgrade(); }
  // All of it, but for its socket. REQUIRES: it is settled.
  HandedSession HandOver() const;
  // Nothing came of it, and it goes on.
  void EndHandOver();
  // It is what that one was, in a process that begins; `told`: what who asked for the upgrade is
  // answered. False: it cannot be, for its user is gone. Before anything is read.
  bool TakeOver(const HandedSession& from, std::string_view told);

  // --- its parts ---
  SessionContext& context() { return *context_; }
  const SessionFacts& facts() const { return facts_; }
  SessionState& state() { return state_; }
  const SessionState& state() const { return state_; }
  ReplyLine& replies() { return replies_; }
  const SessionInput& input() const { return input_; }
  const Reading& reading() const { return reading_; }
  Pace& pace() { return pace_; }
  const ClientWait& waits() const { return waits_; }
  SessionCommands& commands() { return commands_; }

  // --- for the local commands: see SessionCommands ---
  void ReplyNow(std::string_view frame) { commands_.ReplyNow(frame); }
  void ReplyError(std::string_view text) { commands_.ReplyError(text); }
  Request* Reserve(const CommandRow* row) { return commands_.Reserve(row); }
  void Await(Request* place) { commands_.Await(place); }
  // The connection ends once what was asked before is answered: nothing more is read, and nothing
  // comes but what it is owed.
  void CloseAfterReplies();
  // It ends with nothing more sent, and nothing more is read.
  void CutOff();

 private:
  bool AsksForUpgrade() const;
  size_t Parse(const char* data, size_t size);
  void ParseInput();

  SessionContext* context_;
  SessionInput input_;
  SessionFacts facts_;
  SessionState state_;
  ReplyLine replies_;
  Pace pace_;
  Reading reading_;
  ClientWait waits_;
  SessionCommands commands_;
  bool closing_ = false;
  bool cut_off_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_H_
