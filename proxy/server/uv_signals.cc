#include "proxy/server/uv_signals.h"

#include <algorithm>
#include <utility>

namespace gemel {

void UvSignals::SetMask(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : kNumbers) sigaddset(&signals, number);
  pthread_sigmask(how, &signals, nullptr);
}

void UvSignals::Watch(uv_loop_t* loop) {
  for (size_t i = 0; i < std::size(kNumbers); ++i) {
    uv_signal_init(loop, &handles_[i]);
    handles_[i].data = this;
    uv_signal_start(
        &handles_[i],
        [](uv_signal_t* handle, int number) {
          static_cast<UvSignals*>(handle->data)->OnSignal(number);
        },
        kNumbers[i]);
  }
  SetMask(SIG_UNBLOCK);
}

void UvSignals::OnSignal(int number) {
  if (delivers_) {
    on_signal_(number);
  } else if (kept_.size() < kMaxKept) {
    kept_.push_back(number);
  }
}

bool UvSignals::told_to_stop() const {
  return std::any_of(kept_.begin(), kept_.end(),
                     [](int number) { return number != SIGHUP && number != SIGUSR2; });
}

void UvSignals::Deliver() {
  delivers_ = true;
  for (const int number : std::exchange(kept_, {})) on_signal_(number);
}

void UvSignals::Close() {
  for (uv_signal_t& handle : handles_) uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
}

}  // namespace gemel
