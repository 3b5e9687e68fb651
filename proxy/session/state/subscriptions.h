// What a client has subscribed to. That is nothing yet: SUBSCRIBE is refused.

#ifndef GEMEL_PROXY_SESSION_STATE_SUBSCRIPTIONS_H_
#define GEMEL_PROXY_SESSION_STATE_SUBSCRIPTIONS_H_

#include <cstdint>

namespace gemel {

class Subscriptions {
 public:
  uint64_t channels() const { return 0; }
  uint64_t patterns() const { return 0; }
  uint64_t shard_channels() const { return 0; }
  void Reset() {}
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_SUBSCRIPTIONS_H_
