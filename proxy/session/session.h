// One client's conversation: its bytes become requests, its replies go out in the order of its
// requests.
//
// Logic only: a SessionTransport moves the bytes (uv_session.h does, and so can a simulator).

#ifndef GEMEL_PROXY_SESSION_SESSION_H_
#define GEMEL_PROXY_SESSION_SESSION_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/out_queue.h"
#include "backend/command/command_memo.h"
#include "backend/command/command_table.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/request.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/gone_sessions.h"
#include "proxy/dispatch/stats.h"
#include "proxy/session/access_guard.h"
#include "proxy/session/read_fence.h"

namespace gemel {

class Session;

// Answers the commands that are the proxy's own (proxy/local does).
class LocalRunner {
 public:
  virtual ~LocalRunner() = default;
  // The row says kLocal. Answers in the session's turn, maybe later.
  virtual void Run(Session& session, const CommandRow& row,
                   std::span<const std::string_view> args) = 0;
};

// Moves a session's bytes. Never calls the session back from inside its methods.
class SessionTransport {
 public:
  virtual ~SessionTransport() = default;
  // There is output, or the session wants to end: look at the end of the loop turn.
  virtual void WantFlush() = 0;
  // The session takes no bytes for now; Session::Resume is to be tried at the end of each turn.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

// What a worker's sessions share. Outlives them.
struct SessionContext {
  const Pool* pool = nullptr;  // this and the next: in effect now
  const Config* config = nullptr;
  Dispatcher* dispatcher = nullptr;
  ChunkPool* chunks = nullptr;
  WorkerStats* stats = nullptr;
  LocalRunner* local = nullptr;
  GoneSessions* gone = nullptr;
  AccessGuard* access = nullptr;  // of all workers; may be null
  uint64_t now_ms = 0;            // of the loop turn
  // Of the replies of late, what a client that has had none yet is taken to ask for: the largest,
  // halved each second.
  uint32_t reply_bytes = 0;
  // Set by a session that has had its part of this loop turn: it is to be resumed in the next one,
  // which is to come at once.
  bool again = false;
  CommandMemo memo;                    // of the pool's table
  std::vector<std::string_view> args;  // scratch: the command being handled
  std::vector<uint32_t> keys;          // scratch: its keys
  std::vector<ReadFence::Mark> marks;  // scratch: the same for the fence, if it is a read
  std::string text;                    // scratch: a reply made here
};

class Session : public RequestSink {
 public:
  // `id` is unique in the process. `context` outlives the session.
  Session(SessionContext* context, uint64_t id, std::string peer, std::string local);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void set_transport(SessionTransport* transport) { transport_ = transport; }

  // --- for the transport ---
  // Bytes came. They need not outlive the call.
  void OnData(const char* data, size_t size);
  // A large request's rest can be read where it will lie: see Link::DirectSpace.
  char* DirectSpace(size_t* size);
  void OnDirect(size_t size);
  // The client will send no more; what it sent is still answered.
  void OnInputEnd();
  // The client hung up, or its connection broke. Its requests in flight run on.
  void OnClosed();
  // Tries to go on after PauseReading.
  void Resume();
  OutQueue& out() { return out_; }
  // All is sent that will be, and the connection is to be ended.
  bool WantsClose() const { return cut_off_ || (closing_ && head_ == nullptr && out_.empty()); }
  // It is to be ended with nothing more sent.
  bool cut_off() const { return cut_off_; }
  // It is closed and nothing refers to it any more: it may be destroyed.
  bool Finished() const { return closed_ && pending_ == 0; }
  // Ends it soon: nothing more is read, and what is in flight is answered.
  void Drain();
  // A new client from another machine is told so and let go, if the config in effect says that it
  // is not served (protected mode).
  void TurnAwayIfProtected();
  // Too much waits to be taken by the client.
  bool Overrun() const { return overrun_; }
  // Gives back what an idle session need not hold.
  void ReleaseMemory();
  // The client has taken bytes of its replies.
  void OnTaken() { moved_ms_ = context_->now_ms; }

  // --- for who sees to it that all together do not hold too much ---
  // Bytes that are held for it and would be free without it: what it sent that was not handled, and
  // what it has not taken.
  uint64_t Held() const { return input_.capacity() + out_.bytes() + kept_; }
  // It holds more of its replies than [limits] client_output, and is not read from for that.
  bool OutputFull() const;
  // The last time that bytes came from it or were taken by it.
  uint64_t moved_ms() const { return std::max(active_ms_, moved_ms_); }
  // Of a large request that has not come whole, how many bytes are missing; 0: there is none.
  size_t MissingInput() const;
  // It is not read from until it is told otherwise.
  void Wait(bool wait);
  bool waiting() const { return waiting_; }

  // --- RequestSink ---
  void OnReply(Request* request, const Reply& reply) override;
  void OnHeld(int64_t bytes) override { kept_ += static_cast<uint64_t>(bytes); }
  bool Wanted() const override { return !closed_; }

  // --- for the local commands ---
  SessionContext& context() { return *context_; }
  uint64_t id() const { return id_; }
  const std::string& peer() const { return peer_; }
  const std::string& local() const { return local_; }
  std::string_view name() const { return rare_ != nullptr ? std::string_view(rare_->name) : ""; }
  void set_name(std::string_view name);
  const std::string& user() const;
  // By the config in effect: it gave the password, or need not.
  bool authenticated() const { return authenticated_ || NoPassword(); }
  bool local_peer() const { return local_peer_; }
  // The password that comes is not looked at yet: the command is read again when it is time. Such a
  // handler returns without a reply.
  bool PutOffPassword();
  void RightPassword();
  void WrongPassword();
  // As it was when it connected.
  void Reauthenticate() { authenticated_ = NoPassword() && !Protected(); }
  uint64_t created_ms() const { return created_ms_; }
  uint64_t active_ms() const { return active_ms_; }
  uint64_t commands() const { return commands_; }
  const CommandRow* last_command() const { return last_command_; }
  size_t input_bytes() const { return input_.size(); }
  uint32_t pending() const { return pending_; }
  bool paused() const { return paused_; }
  // The connection ends once what was asked before is answered.
  void CloseAfterReplies() { closing_ = true; }
  // A whole reply frame, in its turn.
  void ReplyNow(std::string_view frame);
  void ReplyError(std::string_view text);
  // A place in the line of replies, for an answer that comes later. `sink` of the request is this
  // session; whoever answers calls OnReply.
  Request* Reserve(const CommandRow* row) { return Reserve(row, 0); }
  // Nothing more of it is handled before that one is answered.
  void AwaitOrder(Request* order) { order_ = order; }
  // True once the client has left. Any thread may read it.
  std::shared_ptr<const std::atomic<bool>> Gone();

 private:
  static constexpr uint32_t kNoShard = ~uint32_t{0};

  // What few sessions have.
  struct Rare {
    std::string name;
    std::shared_ptr<std::atomic<bool>> left;  // see Gone
    uint32_t wrong_passwords = 0;             // since the last right one
  };
  Rare& MakeRare() {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    return *rare_;
  }

  size_t Parse(const char* data, size_t size);
  void ParseInput();
  bool MustPause() const;
  void Pause();
  bool TakeCommand();  // what Handle says
  void AnswerNoMemory(Request* request);

  // The marks of a read of several keys.
  [[gnu::noinline]] void PushMarks();
  // A place in the line of a read of that key, or with 0 of the keys in the context's marks (none:
  // no read), which are used up.
  Request* Reserve(const CommandRow* row, ReadFence::Mark key);
  bool NoPassword() const { return context_->pool->config().password.empty(); }
  bool Protected() const;
  bool MayGoOn(const CommandRow& row);
  bool TurnAway();
  void CutOff();

  // session_plan.cc
  // False, and nothing is done: it must wait until what was asked before it is answered.
  bool Handle(std::string_view frame);
  bool Plan(const CommandRow& row, std::string_view frame);
  bool NotYet();
  bool StopsAtFence(bool write, bool names_all);
  void SendOne(const CommandRow& row, uint32_t shard, bool write, std::string_view frame,
               ReadFence::Mark key);
  // A large request's memory is its own from now on. False, and it is answered, if there is none.
  [[gnu::noinline]] bool TakeFrame(Request* request);
  void NoteShard(uint32_t shard);
  bool MayWrite(const CommandRow& row, SecondCopy second, uint32_t shard);

  void Append(const Reply& reply);
  void AppendKept(Request* request);
  void Pop() {
    Request* request = head_;
    head_ = request->next;
    if (head_ == nullptr) tail_ = nullptr;
    --pending_;
    fence_.Pop();
    fenced_ = false;
    context_->dispatcher->Free(request);
  }
  void WantFlush() {
    if (flush_wanted_) return;
    flush_wanted_ = true;
    transport_->WantFlush();
  }

  SessionContext* context_;
  SessionTransport* transport_ = nullptr;
  uint64_t id_;
  RequestReader reader_;
  ByteBuffer input_;  // an unfinished request, or what a paused session has not handled yet
  OutQueue out_;
  Request* head_ = nullptr;  // requests not answered to the client yet, oldest first
  Request* tail_ = nullptr;
  ReadFence fence_;
  Request* order_ = nullptr;  // see AwaitOrder
  uint64_t kept_ = 0;         // bytes of replies that wait for others
  uint64_t mean_reply_;       // bytes, a moving average: what the pending ones may bring
  uint32_t pending_ = 0;
  uint32_t expected_reply_;  // bytes: of its largest replies of late, fewer after each smaller
  uint32_t last_shard_ = kNoShard;  // of what was sent: if it is congested, nothing more is
  bool paused_ = false;
  bool waiting_ = false;
  bool fenced_ = false;  // paused by the fence, until something is answered
  bool closing_ = false;
  bool closed_ = false;
  bool gone_ = false;  // context().gone knows
  bool input_ended_ = false;
  bool overrun_ = false;
  bool flush_wanted_ = false;
  bool authenticated_ = false;  // it gave the password, or there was none when it connected
  bool direct_ = false;
  bool put_back_ = false;  // the command that was handled last
  bool cut_off_ = false;
  bool local_peer_;
  uint32_t made_ = 0;             // bytes of replies made here since it was resumed
  uint64_t password_due_ms_ = 0;  // 0: none waits
  uint64_t active_ms_;
  uint64_t moved_ms_ = 0;
  uint64_t commands_ = 0;
  const CommandRow* last_command_ = nullptr;
  // What is above is touched for each request, or nearly.
  uint64_t created_ms_;
  std::string peer_;
  std::string local_;
  std::unique_ptr<Rare> rare_;

 public:
  void FlushDone() { flush_wanted_ = false; }
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_H_
