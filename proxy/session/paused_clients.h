// CLIENT PAUSE: for a while what clients ask waits, all of it or what may write. And the hold of a
// process that is about to go over to other shards together with others: all of it waits.

#ifndef GEMEL_PROXY_SESSION_PAUSED_CLIENTS_H_
#define GEMEL_PROXY_SESSION_PAUSED_CLIENTS_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "proxy/dispatch/stats.h"

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
  // Nobody is held any more, though who was has not gone on yet.
  void End() {
    active_ = all_ = false;
    if (!holding_) BeginRound();
  }
  void Hold() { holding_ = true; }
  bool holding() const { return holding_; }
  // Of CLIENT PAUSE; 0: there is none.
  uint64_t LeftMs(uint64_t now_ms) const {
    return active_ && until_ms_ > now_ms ? until_ms_ - now_ms : 0;
  }
  bool holds_all() const { return all_; }
  void LetGo() {
    if (std::exchange(holding_, false) && !active_) BeginRound();
  }
  void Tick(uint64_t now_ms) {
    if (active_ && now_ms >= until_ms_) End();
  }

  bool active() const { return active_ || holding_; }
  // Nothing is read from clients.
  bool all() const { return all_ || holding_; }

  // Those that are held count there, too; null: nowhere.
  void CountIn(Counter* blocked) { blocked_ = blocked; }

 private:
  friend class HeldByPause;

  void BeginRound() {
    ++round_;
    if (blocked_ != nullptr) blocked_->Sub(held_);
    held_ = 0;
  }

  bool holding_ = false;
  bool active_ = false;
  bool all_ = false;
  uint64_t until_ms_ = 0;
  uint64_t round_ = 1;  // which pause it is
  uint64_t held_ = 0;
  Counter* blocked_ = nullptr;
};

// Whether one client is held by it: with something that it has asked.
class HeldByPause {
 public:
  // Outlives it.
  explicit HeldByPause(PausedClients* pause) : pause_(pause) {}
  HeldByPause(const HeldByPause&) = delete;
  HeldByPause& operator=(const HeldByPause&) = delete;
  ~HeldByPause() { Set(false); }

  bool held() const { return round_ == pause_->round_; }
  void Set(bool held) {
    if (held == this->held()) return;
    round_ = held ? pause_->round_ : 0;
    held ? ++pause_->held_ : --pause_->held_;
    if (pause_->blocked_ == nullptr) return;
    held ? pause_->blocked_->Add(1) : pause_->blocked_->Sub(1);
  }

 private:
  PausedClients* pause_;
  uint64_t round_ = 0;  // of the pause that holds it; 0: none does
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PAUSED_CLIENTS_H_
