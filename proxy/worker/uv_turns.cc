#include "proxy/worker/uv_turns.h"

#include <utility>

namespace gemel {

UvTurns::UvTurns(uv_loop_t* loop, WorkerStats* stats, std::function<void()> on_end,
                 std::function<void()> after_poll)
    : loop_(loop), stats_(stats), on_end_(std::move(on_end)), after_poll_(std::move(after_poll)) {
  uv_prepare_init(loop_, &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* handle) { static_cast<UvTurns*>(handle->data)->OnPoll(); });
  uv_check_init(loop_, &check_);
  check_.data = this;
  uv_check_start(&check_,
                 [](uv_check_t* handle) { static_cast<UvTurns*>(handle->data)->OnPolled(); });
}

// The loop's own time will not do, since it is set anew before the timers. One reading of the clock
// a turn.
void UvTurns::OnPoll() {
  on_end_();
  if (times_.OnPoll(uv_hrtime() / 1000000, uv_backend_timeout(loop_))) {
    stats_->longest_turn_ms.Set(times_.longest_ms());
  }
}

void UvTurns::OnPolled() {
  if (times_.OnPolled(uv_now(loop_))) stats_->longest_turn_ms.Set(times_.longest_ms());
  after_poll_();
}

void UvTurns::OnSecond() {
  times_.OnSecond();
  stats_->longest_turn_ms.Set(times_.longest_ms());
}

void UvTurns::Close() {
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&check_), nullptr);
}

}  // namespace gemel
