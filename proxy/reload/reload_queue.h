// Which order to reload comes next: one after the other, as they came; but a patient one that was
// refused for the moment lets others go first until it is tried again.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_QUEUE_H_
#define GEMEL_PROXY_RELOAD_RELOAD_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "proxy/reload/reload_order.h"

namespace gemel {

// Logic only, on one thread. A `done` that it calls may add orders.
class ReloadQueue {
 public:
  struct Waiting {
    ReloadOrder order;
    ReloadDone done;
    uint32_t tries = 0;  // that were refused for the moment
  };
  static constexpr size_t kMaxWaiting = 1024;
  static constexpr uint32_t kMaxTries = 30;

  // Any number of signals may come while one is carried out: further patient orders of the same
  // cause and file, while one waits that nobody has begun, are that one, and their `done` is never
  // called. An order for which there is no room is refused at once, and each one after Stop.
  void Add(ReloadOrder order, ReloadDone done);
  // The next one, which is the caller's from then on; nothing if none waits. Those of whom nobody
  // waits for the outcome end here.
  std::optional<Waiting> Take();

  // Whether an order that is refused for the moment is to be kept (TryLater).
  bool MayTryLater(const Waiting& refused) const {
    return refused.order.patient && !stopped_ && refused.tries + 1 < kMaxTries;
  }
  // Keeps it, in the place of the one that is kept already. REQUIRES: MayTryLater.
  void TryLater(Waiting refused);
  // The one that is kept is tried again when those before it are done. False if none is.
  bool Again();
  // The one that is kept is not tried again.
  void DropLater(const std::string& why);

  // Refuses all that wait, and all that come.
  void Stop();

 private:
  void DropGone();

  std::deque<Waiting> waiting_;
  std::optional<Waiting> later_;
  bool stopped_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_QUEUE_H_
