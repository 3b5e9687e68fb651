#include "backend/uv/uv_timer.h"

#include <utility>

namespace gemel {

struct UvTimer::Handle {
  uv_timer_t timer;
  std::function<void()> fire;
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
  uv_timer_start(
      &handle_->timer, [](uv_timer_t* timer) { static_cast<Handle*>(timer->data)->fire(); },
      after_ms, 0);
}

void UvTimer::Stop() { uv_timer_stop(&handle_->timer); }

}  // namespace gemel
