// Takes away for a time what a primary waits for further replicas before it begins a snapshot
// (repl-diskless-sync-delay, 5 s by default): a shard's copy is made for one alone, and until it is
// there the shard lacks a copy.
//
// A gemel that is killed meanwhile cannot put it back. Therefore what was set before stands, until
// then, in an option that does not matter while there is no delay
// (repl-diskless-sync-max-replicas, Redis 7.0 and later): whoever connects next finds it there.

#ifndef GEMEL_BACKEND_RESYNC_DISKLESS_DELAY_H_
#define GEMEL_BACKEND_RESYNC_DISKLESS_DELAY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"

namespace gemel {

class DisklessDelay {
 public:
  // `port` must outlive it.
  explicit DisklessDelay(ControlPort* port) : port_(port) {}

  // `next` runs later in any case, also where the node allows nothing of this; but not once it was
  // put back, or this object is gone.
  void TakeAway(uint32_t node, std::function<void()> next);
  // What was taken away may be back: another connection to the node took it for what an earlier
  // process had left (Heal), or an operator set it. Then it is taken away once more.
  void TakeAgain();
  // As it was. May be called at any time.
  void PutBack();

  // Puts back what an earlier process had taken away and left so.
  static void Heal(ControlPort* port, uint32_t node);

 private:
  struct Settings;

  void OnSettings(uint32_t node, const Settings& settings, const std::function<void()>& next);

  ControlPort* port_;
  uint32_t node_ = 0;
  uint64_t round_ = 0;  // grows with each call: answers to an earlier one are not heard
  std::vector<std::string> before_;  // the command that puts it back; empty: nothing is taken away
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESYNC_DISKLESS_DELAY_H_
