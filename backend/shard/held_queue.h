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

  bool empty() const { return queue_.empty() && kept_.empty(); }
  size_t size() const { return queue_.size() + kept_.size(); }
  bool full() const { return size() >= limit_; }
  void set_limit(size_t limit) { limit_ = limit; }
  // A session with a held request may not overtake itself: its later ones are held too.
  bool HasSession(uint32_t session) const { return sessions_.contains(session); }
  size_t session_count() const { return sessions_.size(); }

  // Keeps the request, with its frame copied into its own memory unless it owns it already.
  void Push(Request* request, uint64_t now_ms) {
    Insert(&queue_, queue_.end(), {TakeFrame(request), now_ms, now_ms});
  }

  // One that had been sent, at `sent_ms`, and comes back: it goes in front of all that have not
  // been, though the queue be full, and behind those that came back before it.
  void PushReturned(Request* request, uint64_t now_ms, uint64_t sent_ms) {
    std::deque<Held>& queue = in_round_ ? kept_ : queue_;
    auto at = queue.begin();
    while (at != queue.end() && at->returned) ++at;
    Insert(&queue, at, {TakeFrame(request), now_ms, sent_ms, 0, true});
  }

  // A round visits what is there now, in its order, and nothing that comes meanwhile: Pop each
  // while `visiting`, and PushAgain what stays. EndRound puts that back before what was not visited
  // and what has come.
  void BeginRound() {
    in_round_ = true;
    unvisited_ = queue_.size();
  }
  bool visiting() const { return unvisited_ > 0; }
  void PushAgain(Held held) {
    TakeFrame(held.request);
    Insert(&kept_, kept_.end(), held);
  }
  void EndRound() {
    in_round_ = false;
    unvisited_ = 0;
    for (; !kept_.empty(); kept_.pop_back()) queue_.push_front(kept_.back());
  }
  // A request of that session was sent: those behind it have waited for that.
  void NoteSent(uint32_t session, uint64_t now_ms) {
    const auto it = sessions_.find(session);
    if (it != sessions_.end()) it->second.sent_ms = now_ms;
  }

  Held Pop() {
    if (unvisited_ > 0) --unvisited_;
    return Take(queue_.begin());
  }
  // Outside a round: one that has waited for `wait_ms`, since it came or since the one before it of
  // its session was sent; null: none has.
  Request* PopDue(uint64_t now_ms, uint64_t wait_ms) {
    // Those that came back are in their order, and so is the rest.
    bool rest = false;
    for (auto at = queue_.begin(); at != queue_.end(); ++at) {
      if (now_ms < at->since_ms + wait_ms) {
        if (rest || !at->returned) return nullptr;
        at = std::find_if(at, queue_.end(), [](const Held& held) { return !held.returned; });
        if (at == queue_.end() || now_ms < at->since_ms + wait_ms) return nullptr;
      }
      rest = rest || !at->returned;
      if (now_ms >= sessions_.at(at->request->session).sent_ms + wait_ms) return Take(at).request;
    }
    return nullptr;
  }
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Held& held : kept_) visit(held.request);
    for (const Held& held : queue_) visit(held.request);
  }
  // One came at that time or before.
  bool HoldsFrom(uint64_t at_ms) const {
    const auto came = [at_ms](const Held& held) { return held.came_ms <= at_ms; };
    return std::any_of(kept_.begin(), kept_.end(), came) ||
           std::any_of(queue_.begin(), queue_.end(), came);
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
    if (--it->second.held == 0) sessions_.erase(it);
    return held;
  }
  void Insert(std::deque<Held>* queue, std::deque<Held>::iterator at, const Held& held) {
    queue->insert(at, held);
    ++sessions_[held.request->session].held;
  }

  size_t limit_;
  std::deque<Held> queue_;
  std::deque<Held> kept_;  // of the round: what was visited and stays, before the rest
  bool in_round_ = false;
  size_t unvisited_ = 0;  // of the round, at the front
  struct Session {
    uint32_t held = 0;
    uint64_t sent_ms = 0;  // the last of its requests that were held here
  };
  std::unordered_map<uint32_t, Session> sessions_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HELD_QUEUE_H_
