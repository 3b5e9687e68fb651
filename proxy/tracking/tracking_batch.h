// What a worker tells another of keys that changed: all of one loop turn together.

#ifndef GEMEL_PROXY_TRACKING_TRACKING_BATCH_H_
#define GEMEL_PROXY_TRACKING_TRACKING_BATCH_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/bytes/budget.h"
#include "backend/shard/request.h"
#include "backend/shard/tracking_sink.h"
#include "proxy/tracking/tracked_client.h"

namespace gemel {

// Sessions are those of Request::session. What it holds is counted (Budget).
struct TrackingBatch : RequestCargo {
  TrackingBatch() = default;
  ~TrackingBatch() override { Budget::Give(counted); }
  TrackingBatch(const TrackingBatch&) = delete;
  TrackingBatch& operator=(const TrackingBatch&) = delete;

  // A key of a client, which has read it; or all keys.
  struct Key {
    uint32_t session;
    bool all;
    std::string key;
  };
  // A client is told in the place of another one, of that worker.
  struct Redirected {
    uint64_t target;
    uint32_t tracker;
    uint32_t worker;
    std::string value;
  };
  struct Prefix {
    std::string prefix;
    TrackingAudience audience;
    bool operator<(const Prefix& other) const {
      return prefix != other.prefix ? prefix < other.prefix : audience < other.audience;
    }
  };

  bool empty() const {
    return keys.empty() && prefixes.empty() && redirected.empty() && broken.empty();
  }
  void Count(size_t bytes) {
    counted += bytes;
    Budget::Take(bytes);
  }

  std::vector<Key> keys;  // in their order
  std::map<Prefix, WrittenKeyMap> prefixes;
  std::vector<Redirected> redirected;
  std::vector<uint32_t> broken;  // whose redirection is
  // Whom it is for where that is no worker of this process: see proxy/peers/peer_seats.h. Only keys
  // and prefixes are for these.
  uint32_t seat = 0;
  size_t counted = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_TRACKING_TRACKING_BATCH_H_
