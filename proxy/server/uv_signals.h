// The signals that a server handles, from the moment at which somebody may send them.

#ifndef GEMEL_PROXY_SERVER_UV_SIGNALS_H_
#define GEMEL_PROXY_SERVER_UV_SIGNALS_H_

#include <pthread.h>
#include <uv.h>

#include <csignal>
#include <cstddef>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace gemel {

// SIGTERM, SIGINT, SIGQUIT, SIGHUP and SIGUSR2. SIGQUIT, too: by default it would end the process
// as a crash does, after which every replica is resynced. On one thread, but for Block.
class UvSignals {
 public:
  explicit UvSignals(std::function<void(int)> on_signal) : on_signal_(std::move(on_signal)) {}
  UvSignals(const UvSignals&) = delete;
  UvSignals& operator=(const UvSignals&) = delete;

  // Those that come wait for Watch, of this binary or of the next.
  // The port accepts before the handlers are there: a signal that comes in between waits for Watch.
  static void Block() { SetMask(SIG_BLOCK); }
  // One that has come waits for the next binary, which begins with it blocked.
  static void PutOff(int number) {
    Block();
    pthread_kill(pthread_self(), number);  // no other thread takes it
  }
  // From now on they come on the loop, and are kept until Deliver.
  void Watch(uv_loop_t* loop);
  // One of those that are kept tells to stop.
  bool told_to_stop() const;
  // What was kept is told now, and what comes, at once.
  void Deliver();
  // No further ones. The loop is closed before this goes.
  void Close();

 private:
  static constexpr int kNumbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2};
  static constexpr size_t kMaxKept = 16;

  static void SetMask(int how);
  void OnSignal(int number);

  const std::function<void(int)> on_signal_;
  uv_signal_t handles_[std::size(kNumbers)];
  std::vector<int> kept_;
  bool delivers_ = false;
};

// "SIGTERM", of one that ends the process.
inline std::string SignalName(int signal) {
  return signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGQUIT";
}

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_SIGNALS_H_
