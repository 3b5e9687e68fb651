// What a shard cannot send just now waits, in order and with a bound in number and time; and what
// may be sent at all: is the shard paused, does a gate let it pass.

#ifndef GEMEL_BACKEND_SHARD_HOLD_H_
#define GEMEL_BACKEND_SHARD_HOLD_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/shard/held_queue.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_gate.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class Hold {
 public:
  explicit Hold(ShardParts* parts) : parts_(parts), held_(parts->options.held_limit) {}

  void SetOptions() { held_.set_limit(parts_->options.held_limit); }
  // A request that may not take the short way: sends, holds or answers it.
  void Submit(Request* request);
  // Holds one that cannot be sent; refuses it if too many wait already.
  void Add(Request* request);
  // Holds one that was sent, at `sent_ms`, and has to be sent anew, with its frame: in front of all
  // that have not been. It is refused only if too many wait and no copy may have executed it.
  void TakeBack(Request* request, std::string_view frame, uint64_t sent_ms);
  template <typename Visit>
  void ForEach(Visit visit) const {
    held_.ForEach(visit);
  }
  // One round over what waits. What still cannot go is held again, and with it whatever the same
  // session sent behind it.
  void Release();
  // The shard leaves (departure.h): from now on all is held but what puts back what was taken from
  // a key for nobody.
  void Leave() { leaving_ = true; }
  bool leaving() const { return leaving_; }
  // Something held is to be sent, or to be undone, all the same.
  bool HasToSend() const;
  // All that is held, in its order.
  std::vector<Request*> TakeAll();
  // Answers what has waited for too long, and looks at the rest.
  void Tick(uint64_t now_ms);
  // Answers all with an error.
  void Stop();

  bool CanRead() const;
  bool CanWrite() const;
  bool CanBeSent(const Request& request) const;
  // Writes are held from now on; *drained runs once those in flight are answered by all copies,
  // maybe at once.
  void Pause(std::function<void()> drained);
  void Resume();
  bool paused() const { return paused_; }
  // While set, every read and write takes the slow way and the gate is asked about it; null: nobody
  // is. Not to be called by the gate's Before.
  void set_gate(ShardGate* gate) { gate_ = gate; }
  bool has_gate() const { return gate_ != nullptr; }

  bool empty() const { return held_.empty(); }
  size_t size() const { return held_.size(); }
  // A request is still held that came at that time or before.
  bool HoldsFrom(uint64_t at_ms) const { return held_.HoldsFrom(at_ms); }

  // Answers it with an error of the shard's own.
  void AnswerError(Request* request, std::string_view text);
  // "CLUSTERDOWN shard ... is down: " and why.
  std::string DownText() const;

 private:
  ShardGate::Verdict AskGate(const Request& request) {
    return gate_ == nullptr ? ShardGate::Verdict::kPass : gate_->Before(request);
  }
  bool RefusedAsFull(Request* request);
  // What one that waited is told if it cannot be sent.
  std::string WhyNotSent(const Request& request) const;
  // On the slow way, or one that was held.
  void Send(Request* request);
  // Of one that is held; *held learns what it waits for.
  ShardGate::Verdict MayGo(HeldQueue::Held* held);

  // It stays, for the shard leaves.
  bool Stays(const Request& request) const;

  ShardParts* parts_;
  HeldQueue held_;
  ShardGate* gate_ = nullptr;
  bool releasing_ = false;
  std::unordered_set<uint32_t> blocked_;  // sessions of which one must wait, in this round
  bool paused_ = false;
  bool leaving_ = false;
  Figure held_count_{parts_->figures, "waited", "Requests that had to wait"};
  Figure errors_{parts_->figures, "errors",
                 "Requests that the shard itself answered with an error"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HOLD_H_
