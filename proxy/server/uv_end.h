// How the process comes to its end: what is waited for, and with what it ends.

#ifndef GEMEL_PROXY_SERVER_UV_END_H_
#define GEMEL_PROXY_SERVER_UV_END_H_

#include <unistd.h>
#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "backend/uv/uv_timer.h"
#include "proxy/log/log.h"
#include "proxy/worker/posix_socket_file.h"

namespace gemel {

// What a thread that hangs still uses, the ordinary end would take from it.
[[noreturn]] inline void EndNow(int exit_code) {
  RemoveSocketFiles();
  FlushLog();
  ::_exit(exit_code);
}

// The main thread.
class UvEnd {
 public:
  static constexpr char kNotClean[] =
      "some writes were not answered by all copies in time: the replicas are resynced at the next "
      "start";

  // False: it has begun already.
  bool Begin() { return !std::exchange(begun_, true); }
  bool begun() const { return begun_; }
  // Another gemel serves: nothing is waited for.
  void TakenOver() {
    taken_over_ = true;
    clean_ = false;
    exit_code_ = 1;
  }
  // So many workers drain.
  void AwaitWorkers(uint32_t workers) { draining_ = workers; }
  // One has. `quiet`: all its writes were answered by all copies. True: that was the last one.
  bool OnDrained(bool quiet) {
    clean_ = clean_ && quiet;
    return --draining_ == 0;
  }
  // The copies are equal, and the state may say so.
  bool clean() const { return clean_; }
  // The state is being written, for so long at most.
  void BeginSaving(uv_loop_t* loop, uint64_t most_ms, std::function<void()> overdue) {
    patience_ = std::make_unique<UvTimer>(loop, std::move(overdue));
    patience_->Set(most_ms);
  }
  void OnSaved(bool ok) {
    patience_.reset();
    if (!ok) exit_code_ = 1;
  }

  int exit_code() const { return exit_code_; }
  const char* Words() const {
    return exit_code_ == 0 ? "stopped"
           : taken_over_   ? "stopped: another gemel serves"
                           : "stopped, but the state was not saved";
  }

 private:
  bool begun_ = false;
  bool taken_over_ = false;
  bool clean_ = true;
  uint32_t draining_ = 0;
  int exit_code_ = 0;
  std::unique_ptr<UvTimer> patience_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_END_H_
