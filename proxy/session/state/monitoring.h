// Whether a client monitors (MONITOR).

#ifndef GEMEL_PROXY_SESSION_STATE_MONITORING_H_
#define GEMEL_PROXY_SESSION_STATE_MONITORING_H_

#include <cstddef>

#include "proxy/seen/monitor_feed.h"

namespace gemel {

class Monitoring {
 public:
  Monitoring() = default;
  ~Monitoring() { Reset(); }
  Monitoring(const Monitoring&) = delete;
  Monitoring& operator=(const Monitoring&) = delete;

  bool on() const { return feed_ != nullptr; }
  // Both outlive it. Not while it is on.
  void Begin(MonitorFeed* feed, Watcher* watcher) {
    feed->Enter(watcher, &place_);
    feed_ = feed;
  }
  void Reset() {
    if (feed_ != nullptr) feed_->Leave(place_);
    feed_ = nullptr;
  }

 private:
  MonitorFeed* feed_ = nullptr;
  size_t place_ = 0;  // in it
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_MONITORING_H_
