// Who is told by the shards that keys changed which clients track (see tracked_keys.h). It brings
// that to the workers that have these clients, each time behind the replies that left before.

#ifndef GEMEL_BACKEND_SHARD_TRACKING_SINK_H_
#define GEMEL_BACKEND_SHARD_TRACKING_SINK_H_

#include <cstdint>
#include <string_view>

namespace gemel {

// Who of those that track a prefix is told of a key.
enum class TrackingAudience : uint8_t {
  kAll,
  kOthers,  // than who wrote it: that one is told behind its reply
  kWriter,
};

// A session is known by Request::session; 0 is nobody.
class TrackingSink {
 public:
  virtual ~TrackingSink() = default;
  // The key changed, for that client of that worker.
  virtual void OnKeyChanged(uint32_t worker, uint32_t session, std::string_view key) = 0;
  // Any key may have.
  virtual void OnAllChanged(uint32_t worker, uint32_t session) = 0;
  // For those of the worker's clients that track this prefix. `writer`: whose write it was.
  virtual void OnPrefixChanged(uint32_t worker, std::string_view prefix, std::string_view key,
                               uint32_t writer, TrackingAudience audience) = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_TRACKING_SINK_H_
