// What holds up a client's next command: reads that have not been answered, for a write of their
// keys, and what its session waits for.

#ifndef GEMEL_PROXY_SESSION_LINE_STOPS_H_
#define GEMEL_PROXY_SESSION_LINE_STOPS_H_

#include <utility>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/dispatch/stats.h"
#include "proxy/session/read_fence.h"

namespace gemel {

class LineStops {
 public:
  // --- for the line: what stands in it, oldest first ---
  // `key`: the mark of the key that it reads; or with 0 it reads those of `marks` (none: it is no
  // read), which are used up.
  void Push(ReadFence::Mark key, std::vector<ReadFence::Mark>* marks) {
    if (key != 0) {
      fence_.PushRead(key);
    } else if (marks->empty()) {
      fence_.PushOther();
    } else {
      PushMarks(marks);
    }
  }
  void Pop() {
    fence_.Pop();
    fenced_ = false;
  }
  // True: it was waited for.
  bool OnAnswered(const Request* request) {
    if (request != order_) [[likely]]
      return false;
    order_ = nullptr;
    if (counted_ != nullptr) std::exchange(counted_, nullptr)->Sub(1);
    return true;
  }
  void ReleaseMemory() { fence_.ReleaseMemory(); }

  // --- who waits for whom ---
  // Must a write of that key wait for a read before it? StopAtFence: it does, until something is
  // answered.
  bool Blocks(ReadFence::Mark key) const { return !fence_.empty() && fence_.Blocks(key); }
  void StopAtFence() { fenced_ = true; }
  bool fenced() const { return fenced_; }
  // Nothing more of the session is handled before that one is answered; `counted`, if given, counts
  // it until then.
  void AwaitOrder(const Request* order, Counter* counted = nullptr) {
    order_ = order;
    counted_ = counted;
    if (counted != nullptr) counted->Add(1);
  }
  bool awaits_order() const { return order_ != nullptr; }
  bool Awaits(const Request* request) const { return request == order_; }

 private:
  [[gnu::noinline]] void PushMarks(std::vector<ReadFence::Mark>* marks) {
    fence_.PushRead(*marks);
    marks->clear();
  }

  ReadFence fence_;
  const Request* order_ = nullptr;
  Counter* counted_ = nullptr;
  bool fenced_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_LINE_STOPS_H_
