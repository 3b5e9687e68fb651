// What a client asks, one command at a time: looked up, let in, planned, and carried out; and what
// the proxy says to it by itself.

#ifndef GEMEL_PROXY_SESSION_SESSION_COMMANDS_H_
#define GEMEL_PROXY_SESSION_SESSION_COMMANDS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/session/client_wait.h"
#include "proxy/session/pace.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_facts.h"
#include "proxy/session/session_input.h"
#include "proxy/session/session_state.h"

namespace gemel {

// Who gets the answers of local commands that are part of a transaction.
class LocalAnswers {
 public:
  virtual ~LocalAnswers() = default;
  virtual void Answer(std::string_view frame) = 0;
  // For an answer that comes later.
  virtual Request* Reserve(const CommandRow* row) = 0;
};

// One session's. What it remembers itself is of the command at hand: whether that is carried out,
// since when, and who gets its answer.
class SessionCommands {
 public:
  // The session's parts, which outlive it.
  struct Parts {
    SessionContext* context;
    SessionInput* input;
    SessionFacts* facts;
    SessionState* state;
    ReplyLine* replies;
    Pace* pace;
    ClientWait* waits;
  };
  SessionCommands(Session* session, const Parts& parts);
  SessionCommands(const SessionCommands&) = delete;
  SessionCommands& operator=(const SessionCommands&) = delete;

  // The command whose arguments are in the context, and which the input has read. Where there is no
  // memory for what it asks for, the client gets that as the answer.
  // False, and nothing is done: it must wait until what was asked before it is answered, or until
  // it is time; it is to be read again then.
  bool Take();

  // --- for the local commands ---
  // A whole reply frame, in its turn; of RESP3 where that has a type for it: a client of RESP2 gets
  // what it is there.
  // A command that is carried out so counts as done.
  void ReplyNow(std::string_view frame);
  void ReplyError(std::string_view text);
  // The same of what is no command that is carried out.
  void Tell(std::string_view frame);
  void TellError(std::string_view text);
  // See ReplyLine.
  Request* Reserve(const CommandRow* row);
  // Nothing more is handled before that one, which was reserved, is answered.
  void Await(Request* place) {
    if (answers_ == nullptr) waits_.ForOther(place);
  }
  // It waits for copies to have what it wrote, until `place` is answered; within a transaction it
  // does not.
  void AwaitSync(Request* place, std::shared_ptr<SyncTicket> ticket);
  // What it waits for is ended early.
  void Unblock(UnblockCargo::Why why) { waits_.End(why); }
  // Carries out a local command, whose answer goes there.
  void RunFor(LocalAnswers* answers, const CommandRow& row, std::span<const std::string_view> args);
  // What is in the draft of the context's monitor was carried out.
  void TellMonitors();

 private:
  bool Handle(std::string_view frame);  // see Take
  bool MayGoOn(const CommandRow& row);
  bool HasRights(const CommandRow& row);
  [[gnu::noinline]] bool EnterSpace(const CommandRow& row, std::string_view* frame);
  // The command at hand has its user's prefix already.
  bool IsInSpace() const { return facts_.commands <= state_.in_space_until; }
  [[gnu::noinline]] const CommandRow* FindOtherwise(std::string* frame);
  bool HandleByPlan(const CommandRow& row, std::string_view frame);
  bool IsAfterAll(const CommandRow& row) const;
  [[gnu::noinline]] bool HandleTracked(const CommandRow& row, std::string_view frame);
  void Queue(const CommandRow& row, std::string_view frame);
  bool RunKeyless(const CommandRow& client_row, const CommandRow& row, const Plan& plan,
                  std::string_view asked_frame);
  [[gnu::noinline]] bool MayWriteNow(const CommandRow& row);
  [[gnu::noinline]] void RejectInSubscriber(const CommandRow& row);
  // An error of a command that is not carried out; the transaction, if there is one, fails.
  void Reject(const CommandRow* row, std::string_view text);
  // What is planned is refused.
  void Refuse(const CommandRow& row, std::string_view error);
  // Somebody monitors. False: the command is not for who does so itself, which has been told.
  bool Draft();
  void TellDraft(bool handled);

  Session& session_;
  SessionContext* const context_;
  SessionInput& input_;
  SessionFacts& facts_;
  SessionState& state_;
  ReplyLine& replies_;
  Pace& pace_;
  ClientWait& waits_;
  LocalAnswers* answers_ = nullptr;  // null: the client itself
  uint64_t begun_us_ = 0;            // of a local command that may take long; 0: of none
  bool carried_out_ = true;          // or it will be
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_COMMANDS_H_
