// Writes whose outcome may differ from copy to copy (SPOP, XADD *, a script): one copy, the first,
// executes them alone, and the others get what came of it. Either a command that is made from the
// first one's reply (CommandRow::rewrite), or the state of the keys: DUMP, taken in the same MULTI
// as the write, and RESTORE of all of them in one MULTI on each other copy, so that who reads there
// sees all of it or nothing. A node whose memory is full queues nothing, though it would run a
// script that only reads or deletes: there the write and DUMP go one by one, with nothing between.
//
// A block (backend/command/block.h) is such a write, too, and is executed in that same MULTI.
//
// The keys are locked from the beginning until the others are sent what follows (the shard holds
// what touches them), which keeps the order for each key; writes of other keys pass.
//
// Nothing is executed twice: before the first copy has answered nothing is sent to anybody else,
// and what is to be done if it is lost by then the host knows (OnFirstLost).

#ifndef GEMEL_BACKEND_SHARD_STATE_COPY_H_
#define GEMEL_BACKEND_SHARD_STATE_COPY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/shard/key_repair.h"
#include "backend/shard/op.h"

namespace gemel {

class StateCopy {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // It is the one that executes writes, and can be sent one now.
    virtual bool MayExecute(uint32_t copy) = 0;
    // An op of kind kState, the host's again once it was answered or lost.
    virtual Op* NewStateOp() = 0;
    // In order; what is sent in one call of this class stands in line without anything between.
    virtual void SendState(uint32_t copy, Op* op, std::string_view frame) = 0;
    // That node cannot be talked to as is needed: its connection is to be ended.
    virtual void FailState(uint32_t copy, const std::string& why) = 0;

    // Of each write one of these three, once, with the frame that Begin was given.
    // It has no effect anywhere: `error`, a whole reply, is why, or what the first copy said. The
    // keys are not locked any more; the host may begin it on another copy at once.
    virtual void OnNotExecuted(Op* write, uint32_t copy, std::string_view frame,
                               std::string_view error) = 0;
    // The first copy was lost. `sent`: after it was sent, so that it may have been executed there.
    // It was sent to nobody else.
    virtual void OnFirstLost(Op* write, uint32_t copy, std::string_view frame, bool sent) = 0;
    // The first copy executed it, and `reply` is the client's. Returns the copies that are to be
    // sent what follows, of which each gets one of the three below; the host sees to all others.
    // `known`: there is something to send; else none is to be returned.
    virtual CopyMask OnExecuted(Op* write, uint32_t copy, std::string_view frame,
                                std::string_view reply, bool known) = 0;

    // That copy has it. After the last of these the host may have freed `write`.
    virtual void OnFollowed(Op* write, uint32_t copy, std::string_view frame) = 0;
    // It answered with that error; its keys may be as they were, or some as they should be.
    virtual void OnNotFollowed(Op* write, uint32_t copy, std::string_view frame,
                               std::string_view error) = 0;
    virtual void OnFollowerLost(Op* write, uint32_t copy, std::string_view frame) = 0;

    // What follows sets that time of the nodes' clocks for the key to expire.
    virtual void OnExpiryTime(std::string_view key, int64_t unix_ms) = 0;
    // Some keys are open again.
    virtual void OnStateUnlocked() = 0;
  };

  // More keys than this are refused (see kTooManyKeys), and `limit` writes may be under way.
  static constexpr size_t kMaxKeys = 64;
  static constexpr std::string_view kTooManyKeys =
      "ERR a write whose outcome may differ from copy to copy may have 64 keys at most in gemel on "
      "a shard of several copies";

  // The jobs' numbers, as of KeyRepair's locks, begin here.
  static constexpr uint32_t kFirstJob = KeyRepair::kEndOfJobs;
  static constexpr uint32_t kNoJob = 0;

  StateCopy(Host* host, size_t limit) : host_(host), limit_(limit) {}

  // No key is locked.
  bool idle() const { return keys_.empty(); }
  bool full() const { return jobs_.size() >= limit_; }
  size_t size() const { return jobs_.size(); }
  // The job that has locked the key, or kNoJob; and whether it still has locked its keys.
  uint32_t LockOn(std::string_view key) const {
    if (keys_.empty()) return kNoJob;
    const auto found = keys_.find(key);
    return found != keys_.end() ? found->second : kNoJob;
  }
  bool IsLocking(uint32_t job) const {
    const auto found = jobs_.find(job);
    return found != jobs_.end() && found->second.locked;
  }
  // A write of that session has locked keys.
  bool HasSession(uint32_t session) const { return sessions_.contains(session); }

  struct Write {
    Op* op = nullptr;  // the host's record of it
    uint32_t session = 0;
    uint8_t database = 0;                    // in which it is executed
    std::string_view frame;                  // as the client sent it; may be a block
    std::string_view first;                  // what the first copy is sent; empty: the frame
    std::span<const std::string_view> keys;  // their names; may repeat; none locked
    size_t written = 0;         // the first so many, 1 to kMaxKeys; the others it only reads
    Rewrite rewrite = nullptr;  // null: the state of the keys that it writes is copied
    AskFirst ask = nullptr;     // what the rewrite needs to know beside the reply
    bool ask_before = false;
    bool runs_code = false;  // a script: full memory may be no hindrance
  };
  // Not while full(). `copy` executes it, as MayExecute allows. May end it before it returns.
  void Begin(const Write& write, uint32_t copy);

  // The reply to an op that it sent, and its loss with the link. The op is the host's again.
  void OnReply(uint32_t copy, const Op& op, std::string_view reply);
  void OnLost(uint32_t copy, const Op& op);

  // What a node does while that op is the first in its line: the write, where it is executed with
  // EXEC. Else empty: as its frame says.
  std::string_view WorkOf(const Op& op) const;
  // The keys that it looks at, dumps or restores are so large that it takes its time.
  bool IsLarge(const Op& op) const;

 private:
  enum Step : uint8_t {
    kSize,
    kSizeOfRead,
    kMulti,
    kCommand,
    kQueued,
    kExec,
    kAsked,
    kFollow,
    kFollowExec
  };
  struct Job {
    Op* write = nullptr;
    uint32_t session = 0;
    uint8_t database = 0;
    std::string frame;
    std::string first;              // empty: the frame
    std::vector<std::string> keys;  // their names
    size_t written = 0;             // the first so many
    size_t commands = 0;            // in the frame
    std::vector<size_t> states;     // of these, where their DUMP is in what EXEC answers
    size_t elements = 0;            // of which there are so many
    Rewrite rewrite = nullptr;
    AskFirst ask = nullptr;
    bool ask_before = false;
    std::string reply;                 // to the command, until what was asked is answered
    std::vector<std::string> answers;  // to that
    bool in_multi = false;             // what follows is
    uint32_t copy = 0;
    uint32_t in_flight = 0;  // to the first copy
    int64_t memory = 0;      // that the keys take which it writes
    int64_t looked_at = 0;   // and that all of them take
    bool locked = true;      // its keys
    bool has_room = false;   // the memory is counted
    bool sent = false;       // the write
    bool lost = false;
    bool runs_code = false;
    bool full = false;                 // its memory: it is sent without MULTI
    bool no_multi = false;             // MULTI was refused: what follows it is executed at once
    bool learnt = false;               // that PEXPIRETIME is not known there
    std::string refusal;               // at queueing time
    std::vector<std::string> singles;  // without MULTI: the replies to the write, DUMP, ...
    // Of those that follow: not answered yet, and what they complained of first.
    CopyMask waiting = 0;
    std::unordered_map<uint32_t, std::string> complaints;
  };

  void Send(Job* job, uint32_t id, uint32_t copy, Step step, std::string_view frame) {
    SendIn(job->database, job, id, copy, step, frame);
  }
  void SendIn(uint8_t database, Job* job, uint32_t id, uint32_t copy, Step step,
              std::string_view frame);
  void SendCommands(Job* job, uint32_t id);
  void SendQuestions(Job* job, uint32_t id);
  void OnRewritable(Job* job, uint32_t id);
  void OnSize(Job* job, uint32_t id, bool written, std::string_view reply);
  void Execute(Job* job, uint32_t id);
  void OnExec(Job* job, uint32_t id, std::string_view reply);
  void OnSingle(Job* job, uint32_t id, std::string_view reply);
  void OnFirstEnd(Job* job, uint32_t id);
  void Refuse(uint32_t id, std::string_view error);
  void Executed(Job* job, uint32_t id, std::string_view reply, std::vector<std::string> frames,
                bool known);
  std::vector<std::string> FramesOfState(const Job& job,
                                         std::span<const std::string_view> elements) const;
  void OnFollow(Job* job, uint32_t id, uint32_t copy, const Op& op, std::string_view reply);
  void Unlock(Job* job);
  void Close(uint32_t id);
  void Opened();
  void TakeRoom();

  Host* host_;
  size_t limit_;
  CopyMask relative_ = 0;  // copies that know no PEXPIRETIME (Redis before 7.0)
  uint32_t next_id_ = kFirstJob;
  int64_t memory_ = 0;            // of the keys under way
  std::deque<uint32_t> no_room_;  // jobs that wait for it
  std::unordered_map<uint32_t, Job> jobs_;
  std::unordered_map<uint32_t, uint32_t> sessions_;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> keys_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_STATE_COPY_H_
