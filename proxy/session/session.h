// One client's conversation: its bytes become requests, its replies go out in the order of its
// requests. The parts own what there is to remember: the input, the line of replies, the pace, what
// the client has set; the session says what happens when.
//
// Logic only: a SessionTransport moves the bytes (uv_session.h does, and so can a simulator).

#ifndef GEMEL_PROXY_SESSION_SESSION_H_
#define GEMEL_PROXY_SESSION_SESSION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/session/pace.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_facts.h"
#include "proxy/session/session_input.h"
#include "proxy/session/state/session_state.h"

namespace gemel {

// Who gets the answers of local commands that are part of a transaction.
class LocalAnswers {
 public:
  virtual ~LocalAnswers() = default;
  virtual void Answer(std::string_view frame) = 0;
  // For an answer that comes later.
  virtual Request* Reserve(const CommandRow* row) = 0;
};

class Session {
 public:
  // `id` is unique in the process. `context` outlives the session.
  Session(SessionContext* context, uint64_t id, std::string peer, std::string local);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // `transport` outlives the session, or at least OnClosed.
  void set_transport(SessionTransport* transport);

  // --- for the transport (what comes and goes passes byte_pipe.h) ---
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
  // Tries to go on after PauseReading.
  void Resume();
  bool paused() const { return paused_; }
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

  // --- for who sees to it that all together do not hold too much ---
  // Bytes that are held for it and would be free without it: what it sent that was not handled, and
  // what it has not taken.
  uint64_t Held() const { return input_.capacity() + replies_.Held() + state_.transaction.Held(); }
  // It holds more of its replies than [limits] client_output, and is not read from for that.
  bool OutputFull() const;
  // Of a large request that has not come whole, how many bytes are missing; 0: there is none.
  size_t MissingInput() const;
  // It is not read from until it is told otherwise.
  void Wait(bool wait);
  bool waiting() const { return pace_.waiting(); }

  // --- its parts ---
  SessionContext& context() { return *context_; }
  const SessionFacts& facts() const { return facts_; }
  SessionState& state() { return state_; }
  const SessionState& state() const { return state_; }
  ReplyLine& replies() { return replies_; }
  const SessionInput& input() const { return input_; }

  // --- for the local commands ---
  // A whole reply frame, in its turn; of RESP3 where that has a type for it: a client of RESP2 gets
  // what it is there.
  void ReplyNow(std::string_view frame);
  void ReplyError(std::string_view text);
  // See ReplyLine.
  Request* Reserve(const CommandRow* row) {
    return answers_ != nullptr ? answers_->Reserve(row) : replies_.Reserve(row);
  }
  // Nothing more is handled before that one, which was reserved, is answered.
  void Await(Request* place) {
    if (answers_ != nullptr) return;
    state_.blocking.End();
    replies_.AwaitOrder(place);
  }
  // A request of the session's went to that shard without PlanRunner.
  void Sent(uint32_t shard) { pace_.Sent(shard); }
  // Carries out a local command, whose answer goes there.
  void RunFor(LocalAnswers* answers, const CommandRow& row, std::span<const std::string_view> args);
  // It waits for what a key will have.
  bool blocked() const { return state_.blocking.active() && replies_.awaits_order(); }
  // It waits for copies to have what it wrote, until `place` is answered; within a transaction it
  // does not.
  void BlockUntilSync(Request* place, std::shared_ptr<SyncTicket> ticket);
  bool MayHaveAsked(uint32_t shard) const { return pace_.MayHaveAsked(shard); }
  // Ends that, soon; no-op if it does not wait.
  void Unblock(UnblockCargo::Why why);
  // The connection ends once what was asked before is answered.
  void CloseAfterReplies() { BeginClosing(); }

 private:
  size_t Parse(const char* data, size_t size);
  void ParseInput();
  bool MustPause() const;
  void Pause();
  bool TakeCommand();  // what Handle says
  bool MayGoOn(const CommandRow& row);
  // Nothing more is read, and nothing comes but what it is owed.
  void BeginClosing() {
    closing_ = true;
    state_.subscriptions.Reset();
  }

  // session_commands.cc
  // False, and nothing is done: it must wait until what was asked before it is answered, or until
  // it is time.
  bool Handle(std::string_view frame);
  bool HandleByPlan(const CommandRow& row, std::string_view frame);
  void Queue(const CommandRow& row, std::string_view frame);
  void Block(const CommandRow& row, std::string_view frame, uint32_t shard, uint64_t timeout_ms);
  [[gnu::noinline]] bool MayWriteNow(const CommandRow& row);
  [[gnu::noinline]] void RejectInSubscriber(const CommandRow& row);
  // An error of a command that is not carried out; the transaction, if there is one, fails.
  void Reject(const CommandRow* row, std::string_view text);

  SessionContext* context_;
  SessionTransport* transport_ = nullptr;
  SessionInput input_;
  SessionFacts facts_;
  SessionState state_;
  ReplyLine replies_;
  Pace pace_;
  LocalAnswers* answers_ = nullptr;
  bool paused_ = false;
  bool closing_ = false;
  bool cut_off_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_H_
