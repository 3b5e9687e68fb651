// A timer of a loop that goes with its owner. It counts by the loop's running clock (uv_clock.h):
// a pause of this process lets none of them fire.

#ifndef GEMEL_BACKEND_UV_UV_TIMER_H_
#define GEMEL_BACKEND_UV_UV_TIMER_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace gemel {

// One loop, one thread. The handle itself outlives this object until the loop has closed it; no
// call comes after the destructor or Stop.
class UvTimer {
 public:
  // `fire` may destroy the timer.
  UvTimer(uv_loop_t* loop, std::function<void()> fire);
  UvTimer(const UvTimer&) = delete;
  UvTimer& operator=(const UvTimer&) = delete;

  // Once, in `after_ms`; what was set before is forgotten.
  void Set(uint64_t after_ms);
  void Stop();

 private:
  struct Handle;
  struct Close {
    void operator()(Handle* handle) const;
  };
  std::unique_ptr<Handle, Close> handle_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_TIMER_H_
