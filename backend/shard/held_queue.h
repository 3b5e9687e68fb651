// Requests that a shard cannot send just now (its roles change, a copy is being handed over, a key
// is being repaired), in the order in which they came. Bounded.

#ifndef GEMEL_BACKEND_SHARD_HELD_QUEUE_H_
#define GEMEL_BACKEND_SHARD_HELD_QUEUE_H_

#include <algorithm>
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
    uint32_t lock = 0;  // the repair that it waits for, as far as is known
  };

  explicit HeldQueue(size_t limit) : limit_(limit) {}

  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }
  bool full() const { return queue_.size() >= limit_; }
  void set_limit(size_t limit) { limit_ = limit; }
  // A session with a held request may not overtake itself: its later ones are held too.
  bool HasSession(uint32_t session) const { return sessions_.contains(session); }

  // Keeps the request, with its frame copied into its own memory unless it owns it already.
  void Push(Request* request, uint64_t now_ms) { Add({TakeFrame(request), now_ms, now_ms, 0}); }
  // The same for one that was popped before: it keeps the time since which it waits, and for what.
  void PushAgain(const Held& held) {
    Add({TakeFrame(held.request), held.since_ms, held.came_ms, held.lock});
  }

  // In front of all, though the queue be full: it was sent before them, at `sent_ms`.
  void PushFront(Request* request, uint64_t now_ms, uint64_t sent_ms) {
    queue_.push_front({TakeFrame(request), now_ms, sent_ms, 0});
    ++sessions_[request->session];
  }

  Held Pop() {
    Held held = queue_.front();
    queue_.pop_front();
    auto it = sessions_.find(held.request->session);
    if (--it->second == 0) sessions_.erase(it);
    return held;
  }
  const Held& front() const { return queue_.front(); }
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
  void Add(const Held& held) {
    queue_.push_back(held);
    ++sessions_[held.request->session];
  }

  size_t limit_;
  std::deque<Held> queue_;
  std::unordered_map<uint32_t, uint32_t> sessions_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HELD_QUEUE_H_
