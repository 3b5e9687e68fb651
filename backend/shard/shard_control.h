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

#include "backend/shard/channels.h"
#include "backend/shard/departure.h"
#include "backend/shard/failback_timer.h"
#include "backend/shard/order_plan.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_order.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

class ShardControl {
 public:
  // Makes a node an ordinary server again (REPLICAOF NO ONE), since a resync that was broken off
  // may have left it a replica. `done` runs later: with why it could not be done, or with nothing.
  using DetachNode =
      std::function<void(uint32_t copy, std::function<void(const std::string&)> done)>;

  explicit ShardControl(ShardParts* parts);
  ShardControl(const ShardControl&) = delete;
  ShardControl& operator=(const ShardControl&) = delete;
  ~ShardControl();

  void set_detach(DetachNode detach) { detach_ = std::move(detach); }
  bool CanDetach() const { return detach_ != nullptr; }
  // Only if it can. Whose replica it was is no matter any more: its data is taken as it is.
  void Detach(uint32_t copy, std::function<void(const std::string&)> done);

  // Who takes requests of kind kNodes; null: nobody does.
  void set_node_orders(std::function<void(Request*)> take) { node_orders_ = std::move(take); }
  bool PassToNodeOrders(Request* request) const {
    if (node_orders_) node_orders_(request);
    return node_orders_ != nullptr;
  }

  // Carries an order out. `done` runs once, maybe before this returns.
  void Carry(const ShardOrder& order, OrderDone done);
  // A request of kind kControl, which has its order with it: answered with OK or an error.
  void Submit(Request* request);
  void Tick(uint64_t now_ms);
  // Answers what is under way with `why`.
  void Stop(const std::string& why);
  // How the shard goes to another process.
  Departure& departure() { return departure_; }
  bool idle() const { return step_ == Step::kIdle; }
  // Copies that are to leave the shard: no role is handed over to one of them while there is
  // another.
  void set_unwanted(CopyMask copies) { unwanted_ = copies; }

 private:
  using Verb = ShardOrder::Verb;
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

  void Begin(Verb verb, int copy, OrderDone done);
  void Advance();
  // The plan if it is an edit; else the order has ended.
  bool Plan(OrderPlan* plan);
  bool IsProven() const;
  void TellNoReplica();
  void Prove();
  void OnProof(Proof* proof);
  void Propose(const Edit& edit);
  void OnEdited(const Edit& edit, const EditResult& result);
  void NoteEdit(const Edit& edit, const std::string& from, const std::string& consequence);
  void Expire(uint64_t now_ms);
  void CheckFailback(uint64_t now_ms);

  bool NeedsPause() const { return verb_ != Verb::kUndrain && verb_ != Verb::kForce; }
  bool IsStale(uint32_t copy) const;
  const std::string& NodeOf(uint32_t copy) const;
  // Ends the order.
  void Done();
  void Fail(const std::string& why);
  OrderDone End();

  ShardParts* parts_;
  Departure departure_;
  DetachNode detach_;
  std::function<void(Request*)> node_orders_;

  Step step_ = Step::kIdle;
  uint64_t heard_ = 0;    // see Removals::AllHeard
  Channels::Rest rest_;   // see Channels::IsHeard
  uint64_t attempt_ = 0;  // grows when an order ends: what comes later for it is not heard
  Verb verb_ = Verb::kPromote;
  int copy_ = -1;        // -1: none was named, and none is chosen yet
  bool paused_ = false;  // by this order
  bool detached_ = false;
  // The connection that has shown, in this pause, that the primary lives.
  uint32_t proven_copy_ = 0;
  uint64_t proven_connection_ = 0;              // 0: none
  std::vector<std::unique_ptr<Proof>> proofs_;  // not answered yet
  uint32_t edits_ = 0;
  uint64_t began_ms_ = 0;
  OrderDone done_;
  CopyMask unwanted_ = 0;
  std::string consequence_;  // of FORCE, for the answer
  FailbackTimer failback_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_CONTROL_H_
