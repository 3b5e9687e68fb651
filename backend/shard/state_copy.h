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
// A script may change keys that it did not declare, and that are known only when it has ended. Such
// a write has all keys locked (`alone`), so that nothing comes between on any copy, and the state
// of what it says that it changed is asked for and sent with that of the others
// (state_copy_scripts.cc). That a script is of this kind shows when it is stopped before it changes
// the first of them: then what it did to its own keys is undone, by their state on another copy,
// which has nothing of it.
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
#include "backend/shard/state_frames.h"
#include "backend/shard/state_job.h"
#include "backend/shard/state_locks.h"

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

    // Of each write one of these (or OnUndone), once, with the frame that Begin was given.
    // It has no effect anywhere: `error`, a whole reply, is why, or what the first copy said. The
    // keys are not locked any more; the host may begin it on another copy at once.
    virtual void OnNotExecuted(Op* write, uint32_t copy, std::string_view frame,
                               std::string_view error) = 0;
    // The first copy was lost. `sent`: after it was sent, so that it may have been executed there.
    // It was sent to nobody else.
    virtual void OnFirstLost(Op* write, uint32_t copy, std::string_view frame, bool sent) = 0;
    // The first copy executed it, and `reply` is the client's. Returns the copies that are to be
    // sent what follows, of which each gets one of the three below; the host sees to all others.
    // `known`: there is something to send; else none is to be returned. `told`: the frame, with all
    // keys that it changed where it names its keys, which all that follows goes by.
    virtual CopyMask OnExecuted(Op* write, uint32_t copy, std::string_view frame,
                                std::string_view told, std::string_view reply, bool known) = 0;
    // A script of it was stopped (IsStopped), so it must run alone. Returns the copy whose state of
    // the keys undoes what it did, or kNoCopy: then its error is the client's.
    virtual uint32_t OnStopped(uint32_t copy, std::string_view frame) = 0;
    // It is undone, as if it had not been sent.
    virtual void OnUndone(Op* write, std::string_view frame) = 0;

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
  static constexpr uint32_t kNoJob = StateLocks::kNoJob;
  static constexpr uint32_t kNoCopy = ~uint32_t{0};

  StateCopy(Host* host, size_t limit)
      : host_(host), limit_(limit), states_([host](std::string_view key, int64_t unix_ms) {
          host->OnExpiryTime(key, unix_ms);
        }) {}

  // No key is locked.
  bool idle() const { return locks_.empty(); }
  bool full() const { return jobs_.size() >= limit_; }
  size_t size() const { return jobs_.size(); }
  // The job that has locked the key, or kNoJob; and whether it still has locked its keys.
  uint32_t LockOn(std::string_view key) const { return locks_.On(key); }
  // The job that has locked all keys there are, or kNoJob.
  uint32_t alone() const { return locks_.alone(); }
  bool IsLocking(uint32_t job) const {
    const auto found = jobs_.find(job);
    return found != jobs_.end() && found->second.locked;
  }
  // A write of that session has locked keys.
  bool HasSession(uint32_t session) const { return locks_.HasSession(session); }

  using Script = StateJob::Script;
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
    bool alone = false;      // nothing else is locked, and all keys are to be
    std::span<const Script> scripts;
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
    kTold,      // the state of what a script says that it changed
    kUndo,      // what is undone
    kUndoExec,  //
    kFollow,
    kFollowExec,
    kUndoRead,  // from another copy
  };
  using Job = StateJob;

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
  // All that the first copy was asked is answered: by EXEC's reply, of these elements.
  void OnElements(Job* job, uint32_t id, std::string_view reply,
                  std::span<const std::string_view> elements, bool known);
  void OnFirstEnd(Job* job, uint32_t id);
  void Refuse(uint32_t id, std::string_view error);
  void Executed(Job* job, uint32_t id, std::string_view reply, std::vector<std::string> frames,
                bool known);

  bool AppendOwnStates(const Job& job, std::span<const std::string_view> elements,
                       std::vector<std::string>* frames) const;

  // state_copy_scripts.cc
  void OnReports(Job* job, uint32_t id, std::string_view reply,
                 std::span<const std::string_view> elements);
  void OnTold(Job* job, uint32_t id);
  void BeginUndo(Job* job, uint32_t id, std::span<const std::string_view> elements);
  void OnUndoRead(Job* job, uint32_t id);
  void OnUndo(Job* job, uint32_t id, uint8_t step, std::string_view reply);

  void OnFollow(Job* job, uint32_t id, uint32_t copy, const Op& op, std::string_view reply);
  void Unlock(Job* job, uint32_t id);
  void Close(uint32_t id);
  void Opened();
  void TakeRoom();

  Host* host_;
  size_t limit_;
  StateLocks locks_;
  StateFrames states_;
  uint32_t next_id_ = kFirstJob;
  int64_t memory_ = 0;            // of the keys under way
  std::deque<uint32_t> no_room_;  // jobs that wait for it
  std::unordered_map<uint32_t, Job> jobs_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_STATE_COPY_H_
