// CLIENT PAUSE: for a while what clients ask waits, all of it or what may write.

#ifndef GEMEL_PROXY_SESSION_PAUSED_CLIENTS_H_
#define GEMEL_PROXY_SESSION_PAUSED_CLIENTS_H_

#include <algorithm>
#include <cstdint>

namespace gemel {

// One worker's, on its thread.
class PausedClients {
 public:
  // Until `until_ms` on the worker's clock. One that goes on is made longer and wider, never the
  // other way round, as with Redis 7.0.
  void Begin(uint64_t until_ms, bool all) {
    all_ = (active_ && all_) || all;
    until_ms_ = active_ ? std::max(until_ms_, until_ms) : until_ms;
    active_ = true;
  }
  void End() { active_ = all_ = false; }
  void Tick(uint64_t now_ms) {
    if (active_ && now_ms >= until_ms_) End();
  }

  bool active() const { return active_; }
  // Nothing is read from clients.
  bool all() const { return all_; }

 private:
  bool active_ = false;
  bool all_ = false;
  uint64_t until_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PAUSED_CLIENTS_H_
