// The end of a worker: what its clients have sent is served, then they are closed, and what is not
// done in time is given up.

#ifndef GEMEL_PROXY_WORKER_DRAINING_H_
#define GEMEL_PROXY_WORKER_DRAINING_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

namespace gemel {

class Draining {
 public:
  enum class Step : uint8_t {
    kServe,  // clients may have sent what was not read yet
    kClose,  // each is closed once it is answered
    kEnd,    // none is left, or it took too long: who is left is closed at once
  };
  static constexpr uint64_t kGraceMs = 100;

  // `drained` is called by End. REQUIRES: it is not active.
  void Begin(uint64_t now_ms, uint64_t deadline_ms, std::function<void()> drained) {
    close_ms_ = now_ms + std::min(kGraceMs, deadline_ms);
    deadline_ms_ = now_ms + deadline_ms;
    drained_ = std::move(drained);
  }
  bool active() const { return drained_ != nullptr; }
  // `left`: there are clients, or requests of theirs.
  Step Next(uint64_t now_ms, bool left) const {
    if (now_ms < close_ms_) return Step::kServe;
    return left && now_ms < deadline_ms_ ? Step::kClose : Step::kEnd;
  }
  void End() { std::exchange(drained_, nullptr)(); }

 private:
  std::function<void()> drained_;
  uint64_t close_ms_ = 0;
  uint64_t deadline_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_DRAINING_H_
