#include "backend/uv/uv_timer.h"

#include <utility>

#include "backend/uv/uv_clock.h"

namespace gemel {

struct UvTimer::Handle {
  uv_timer_t timer;
  std::function<void()> fire;
  uint64_t due_ms = 0;  // of the running clock

  void Wait(uint64_t for_ms) { uv_timer_start(&timer, OnTime, for_ms, 0); }
  static void OnTime(uv_timer_t* timer) {
    Handle* handle = static_cast<Handle*>(timer->data);
    const uint64_t now_ms = UvClock::NowMs(timer->loop);
    if (now_ms < handle->due_ms) {
      handle->Wait(handle->due_ms - now_ms);
    } else {
      handle->fire();
    }
  }
};

void UvTimer::Close::operator()(Handle* handle) const {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->timer), [](uv_handle_t* closed) {
    std::unique_ptr<Handle>(static_cast<Handle*>(closed->data)).reset();
  });
}

UvTimer::UvTimer(uv_loop_t* loop, std::function<void()> fire) {
  auto handle = std::make_unique<Handle>();
  uv_timer_init(loop, &handle->timer);  // cannot fail
  handle->timer.data = handle.get();
  handle->fire = std::move(fire);
  handle_.reset(handle.release());
}

void UvTimer::Set(uint64_t after_ms) {
  handle_->due_ms = UvClock::NowMs(handle_->timer.loop) + after_ms;
  handle_->Wait(after_ms);
}

void UvTimer::Stop() { uv_timer_stop(&handle_->timer); }

}  // namespace gemel
