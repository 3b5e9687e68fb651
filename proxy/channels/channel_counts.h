// How many subscribers there are, of all workers.

#ifndef GEMEL_PROXY_CHANNELS_CHANNEL_COUNTS_H_
#define GEMEL_PROXY_CHANNELS_CHANNEL_COUNTS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backend/channels/channel_name.h"

namespace gemel {

// Any thread. Names are those of channel_name.h.
class ChannelCounts {
 public:
  void Add(const std::string& name);
  void Remove(const std::string& name);

  uint64_t CountOf(const std::string& name) const;
  // Who gets a message of that channel: its subscribers, and those of each pattern that it matches,
  // so that one client may count twice, as with Redis. Of a channel of shards: its subscribers.
  uint64_t ReceiversOf(ChannelKind kind, std::string_view channel) const;
  // The channels of that kind that somebody has subscribed to and that match the pattern.
  std::vector<std::string> Matching(ChannelKind kind, std::string_view pattern) const;
  // How many different names of that kind there are.
  size_t Different(ChannelKind kind) const;

 private:
  mutable std::mutex mutex_;                                // guards what follows
  std::map<std::string, uint64_t, std::less<>> counts_[3];  // by kind, then by text
};

}  // namespace gemel

#endif  // GEMEL_PROXY_CHANNELS_CHANNEL_COUNTS_H_
