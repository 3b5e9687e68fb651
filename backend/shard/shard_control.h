// What an operator asks of one shard: to hand the primary's role over (PROXY PROMOTE), to copy a
// replica anew (RESYNC), to take a copy out for maintenance and to let it in again (DRAIN,
// UNDRAIN); and the failback to the primary of the config.
//
// Logic only, on the shard's thread. One order at a time, each bounded in time. An order that takes
// a copy's role holds the shard's writes until those in flight are answered by all copies, makes
// its edits durable, and lets the writes go on: clients see a short wait and no error. Whatever
// fails leaves the shard as it was, and the answer says why.

#ifndef GEMEL_BACKEND_SHARD_SHARD_CONTROL_H_
#define GEMEL_BACKEND_SHARD_SHARD_CONTROL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/shard.h"

namespace gemel {

class ShardControl {
 public:
  // Makes a node an ordinary server again (REPLICAOF NO ONE), since a resync that was broken off
  // may have left it a replica. `done` runs later: with why it could not be done, or with nothing.
  using DetachNode =
      std::function<void(uint32_t copy, std::function<void(const std::string&)> done)>;

  // Both outlive it.
  ShardControl(Shard* shard, ShardEnv* env);
  ShardControl(const ShardControl&) = delete;
  ShardControl& operator=(const ShardControl&) = delete;
  ~ShardControl();

  void set_detach(DetachNode detach) { detach_ = std::move(detach); }
  bool CanDetach() const { return detach_ != nullptr; }
  // Only if it can.
  void Detach(uint32_t copy, std::function<void(const std::string&)> done) {
    detach_(copy, std::move(done));
  }

  // Takes a request of kind kControl, whose frame is one of these commands, and answers it with OK
  // or an error, maybe later:
  //   PROMOTE node | PROMOTE ""       any copy that is in sync and up
  //   FORCE node                      even if it is stale, where no copy in sync is up; or the
  //                                   primary, which restarted with data that may be old
  //   RESYNC node | DRAIN node | UNDRAIN node
  //   REMOVE node                     drained, and then a member no more (membership.h asks)
  void Submit(Request* request);
  void Tick(uint64_t now_ms);
  // Answers what is under way.
  void Stop();
  bool idle() const { return step_ == Step::kIdle; }
  // Copies that are to leave the shard: no role is handed over to one of them while there is
  // another.
  void set_unwanted(CopyMask copies) { unwanted_ = copies; }

 private:
  enum class Verb : uint8_t { kPromote, kForce, kResync, kDrain, kUndrain, kRemove, kFailback };
  enum class Step : uint8_t {
    kIdle,
    kWaiting,    // until nobody else pauses the shard or changes its roles
    kDraining,   // writes are held, those in flight are waited for
    kReady,      // the next edit may be proposed
    kProving,    // before a copy leaves: does the primary, which stays, answer?
    kDetaching,  // before FORCE: the node is told that it is no replica
    kEditing,    // an edit is being made durable
  };
  // A PING through the primary's link.
  struct Proof;

  static bool ParseVerb(std::string_view text, Verb* verb);

  void Begin(Verb verb, int copy, Request* request);
  void Advance();
  // What is to be done next, from the state alone: an edit, nothing more, or it cannot be done (the
  // order has ended then, and false is returned).
  bool Plan(Edit* edit);
  bool PlanRole(Edit* edit);
  bool PlanAcceptance(Edit* edit);
  bool PlanDrain(Edit* edit);
  void TellNoReplica();
  void Prove();
  void OnProof(Proof* proof);
  void Propose(Edit edit);
  void OnEdited(const Edit& edit, const EditResult& result);
  void NoteEdit(const Edit& edit, const std::string& from, const std::string& consequence);
  void Expire(uint64_t now_ms);
  void Failback(uint64_t now_ms);

  bool NeedsPause() const { return verb_ != Verb::kUndrain && verb_ != Verb::kForce; }
  // The first copy that is in sync and up and is not the primary; -1: none.
  int PickSuccessor() const;
  std::string WhyNoSuccessor() const;
  std::string WhyUnfit(uint32_t copy) const;
  const CopyInfo& Info(uint32_t copy) const { return shard_->info().copies[copy]; }
  bool IsStale(uint32_t copy) const { return Info(copy).state == CopyState::kStale; }
  std::string Prefix() const { return "shard '" + shard_->info().name + "': "; }

  void Answer(Request* request, const std::string& reply);
  void Refuse(Request* request, const std::string& why);
  // Ends the order.
  void Done();
  void Fail(const std::string& why);
  Request* End();

  Shard* shard_;
  ShardEnv* env_;
  DetachNode detach_;

  Step step_ = Step::kIdle;
  uint64_t attempt_ = 0;  // grows when an order ends: what comes later for it is not heard
  Verb verb_ = Verb::kPromote;
  uint32_t copy_ = 0;
  bool any_copy_ = false;  // none was named, and none is chosen yet
  bool paused_ = false;    // by this order
  bool detached_ = false;
  // The connection that has shown, in this pause, that the primary lives.
  uint32_t proven_copy_ = 0;
  uint64_t proven_connection_ = 0;              // 0: none
  std::vector<std::unique_ptr<Proof>> proofs_;  // not answered yet
  uint32_t edits_ = 0;
  uint64_t began_ms_ = 0;
  Request* request_ = nullptr;
  CopyMask unwanted_ = 0;
  std::string consequence_;  // of FORCE, for the answer

  // Failback.
  uint64_t good_since_ms_ = 0;  // the configured primary is in sync and up; 0: it is not
  uint64_t home_since_ms_ = 0;  // the same, and it is the primary
  uint64_t wait_ms_;            // doubles with each attempt, so that roles do not flap
  bool kept_away_ = false;      // an operator promoted another copy: that stands
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_CONTROL_H_
