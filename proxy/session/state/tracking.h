// Whether a client is told of changes to what it has read. Not yet: CLIENT TRACKING is refused.

#ifndef GEMEL_PROXY_SESSION_STATE_TRACKING_H_
#define GEMEL_PROXY_SESSION_STATE_TRACKING_H_

#include <cstdint>

namespace gemel {

class Tracking {
 public:
  // The client that is told in its place; -1: it does not track.
  int64_t redirect() const { return -1; }
  void Reset() {}
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_TRACKING_H_
