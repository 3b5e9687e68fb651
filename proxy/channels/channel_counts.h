// How many subscribers there are, of all workers.

#ifndef GEMEL_PROXY_CHANNELS_CHANNEL_COUNTS_H_
#define GEMEL_PROXY_CHANNELS_CHANNEL_COUNTS_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backend/channels/channel_name.h"
#include "proxy/channels/subscriptions_under_way.h"

namespace gemel {

// Any thread. Names are those of channel_name.h. However many there are, nobody else waits for long
// while they are gone through: those that come or go meanwhile may count or not.
class ChannelCounts {
 public:
  void Add(const std::string& name);
  void Remove(const std::string& name);

  // Anybody has subscribed to anything. Costs next to nothing.
  bool any() const { return total_.load(std::memory_order_acquire) != 0; }
  uint64_t CountOf(const std::string& name) const;
  // Who gets a message of that channel: its subscribers, and those of each pattern that it matches,
  // so that one client may count twice, as with Redis. Of a channel of shards: its subscribers.
  uint64_t ReceiversOf(ChannelKind kind, std::string_view channel) const;
  // The channels of that kind that somebody has subscribed to and that match the pattern.
  std::vector<std::string> Matching(ChannelKind kind, std::string_view pattern) const;
  // How many different names of that kind there are.
  size_t Different(ChannelKind kind) const;

  SubscriptionsUnderWay& under_way() { return under_way_; }

 private:
  using Counts = std::map<std::string, uint64_t, std::less<>>;  // by text

  // Calls visit(text, count) for each that matches() says is wanted.
  template <typename Matches, typename Visit>
  void ForEachOf(ChannelKind kind, Matches matches, Visit visit) const;

  std::atomic<uint64_t> total_{0};
  mutable std::mutex mutex_;  // guards what follows
  Counts counts_[3];          // by kind
  SubscriptionsUnderWay under_way_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_CHANNELS_CHANNEL_COUNTS_H_
