// Requests that a shard cannot send just now (its roles change, a copy is being handed over, a key
// is being repaired), in the order in which they came. Bounded.

#ifndef GEMEL_BACKEND_SHARD_HELD_QUEUE_H_
#define GEMEL_BACKEND_SHARD_HELD_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "backend/shard/request.h"

namespace gemel {

class HeldQueue {
 public:
  struct Held {
    Request* request;
    uint64_t since_ms;
    uint64_t came_ms;
    uint32_t lock = 0;      // the repair that it waits for, as far as is known
    bool returned = false;  // it had been sent before
  };

  explicit HeldQueue(size_t limit) : limit_(limit) {}

  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }
  bool full() const { return queue_.size() >= limit_; }
  void set_limit(size_t limit) { limit_ = limit; }
  // A session with a held request may not overtake itself: its later ones are held too.
  bool HasSession(uint32_t session) const { return sessions_.contains(session); }

  // Keeps the request, with its frame copied into its own memory unless it owns it already.
  void Push(Request* request, uint64_t now_ms) {
    Insert(queue_.end(), {TakeFrame(request), now_ms, now_ms});
    ++arrived_;
  }

  // One that had been sent, at `sent_ms`, and comes back: it goes in front of all that have not
  // been, though the queue be full, and behind those that came back before it.
  void PushReturned(Request* request, uint64_t now_ms, uint64_t sent_ms) {
    auto at = queue_.begin() + static_cast<std::ptrdiff_t>(unvisited_);
    while (at != queue_.end() && at->returned) ++at;
    Insert(at, {TakeFrame(request), now_ms, sent_ms, 0, true});
  }

  // A round visits all that are there now, in their order, and none that comes meanwhile: Pop each
  // while `visiting`, and PushAgain what stays, which keeps its place before what has come.
  void BeginRound() {
    unvisited_ = queue_.size();
    arrived_ = 0;
  }
  bool visiting() const { return unvisited_ > 0; }
  void PushAgain(Held held) {
    TakeFrame(held.request);
    Insert(queue_.end() - static_cast<std::ptrdiff_t>(arrived_), held);
  }

  Held Pop() {
    if (unvisited_ > 0) --unvisited_;
    return Take(queue_.begin());
  }
  // Outside a round: one that has waited for `wait_ms`; null: none has.
  Request* PopDue(uint64_t now_ms, uint64_t wait_ms) {
    // Those that came back are in their order, and so is the rest.
    auto at = queue_.begin();
    if (at != queue_.end() && now_ms < at->since_ms + wait_ms) {
      at = std::find_if(at, queue_.end(), [](const Held& held) { return !held.returned; });
    }
    if (at == queue_.end() || now_ms < at->since_ms + wait_ms) return nullptr;
    return Take(at).request;
  }
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Held& held : queue_) visit(held.request);
  }
  // One came at that time or before.
  bool HoldsFrom(uint64_t at_ms) const {
    return std::any_of(queue_.begin(), queue_.end(),
                       [at_ms](const Held& held) { return held.came_ms <= at_ms; });
  }

 private:
  static Request* TakeFrame(Request* request) {
    request->OwnFrame();
    return request;
  }
  Held Take(std::deque<Held>::iterator at) {
    const Held held = *at;
    queue_.erase(at);
    auto it = sessions_.find(held.request->session);
    if (--it->second == 0) sessions_.erase(it);
    return held;
  }
  void Insert(std::deque<Held>::iterator at, const Held& held) {
    queue_.insert(at, held);
    ++sessions_[held.request->session];
  }

  size_t limit_;
  std::deque<Held> queue_;
  size_t unvisited_ = 0;  // of the round, at the front
  size_t arrived_ = 0;    // since its beginning, at the end
  std::unordered_map<uint32_t, uint32_t> sessions_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HELD_QUEUE_H_
