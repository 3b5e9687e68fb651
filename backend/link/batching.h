// Whether what is queued for a node is sent now, or collected.
//
// Under load from many clients a turn brings only a few requests for a node, and each write costs a
// system call here and, worse, a wake-up there. So while the node has something unanswered, little
// output is collected until it has answered (what J. Nagle's algorithm does for a TCP connection,
// RFC 896): one batch is on its way, the next one grows. Only if the node is near: a request waits
// for less than one of its answers.

#ifndef GEMEL_BACKEND_LINK_BATCHING_H_
#define GEMEL_BACKEND_LINK_BATCHING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace gemel {

// One a connection, on its thread. Times are in nanoseconds, on any clock that is never 0.
class Batching {
 public:
  // So much is sent at once in any case.
  static constexpr size_t kBatchBytes = 4096;
  // A node that answers sooner is near.
  static constexpr uint64_t kNearNs = 500 * 1000;

  enum class Now : uint8_t {
    kHold,
    kSend,
    kSendAndTime,  // and tell when (OnAsked): nothing is unanswered
  };

  // Another connection: how near it is, is not known.
  void Forget() { *this = Batching(); }
  // The end of a turn. `queued` bytes, more than 0, of the `unanswered` ones have not been sent.
  Now Flush(size_t queued, size_t unanswered) {
    const bool idle = unanswered == queued;
    held_ = !idle && !rest_ && queued < kBatchBytes && answer_ns_ < kNearNs && answer_ns_ != 0;
    if (held_) return Now::kHold;
    rest_ = false;
    return idle ? Now::kSendAndTime : Now::kSend;
  }
  // The socket was full: what it did not take goes in any case, since the node may have got a part
  // of a request, and will not answer that.
  void OnRest() { rest_ = true; }
  void OnAsked(uint64_t now_ns) { asked_ns_ = now_ns; }
  // An answer is timed: the next OnHeard needs the time.
  bool timing() const { return asked_ns_ != 0; }
  // The node has answered. True: what was held is to be flushed. `now_ns` counts only if timing().
  bool OnHeard(uint64_t now_ns) {
    if (asked_ns_ != 0) {
      const uint64_t took_ns = std::max<uint64_t>(now_ns - asked_ns_, 1);
      answer_ns_ = answer_ns_ == 0 ? took_ns : (answer_ns_ * 7 + took_ns) / 8;
      asked_ns_ = 0;
    }
    const bool held = held_;
    held_ = false;
    return held;
  }

 private:
  bool held_ = false;  // output is being collected until the node has answered
  bool rest_ = false;
  uint64_t asked_ns_ = 0;  // when the node was last written to with nothing unanswered; 0: answered
  uint64_t answer_ns_ = 0;  // how long it takes to answer, a moving average; 0: not known
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_BATCHING_H_
